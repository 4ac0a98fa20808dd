//! What commands write: live, collected, or as lines of a log.

use crate::error::Result;

/// One of the two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// `stdout` or `stderr`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Receives output while a command runs; an error stops the command.
pub type OutputSink<'a> = &'a mut dyn FnMut(Stream, &[u8]) -> Result<()>;

/// What a command reads, and who sees its output as it comes.
#[derive(Default)]
pub struct ExecIo<'a> {
    /// Standard input; `None`: nothing to read.
    pub stdin: Option<Vec<u8>>,
    /// Called with each chunk of output, besides collecting it.
    pub on_output: Option<OutputSink<'a>>,
    /// Only the end of the output is kept, however much it is: who sees it as it comes has all of it.
    pub keep_end: bool,
}

/// What a command left behind.
#[derive(Clone, Debug, Default)]
pub struct RunOutput {
    /// As a shell gives it: 128 + signal, 126, 127.
    pub code: i32,
    /// Standard output, up to 64 MiB.
    pub stdout: Vec<u8>,
    /// Standard error, up to 64 MiB.
    pub stderr: Vec<u8>,
    /// A process of it was killed for want of memory.
    pub oom_killed: bool,
}

/// Which lines of a log.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Only the last so many lines.
    pub tail: Option<usize>,
    /// Only lines from this time on.
    pub since: Option<jiff::Timestamp>,
    /// Only lines before this time.
    pub before: Option<jiff::Timestamp>,
    /// Only this stream.
    pub stream: Option<Stream>,
    /// Go on with new lines until the container ends.
    pub follow: bool,
}

/// One line of a log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// The bytes without the line end.
    pub text: Vec<u8>,
    /// Where it was written to.
    pub stream: Stream,
    /// When the monitor read it.
    pub time: jiff::Timestamp,
}
