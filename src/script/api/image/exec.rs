//! `image.exec()` and `image.sh()`: one command in a container of its own.

use super::Image;
use crate::error::{Error, Result};
use crate::model::{ContainerSpec, ExecIo, RestartPolicy};
use crate::script::api::live_output::LiveOutput;
use crate::script::api::result::CommandResult;
use crate::script::api::run_options::RunOptions;
use crate::script::api::values::{CommandLine, Stdin};
use crate::script::binding::{Call, Callback, Options, api};
use std::time::Duration;

/// Options of `image.exec` and `image.sh`: those of `run`, and these.
#[derive(Default, Options)]
pub struct ImageExecOptions {
    /// Those of `run`.
    #[option(flatten)]
    pub run: RunOptions,
    /// `false`: a code other than 0 is no error.
    pub check: Option<bool>,
    /// Kills it after this time.
    pub timeout: Option<Duration>,
}

#[api]
impl Image {
    /// Runs one command in a container of its own, waits for it and removes it.
    ///
    /// # Example (engine)
    /// print(image("node:18").exec("node --version").text);
    ///
    /// # Errors
    /// `exit` on a code other than 0 unless `check: false`, `timeout`, and those of `run`.
    pub fn exec(
        &self,
        call: &Call,
        cmd: Option<CommandLine>,
        options: ImageExecOptions,
        on_line: Option<Callback>,
    ) -> Result<CommandResult> {
        self.run_once(call, cmd, options, on_line)
    }

    /// Runs a line with `/bin/sh -c` instead of the image's entrypoint; otherwise as `exec`.
    ///
    /// # Example (engine)
    /// print(image("node:18").sh("ls / | wc -l").text);
    ///
    /// # Errors
    /// Those of `exec`.
    pub fn sh(
        &self,
        call: &Call,
        line: String,
        mut options: ImageExecOptions,
        on_line: Option<Callback>,
    ) -> Result<CommandResult> {
        options.run.entrypoint = Some(CommandLine::default());
        self.run_once(call, Some(CommandLine::shell(line)), options, on_line)
    }
}

impl Image {
    fn run_once(
        &self,
        call: &Call,
        cmd: Option<CommandLine>,
        mut options: ImageExecOptions,
        on_line: Option<Callback>,
    ) -> Result<CommandResult> {
        let (stdin, keep_open) = match std::mem::take(&mut options.run.stdin) {
            Stdin::Data(data) => (Some(data), false),
            Stdin::Open => (None, true),
            Stdin::Closed => (None, false),
        };
        let pull = options.run.pull_policy();
        let removed = options.run.remove.unwrap_or(true);
        let mut spec = self.spec(call, cmd, options.run)?;
        spec.stdin = keep_open;
        if !removed || spec.restart != RestartPolicy::No {
            return Err(Error::invalid("`exec` and `sh` remove their container when the command ends")
                .hint("use `run` for a container that stays"));
        }
        let what = what_runs(&spec);
        let cx = call.context().with_timeout(options.timeout);
        let mut live = on_line.map(|on_line| LiveOutput::new(call, on_line));
        let mut sink = live.as_mut().map(|live| |stream, bytes: &[u8]| live.write(stream, bytes));
        let io = ExecIo { stdin, on_output: sink.as_mut().map(|sink| sink as _) };
        let output = call.engine()?.run_once(&cx, &spec, pull, io)?;
        if let Some(live) = live {
            live.finish()?;
        }
        CommandResult::from(output).checked(options.check, &what)
    }
}

fn what_runs(spec: &ContainerSpec) -> String {
    match spec.cmd.as_deref().and_then(|argv| argv.first()) {
        Some(program) => format!("`{program}` in `{}`", spec.image),
        None => format!("`{}`", spec.image),
    }
}
