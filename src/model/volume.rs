//! Volumes: what to make, what to list, and what is known about one.

use std::collections::BTreeMap;

/// A volume to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Its name; `None`: an anonymous one, which gets an id as its name.
    pub name: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Which volumes to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeFilter {
    /// Part of the name.
    pub name: Option<String>,
    /// Labels that must be there; an empty value matches any.
    pub labels: Vec<(String, String)>,
    /// Only those that no container has (`true`), or one has (`false`).
    pub dangling: Option<bool>,
}

/// What is known about a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Its name.
    pub name: String,
    /// The folder of the engine's machine that holds its files: for people.
    pub path: String,
    /// Who keeps it: `local` is a folder of the engine's machine.
    pub driver: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// Whether nobody gave it a name.
    pub anonymous: bool,
}
