//! One run of the `shanty` program: built up, then asserted on or left in the background.

use super::wait::wait_for;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A call of the program that is not yet made.
#[must_use = "nothing runs before `ok`, `fails_with`, `output`, `spawn` or a like method"]
pub struct Call {
    command: Command,
    stdin: Vec<u8>,
    limit: Duration,
}

/// What a call left behind.
#[derive(Debug)]
pub struct Output {
    /// As a shell gives it: 128 + signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Call {
    pub(super) fn new(command: Command) -> Self {
        Self { command, stdin: Vec::new(), limit: Duration::from_secs(60) }
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives standard input, which is otherwise empty.
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.stdin = input.into();
        self
    }

    /// How long it may take: a minute when nothing is said.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The command that would run, for those who run it themselves.
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Runs it; the exit code must be 0.
    #[track_caller]
    pub fn ok(self) -> Output {
        self.exits(0)
    }

    /// Runs it; the exit code must be this one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Output {
        let output = self.output();
        assert_eq!(output.code, code, "exit code; {output}");
        output
    }

    /// Runs it; it must succeed and write exactly this to standard output.
    #[track_caller]
    pub fn prints(self, expected: &str) -> Output {
        let output = self.ok();
        assert_eq!(output.stdout, expected, "standard output; {output}");
        output
    }

    /// Runs it; the script must throw an error of this kind, such as `not_found`, that is drawn on standard error.
    #[track_caller]
    pub fn fails_with(self, kind: &str) -> Output {
        let output = self.exits(1);
        assert!(output.stderr.contains(&format!("error[{kind}]: ")), "the kind is not `{kind}`; {output}");
        output
    }

    /// Runs it to its end, whatever that is.
    #[track_caller]
    pub fn output(self) -> Output {
        let limit = self.limit;
        self.spawn().wait(limit)
    }

    /// Starts it and goes on.
    #[track_caller]
    pub fn spawn(mut self) -> Background {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = std::mem::take(&mut self.stdin);
        // The program may end without reading all of it.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
        let stdout = Collector::new(child.stdout.take().unwrap());
        let stderr = Collector::new(child.stderr.take().unwrap());
        Background { child, stdout, stderr, ended: None }
    }
}

/// A call that is running. Dropping it kills it.
pub struct Background {
    child: Child,
    stdout: Collector,
    stderr: Collector,
    ended: Option<ExitStatus>,
}

impl Background {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until it has printed this.
    #[track_caller]
    pub fn wait_for_stdout(&self, text: &str) {
        wait_for(Duration::from_secs(30), || self.stdout.text().contains(text).then_some(()));
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> Output {
        let ended = wait_for(limit, || self.child.try_wait().unwrap());
        self.ended = Some(ended);
        // Who still holds the pipes now would hang every `shanty … | less`.
        wait_for(Duration::from_secs(5), || (self.stdout.is_at_end() && self.stderr.is_at_end()).then_some(()));
        use std::os::unix::process::ExitStatusExt;
        let code = ended.code().or(ended.signal().map(|signal| 128 + signal)).unwrap();
        Output { code, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if self.ended.is_none() {
            if std::thread::panicking() {
                eprintln!("standard output so far:\n{}\nstandard error so far:\n{}", self.stdout(), self.stderr());
            }
            // It may have ended by itself.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "code {}\n-- standard output\n{}\n-- standard error\n{}", self.code, self.stdout, self.stderr)
    }
}

/// Reads a pipe as it fills.
struct Collector {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Collector {
    fn new(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                sink.lock().unwrap().extend_from_slice(&chunk[..length]);
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn is_at_end(&self) -> bool {
        self.reader.is_finished()
    }
}
