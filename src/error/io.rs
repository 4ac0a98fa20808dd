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

fn from_io(error: &io::Error, doing: impl Display) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        io::ErrorKind::TimedOut => ErrorKind::Timeout,
        _ => ErrorKind::Io,
    };
    let built = Error::new(kind, format!("{doing}: {}", errno_text(error)));
    match error.raw_os_error() {
        Some(libc::ENOSPC) => {
            built.as_kind(ErrorKind::Io).hint("free some space: `shanty eval 'prune_images()'` removes unused images")
        }
        Some(libc::EMFILE | libc::ENFILE) => built.hint("raise the limit on open files: `ulimit -n`"),
        _ => built,
    }
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
