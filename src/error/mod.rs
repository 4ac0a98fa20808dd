//! The one error type: what kind of failure, what failed, what to do about it.
//!
//! Every fallible function of the crate returns [`Result`]. A script sees an [`Error`] as a map
//! with the keys `kind`, `message`, `hint` and what belongs to the kind.

mod io;

pub use io::{IoContext, carried, errno_text};

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// The result of everything that can fail in Shanty.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it was: the `kind` that a script's `catch (e)` sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// What was named does not exist.
    NotFound,
    /// It exists already, is in use, or its state forbids the operation.
    Conflict,
    /// The input is wrong.
    Invalid,
    /// Credentials are missing or were refused.
    Unauthorized,
    /// The caller may not do this.
    Denied,
    /// The network or the other side failed.
    Network,
    /// A deadline passed.
    Timeout,
    /// Ctrl-C, or a sibling's failure, ended it.
    Cancelled,
    /// A command ended with a code other than 0, or could not be started.
    Exit,
    /// This machine, engine or version cannot do it.
    Unsupported,
    /// Data does not match its digest, or is not what it claims to be.
    Corrupt,
    /// Somebody else holds it now; trying again may succeed.
    Busy,
    /// The operating system failed.
    Io,
    /// The script itself is wrong.
    Script,
}

impl ErrorKind {
    /// The name that scripts see, such as `not_found`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Unauthorized => "unauthorized",
            Self::Denied => "denied",
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Exit => "exit",
            Self::Unsupported => "unsupported",
            Self::Corrupt => "corrupt",
            Self::Busy => "busy",
            Self::Io => "io",
            Self::Script => "script",
        }
    }

    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::NotFound,
        Self::Conflict,
        Self::Invalid,
        Self::Unauthorized,
        Self::Denied,
        Self::Network,
        Self::Timeout,
        Self::Cancelled,
        Self::Exit,
        Self::Unsupported,
        Self::Corrupt,
        Self::Busy,
        Self::Io,
        Self::Script,
    ];

    /// The kind with this script name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a command left behind: belongs to [`ErrorKind::Exit`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitDetails {
    /// Exit code as a shell gives it: 128 + signal, 126 not executable, 127 not found.
    pub code: i32,
    /// What it wrote to standard output, up to the capture limit.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, up to the capture limit.
    pub stderr: Vec<u8>,
    /// A process of it was killed for want of memory.
    pub oom_killed: bool,
}

/// A failure: kind, message, hint and the operations it happened in.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    context: Vec<String>,
    exit: Option<ExitDetails>,
    log_tail: Option<String>,
    excerpt: Option<String>,
    payload: Option<Arc<dyn Any + Send + Sync>>,
}

impl Error {
    /// An error of a kind with a lower-case message that says what failed and on what.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            context: Vec::new(),
            exit: None,
            log_tail: None,
            excerpt: None,
            payload: None,
        }))
    }

    /// What is named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// It exists already, or is in use.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// The input is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Data does not match its digest, or is not what it claims to be.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// This machine, engine or version cannot do it.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// A program ended with a code other than 0, or could not be started.
    pub fn exit(message: impl Into<String>, details: ExitDetails) -> Self {
        let mut error = Self::new(ErrorKind::Exit, message);
        error.0.exit = Some(details);
        error
    }

    /// Adds what the person can do: an imperative sentence, with text that can be typed in backticks.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the operation that this failure interrupted; it is put before the message.
    #[must_use]
    pub fn context(mut self, doing: impl Into<String>) -> Self {
        self.0.context.push(doing.into());
        self
    }

    /// Adds the end of a container's log, which is drawn below the error.
    #[must_use]
    pub fn log_tail(mut self, log: impl Into<String>) -> Self {
        self.0.log_tail = Some(log.into());
        self
    }

    /// Adds the lines of a file that it is about, with their numbers and the place underlined, as they are drawn below it.
    #[must_use]
    pub fn excerpt(mut self, lines: impl Into<String>) -> Self {
        self.0.excerpt = Some(lines.into());
        self
    }

    /// The same error as another kind.
    #[must_use]
    pub fn as_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Carries what a caller's callback threw through code that does not know its type.
    #[must_use]
    pub fn carrying(mut self, payload: Arc<dyn Any + Send + Sync>) -> Self {
        self.0.payload = Some(payload);
        self
    }

    /// What it carries.
    pub fn payload(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.0.payload.as_ref()
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message with its context, outermost operation first: `pulling x: connecting: refused`.
    pub fn message(&self) -> String {
        let mut text = String::new();
        for doing in self.0.context.iter().rev() {
            text.push_str(doing);
            text.push_str(": ");
        }
        text.push_str(&self.0.message);
        text
    }

    /// What the person can do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Code and output, for [`ErrorKind::Exit`].
    pub fn exit_details(&self) -> Option<&ExitDetails> {
        self.0.exit.as_ref()
    }

    /// The end of the log of the container that died.
    pub fn log_tail_text(&self) -> Option<&str> {
        self.0.log_tail.as_deref()
    }

    /// The lines of the file that it is about.
    pub fn excerpt_text(&self) -> Option<&str> {
        self.0.excerpt.as_deref()
    }

    /// Whether it is of this kind.
    pub fn is(&self, kind: ErrorKind) -> bool {
        self.0.kind == kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.message())?;
        match &self.0.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_reads_from_the_outside_in() {
        let error = Error::not_found("no such tag").context("asking the registry").context("pulling `x`");
        assert_eq!(error.message(), "pulling `x`: asking the registry: no such tag");
    }

    #[test]
    fn kinds_round_trip_through_their_names() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_name(kind.name()), Some(kind));
        }
    }
}
