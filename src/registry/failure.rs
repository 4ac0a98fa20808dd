//! A failed exchange: whether trying again may help.

use crate::error::{Error, ErrorKind};
use std::time::Duration;

/// What went wrong, and whether it may pass.
#[derive(Debug)]
pub(super) enum Failure {
    /// Trying again may succeed, after this wait if the registry asked for one.
    Passing { error: Error, retry_after: Option<Duration> },
    /// Nothing came for the whole stall timeout.
    Stalled(Error),
    /// It will be the same next time.
    Final(Error),
}

impl Failure {
    pub(super) fn passing(error: Error) -> Self {
        Self::Passing { error, retry_after: None }
    }

    pub(super) fn stalled(host: &str, after: Duration) -> Self {
        let error = Error::new(ErrorKind::Timeout, format!("`{host}` sent nothing for {after:?}"));
        Self::Stalled(error.hint("try again; what was fetched completely is kept"))
    }

    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Passing { error, .. } | Self::Stalled(error) | Self::Final(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}
