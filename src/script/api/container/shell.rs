//! `container.shell()` and `container.attach()`: the terminal is the container's.

use super::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{DetachKeys, ExecSpec, UserSpec};
use crate::script::api::values::{CommandLine, Environment, OneOrMany};
use crate::script::binding::{Call, Options, api};

/// What is run when no command is given: the better shell of the two that images have.
pub const SHELL: &str = "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi";

/// Options of `shell`.
#[derive(Default, Options)]
pub struct ShellOptions {
    /// Environment on top of the container's.
    #[option(alias = "environment")]
    pub env: Environment,
    /// Working directory.
    #[option(alias = "working_dir")]
    pub workdir: Option<String>,
    /// `user`, `user:group`, `1000`, `1000:1000`.
    pub user: Option<OneOrMany>,
    /// Keys that end it: `ctrl-p,ctrl-q`.
    pub detach_keys: Option<String>,
}

/// Options of `attach`.
#[derive(Default, Options)]
pub struct AttachOptions {
    /// Keys that give the terminal back and leave the container running: `ctrl-p,ctrl-q`.
    pub detach_keys: Option<String>,
    /// Shows what was logged before, first.
    pub logs: bool,
}

#[api]
impl Container {
    /// Works in a running container at this terminal, in `bash` or `sh`, or with another command, until that ends or
    /// Ctrl-P Ctrl-Q. Without a terminal it reads standard input. Gives the exit code; `()` after the keys.
    ///
    /// # Example (engine)
    /// container("web").shell(#{ user: "root" });
    ///
    /// # Errors
    /// `conflict` when the container does not run, `exit` with code 127 when the image has no such program.
    pub fn shell(&self, call: &Call, cmd: Option<CommandLine>, options: ShellOptions) -> Result<Option<i32>> {
        let user = options.user.map(|OneOrMany(user)| user.concat());
        if let Some(user) = &user {
            user.parse::<UserSpec>()?;
        }
        let own = cmd.is_some();
        let CommandLine(argv) = cmd.unwrap_or_else(|| CommandLine::shell(SHELL.to_owned()));
        let mut env = options.env.0;
        name_terminal(&mut env);
        let spec = ExecSpec { argv, env, workdir: options.workdir, user, ..ExecSpec::default() };
        let keys = keys(options.detach_keys)?;
        call.engine()?.shell(&call.context(), self.reference(), &spec, &keys).map_err(|error| no_shell(error, own))
    }

    /// Shows what the container's program writes, and gives it what is typed (with `tty` or `stdin: true`), until it ends
    /// or Ctrl-P Ctrl-Q. Gives the exit code; `()` when the container goes on.
    ///
    /// # Example (engine)
    /// container("web").attach(#{ detach_keys: "ctrl-a,d" });
    ///
    /// # Errors
    /// `conflict` when the container does not run.
    pub fn attach(&self, call: &Call, options: AttachOptions) -> Result<Option<i32>> {
        let keys = keys(options.detach_keys)?;
        if options.logs {
            let log = self.logs(call, super::logs::LogsOptions::default())?;
            call.session().print(log.trim_end_matches('\n'))?;
        }
        call.engine()?.attach(&call.context(), self.reference(), &keys)
    }
}

/// The keys that were asked for, or Docker's.
pub fn keys(keys: Option<String>) -> Result<DetachKeys> {
    keys.map_or_else(|| Ok(DetachKeys::default()), |keys| keys.parse())
}

/// Programs draw for the terminal that the person sits at.
pub fn name_terminal(env: &mut Vec<(String, String)>) {
    if let (Ok(terminal), false) = (std::env::var("TERM"), env.iter().any(|(name, _)| name == "TERM")) {
        env.insert(0, ("TERM".to_owned(), terminal));
    }
}

/// Says what to do about an image without a shell.
pub fn no_shell(error: Error, own: bool) -> Error {
    let missing = error.is(ErrorKind::Exit) && error.exit_details().is_some_and(|details| details.code == 127);
    if own || !missing {
        return error;
    }
    error.hint("the image has no shell: name a program that it has, `shell([\"/app/tool\"])`")
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn a_shell_or_a_command_of_ones_own() {
        let engine = RecordingEngine::default();
        engine.eval(r#"container("web").shell(); container("web").shell("node", #{ user: "node" });"#).unwrap();
        engine.with(|recording| {
            assert_eq!(recording.calls, ["shell web", "shell web"]);
            assert_eq!(recording.execs[0].argv[..2], ["/bin/sh", "-c"]);
            assert_eq!(
                (recording.execs[1].argv[0].as_str(), recording.execs[1].user.as_deref()),
                ("node", Some("node"))
            );
        });
    }

    #[test]
    fn detach_keys_are_checked() {
        let engine = RecordingEngine::default();
        engine.eval(r#"container("web").attach(#{ detach_keys: "ctrl-a,d" })"#).unwrap();
        let error = engine.eval(r#"container("web").attach(#{ detach_keys: "strg-a" })"#).expect_err("no such key");
        assert!(error.is(ErrorKind::Invalid) && error.hint_text().is_some());
    }
}
