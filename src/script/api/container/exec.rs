//! `container.exec()` and `container.sh()`.

use super::Container;
use crate::error::{Error, Result};
use crate::model::{ExecIo, ExecSpec, UserSpec};
use crate::script::api::deadline::within;
use crate::script::api::live_output::LiveOutput;
use crate::script::api::result::CommandResult;
use crate::script::api::values::{CommandLine, Environment, OneOrMany, Stdin};
use crate::script::binding::{Call, Callback, Options, api};
use std::time::Duration;

/// Options of `exec` and `sh`.
#[derive(Default, Options)]
pub struct ExecOptions {
    /// Environment on top of the container's.
    #[option(alias = "environment")]
    pub env: Environment,
    /// Working directory.
    #[option(alias = "working_dir")]
    pub workdir: Option<String>,
    /// `user`, `user:group`, `1000`, `1000:1000`.
    pub user: Option<OneOrMany>,
    /// What it reads: text or a blob.
    pub stdin: Stdin,
    /// Gives it a terminal.
    pub tty: bool,
    /// Returns at once and leaves it running.
    pub detach: bool,
    /// `false`: a code other than 0 is no error.
    pub check: Option<bool>,
    /// Kills it after this time.
    pub timeout: Option<Duration>,
}

#[api]
impl Container {
    /// Runs a command inside and waits for it; the callback gets each line (`.text`, `.stream`, `.time`) as it comes.
    ///
    /// # Example (engine)
    /// print(container("web").exec("node --version").text);
    ///
    /// # Errors
    /// `exit` on a code other than 0 unless `check: false`, `conflict` when the container does not run, `timeout`.
    pub fn exec(
        &self,
        call: &Call,
        cmd: CommandLine,
        options: ExecOptions,
        on_line: Option<Callback>,
    ) -> Result<CommandResult> {
        let CommandLine(argv) = cmd;
        let program = argv.first().cloned().ok_or_else(|| Error::invalid("the command is empty"))?;
        let command = format!("command `{}`", argv.join(" "));
        let user = options.user.map(|OneOrMany(user)| user.concat());
        if let Some(user) = &user {
            user.parse::<UserSpec>()?;
        }
        let stdin = match options.stdin {
            Stdin::Data(data) => Some(data),
            Stdin::Closed => None,
            Stdin::Open => return Err(Error::invalid("`stdin` takes the text that the command reads")),
        };
        let spec = ExecSpec {
            argv,
            env: options.env.0,
            workdir: options.workdir,
            user,
            stdin: stdin.clone(),
            tty: options.tty,
            detach: options.detach,
        };
        let mut live = on_line.map(|on_line| LiveOutput::new(call, on_line));
        let mut sink = live.as_mut().map(|live| |stream, bytes: &[u8]| live.write(stream, bytes));
        let io = ExecIo { stdin, on_output: sink.as_mut().map(|sink| sink as _), keep_end: false };
        let engine = call.engine()?;
        let output =
            within(&call.context(), options.timeout, || command, |cx| engine.exec(cx, self.reference(), &spec, io));
        let result = CommandResult::of(output, options.check)?;
        if let Some(live) = live {
            live.finish()?;
        }
        result.checked(options.check, &format!("`{program}`"))
    }

    /// Runs a line inside with `/bin/sh -c`; otherwise as `exec`.
    ///
    /// # Example (engine)
    /// container("web").sh("tail -n 3 /var/log/app.log | sort");
    ///
    /// # Errors
    /// Those of `exec`.
    pub fn sh(
        &self,
        call: &Call,
        line: String,
        options: ExecOptions,
        on_line: Option<Callback>,
    ) -> Result<CommandResult> {
        self.exec(call, CommandLine::shell(line), options, on_line)
    }
}
