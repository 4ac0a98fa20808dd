//! `CommandResult`: what a command left behind.

use crate::error::{Error, ExitDetails, Result};
use crate::model::RunOutput;
use crate::script::binding::{Bytes, Object, api};
use std::sync::Arc;

/// What a command left behind: its code and what it wrote.
#[derive(Clone, Object)]
pub struct CommandResult {
    output: Arc<RunOutput>,
}

#[api]
impl CommandResult {
    /// Exit code as a shell gives it: 128 + signal, 126, 127.
    #[get(column)]
    pub fn code(&self) -> i32 {
        self.output.code
    }

    /// Standard output as it came; bytes that are not UTF-8 are replaced.
    #[get(column, shown = super::shown::output)]
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// Standard error as it came.
    #[get(column, shown = super::shown::output)]
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Whether a process of it was killed for want of memory.
    #[get]
    pub fn oom_killed(&self) -> bool {
        self.output.oom_killed
    }

    /// Standard output without white space around it.
    #[get]
    pub fn text(&self) -> String {
        self.stdout().trim().to_owned()
    }

    /// The lines of standard output.
    #[get]
    pub fn lines(&self) -> Vec<String> {
        self.stdout().lines().map(str::to_owned).collect()
    }

    /// Standard output as a blob.
    #[get(lazy)]
    pub fn bytes(&self) -> Bytes {
        Bytes(self.output.stdout.clone())
    }
}

impl From<RunOutput> for CommandResult {
    fn from(output: RunOutput) -> Self {
        Self { output: Arc::new(output) }
    }
}

impl CommandResult {
    /// What an engine says of a command. With `check: false` one that could not be executed has ended with 127 or 126.
    pub fn of(output: Result<RunOutput>, check: Option<bool>) -> Result<Self> {
        let error = match output {
            Ok(output) => return Ok(output.into()),
            Err(error) => error,
        };
        // What a callback threw goes on as it is.
        let Some(ExitDetails { code, stdout, stderr, oom_killed }) =
            error.exit_details().filter(|_| check == Some(false) && error.payload().is_none()).cloned()
        else {
            return Err(error);
        };
        let stderr = if stderr.is_empty() { format!("{}\n", error.message()).into_bytes() } else { stderr };
        Ok(RunOutput { code, stdout, stderr, oom_killed }.into())
    }

    /// Fails with `exit` when the code is not 0, unless `check` is `Some(false)`. `what` is what ran, for the message.
    pub fn checked(self, check: Option<bool>, what: &str) -> Result<Self> {
        if check == Some(false) || self.output.code == 0 {
            return Ok(self);
        }
        let RunOutput { code, stdout, stderr, oom_killed } = RunOutput::clone(&self.output);
        let (why, hint) = if oom_killed {
            (", killed for want of memory", "give it more `memory`")
        } else {
            ("", "give `check: false` to look at `.code` instead")
        };
        let details = ExitDetails { code, stdout, stderr, oom_killed };
        Err(Error::exit(format!("{what} ended with code {code}{why}"), details).hint(hint))
    }
}
