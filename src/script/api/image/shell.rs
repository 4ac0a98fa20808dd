//! `image.shell()`: a terminal in a throwaway container.

use super::Image;
use crate::error::{Error, Result};
use crate::model::RestartPolicy;
use crate::script::api::container::shell::{SHELL, keys, name_terminal, no_shell};
use crate::script::api::run_options::RunOptions;
use crate::script::api::values::CommandLine;
use crate::script::binding::{Call, Options, api};

/// Options of `image.shell`: those of `run`, and these.
#[derive(Default, Options)]
pub struct ImageShellOptions {
    /// Those of `run`.
    #[option(flatten)]
    pub run: RunOptions,
    /// Keys that end it: `ctrl-p,ctrl-q`.
    pub detach_keys: Option<String>,
}

#[api]
impl Image {
    /// Works in a container of its own at this terminal, in `bash` or `sh`, or with another command, and removes it at the
    /// end. Without a terminal it reads standard input. Gives the exit code; `()` after Ctrl-P Ctrl-Q.
    ///
    /// # Example (engine)
    /// image("node:18").shell(#{ volumes: [".:/src"], workdir: "/src" });
    ///
    /// # Errors
    /// Those of `run`; `exit` with code 127 when the image has no such program.
    pub fn shell(&self, call: &Call, cmd: Option<CommandLine>, mut options: ImageShellOptions) -> Result<Option<i32>> {
        let pull = options.run.pull_policy();
        let removed = options.run.remove.unwrap_or(true);
        let own = cmd.is_some();
        if options.run.entrypoint.is_none() {
            options.run.entrypoint = Some(CommandLine::default());
        }
        let cmd = cmd.unwrap_or_else(|| CommandLine::shell(SHELL.to_owned()));
        let mut spec = self.spec(call, Some(cmd), options.run)?;
        name_terminal(&mut spec.env);
        if spec.input.is_some() {
            return Err(Error::invalid("`shell` reads what is typed, or the standard input of the script")
                .hint("leave `stdin` out, or use `exec`"));
        }
        if !removed || spec.restart != RestartPolicy::No {
            return Err(Error::invalid("`shell` removes its container at the end")
                .hint("use `run` for a container that stays, and `shell` on that"));
        }
        let keys = keys(options.detach_keys)?;
        call.engine()?.shell_once(&call.context(), &spec, pull, &keys).map_err(|error| no_shell(error, own))
    }
}
