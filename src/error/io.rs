//! Operating system failures as errors: what was done, on what, and what the system said.

use super::{Error, ErrorKind, Result};
use std::fmt::Display;
use std::io;

/// Says what was being done when the operating system failed.
pub trait IoContext<T> {
    /// Turns the failure into an [`Error`] whose message starts with `doing`, such as
    /// ``cannot open `x` ``.
    fn doing<D: Display>(self, doing: impl FnOnce() -> D) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn doing<D: Display>(self, doing: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| from_io(&error, doing()))
    }
}

impl<T> IoContext<T> for nix::Result<T> {
    fn doing<D: Display>(self, doing: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|errno| from_io(&io::Error::from(errno), doing()))
    }
}

/// What helps when a disk is full.
const FREE_SOME_SPACE: &str = "free some space: `shanty eval 'prune_images()'` removes unused images";

impl Error {
    /// Whether a full disk is the cause, and nobody has said yet how much was needed.
    pub fn is_full_disk(&self) -> bool {
        self.hint_text() == Some(FREE_SOME_SPACE)
    }

    /// Says, of an error for which [`Self::is_full_disk`] holds, how much is needed.
    #[must_use]
    pub fn with_space(self, needed: &str) -> Self {
        self.hint(format!("{needed}; {FREE_SOME_SPACE}"))
    }
}

fn from_io(error: &io::Error, doing: impl Display) -> Error {
    if let Some(ours) = carried(error) {
        return ours.clone().context(doing.to_string());
    }
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        io::ErrorKind::TimedOut => ErrorKind::Timeout,
        _ => ErrorKind::Io,
    };
    let built = Error::new(kind, format!("{doing}: {}", errno_text(error)));
    match error.raw_os_error() {
        Some(libc::ENOSPC) => built.as_kind(ErrorKind::Io).hint(FREE_SOME_SPACE),
        Some(libc::EMFILE | libc::ENFILE) => built.hint("raise the limit on open files: `ulimit -n`"),
        _ => built,
    }
}

/// Our own error inside an I/O error: readers such as a layer's stream have to return `io::Error`,
/// and what reads through them (decompression, tar) may wrap it once more.
pub fn carried(error: &io::Error) -> Option<&Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(ours);
        }
        // `source` of an `io::Error` is that of the error it wraps, which would skip the latter.
        next = match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// What the system says, without Rust's `(os error N)`, in lower case as our messages are.
pub fn errno_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().collect::<String>() + chars.as_str(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_error_survives_the_way_through_readers() {
        #[derive(Debug, thiserror::Error)]
        #[error("wrapped")]
        struct Wrapped(#[source] io::Error);

        let ours = io::Error::other(Error::corrupt("it is cut short"));
        let twice = io::Error::other(Wrapped(ours));
        let error = Err::<(), _>(twice).doing(|| "cannot read the layer").expect_err("it is an error");
        assert!(error.is(ErrorKind::Corrupt));
        assert_eq!(error.message(), "cannot read the layer: it is cut short");
    }
}
