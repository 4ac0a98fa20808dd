//! One run of the `ssh` program.

use super::Host;
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::privilege;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Stdio};
use std::thread::{self, JoinHandle};

/// More of what it says in an error helps nobody, bytes.
const MOST_SAID: u64 = 4096;
/// The largest list of files, bytes.
const LARGEST_OUTPUT: u64 = 64 << 20;
/// What `ssh` exits with when it could not get there (ssh(1)).
const NO_CONNECTION: i32 = 255;

/// A running `ssh`; killed when it is dropped before its end.
pub struct Session {
    child: Child,
    said: Option<JoinHandle<String>>,
    doing: String,
}

impl Session {
    /// Starts a script of the POSIX shell on the other side, with arguments `$1` and so on.
    pub fn start(host: &Host, script: &str, arguments: &[&str], doing: &str, stdin: Stdio) -> Result<Self> {
        let mut command = privilege::program("ssh");
        // Nobody may be there to answer questions.
        command.args(["-T", "-o", "BatchMode=yes"]).args(&host.arguments);
        if let Some(port) = host.port {
            command.args(["-p", &port.to_string()]);
        }
        command.arg("--").arg(&host.destination).arg(remote_command(script, arguments));
        // A group of its own: Ctrl-C is for us, who tidy up with it.
        command.process_group(0).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::not_found("there is no program `ssh`")
                .hint("install it: `apt install openssh-client`")
                .context(doing),
            _ => Error::new(ErrorKind::Io, format!("{doing}: cannot run `ssh`: {error}")),
        })?;
        let said = child.stderr.take().map(|stderr| thread::spawn(move || last_words(stderr)));
        Ok(Self { child, said, doing: doing.to_owned() })
    }

    /// What goes to it.
    pub fn stdin(&mut self) -> Result<ChildStdin> {
        self.child.stdin.take().ok_or_else(|| Error::new(ErrorKind::Io, format!("{}: no pipe", self.doing)))
    }

    /// What comes from it.
    pub fn stdout(&mut self) -> Result<ChildStdout> {
        self.child.stdout.take().ok_or_else(|| Error::new(ErrorKind::Io, format!("{}: no pipe", self.doing)))
    }

    /// Waits for its end, which has to be a good one.
    pub fn finish(&mut self) -> Result<()> {
        let status = self.child.wait().doing(|| &self.doing)?;
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        if status.success() {
            return Ok(());
        }
        let kind = match status.code() {
            Some(NO_CONNECTION) if said.contains("Permission denied") => ErrorKind::Unauthorized,
            Some(NO_CONNECTION) => ErrorKind::Network,
            _ if said.contains("No such file or directory") || said.contains("can't cd") => ErrorKind::NotFound,
            _ if said.contains("Permission denied") => ErrorKind::Denied,
            _ => ErrorKind::Io,
        };
        let why = said.trim().lines().next_back().map_or_else(|| format!("ssh ended with {status}"), str::to_owned);
        let error = Error::new(kind, format!("{}: {why}", self.doing));
        Err(match kind {
            ErrorKind::Unauthorized => error.hint("`ssh` asks for no password here: use a key, or an agent"),
            ErrorKind::Network if said.contains("Host key verification failed") => {
                error.hint("connect once by hand, so that the host is known")
            }
            _ => error,
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            // It may end just now; then there is nothing to kill.
            let _ = killpg(Pid::from_raw(self.child.id() as i32), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// Runs a script to its end and gives what it wrote.
pub fn run(host: &Host, script: &str, arguments: &[&str], cx: &Context, doing: &str) -> Result<String> {
    let mut session = Session::start(host, script, arguments, doing, Stdio::null())?;
    let mut stdout = session.stdout()?;
    let mut output = Vec::new();
    let mut buffer = [0; 8192];
    while (output.len() as u64) < LARGEST_OUTPUT {
        cx.cancel.wait_readable(Some(stdout.as_fd()), None)?;
        match stdout.read(&mut buffer).doing(|| doing)? {
            0 => break,
            length => output.extend_from_slice(&buffer[..length]),
        }
    }
    drop(stdout);
    session.finish()?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

/// The end of what it said.
fn last_words(mut stderr: ChildStderr) -> String {
    let mut said = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(length) = stderr.read(&mut buffer) {
        if length == 0 {
            break;
        }
        said.extend_from_slice(&buffer[..length]);
        let over = said.len().saturating_sub(MOST_SAID as usize);
        said.drain(..over);
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// `ssh` joins its arguments with blanks, and the login shell of the user takes them apart again: so each is quoted.
fn remote_command(script: &str, arguments: &[&str]) -> String {
    let words = ["sh", "-c", script, "sh"].into_iter().chain(arguments.iter().copied());
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

/// A word for a POSIX shell: in single quotes nothing has a meaning but the quote.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_argument_comes_out_of_the_shell_as_it_went_in(first in "[^\0]{0,30}", second in "['\"\\\\$`! \n*~-]{0,20}") {
            let line = remote_command(r#"printf '%s|%s' "$1" "$2""#, &[&first, &second]);
            let output = Command::new("sh").arg("-c").arg(line).output().unwrap();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{first}|{second}"));
        }
    }
}
