//! Which images and containers to list.

use super::Status;

/// Which images to list.
#[derive(Clone, Debug, Default)]
pub struct ImageFilter {
    /// Repository name or pattern with `*`.
    pub name: Option<String>,
    /// Labels that must be there; an empty value matches any.
    pub labels: Vec<(String, String)>,
    /// Only images without (`true`) or with (`false`) a name.
    pub dangling: Option<bool>,
    /// Only images built before this time.
    pub before: Option<jiff::Timestamp>,
    /// Only images built after this time.
    pub since: Option<jiff::Timestamp>,
    /// Also images without a name that others were made from.
    pub all: bool,
}

/// Which containers to list.
#[derive(Clone, Debug, Default)]
pub struct ContainerFilter {
    /// Also those that are not alive.
    pub all: bool,
    /// Part of the name.
    pub name: Option<String>,
    /// Labels that must be there; an empty value matches any.
    pub labels: Vec<(String, String)>,
    /// In this state.
    pub status: Option<Status>,
    /// Made from this image.
    pub image: Option<String>,
}
