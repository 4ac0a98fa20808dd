//! What is done to the files of a container.

use serde::Serialize;

/// How files are copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// `user`, `user:group`, names of the side that is copied to, or ids; `None`: that of the source.
    pub owner: Option<String>,
    /// Mode of files; `None`: that of the source.
    pub mode: Option<u32>,
    /// When a source is a link, what it leads to is copied.
    pub follow_links: bool,
}

/// How a file is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// `user`, `user:group`, names of the container or ids; `None`: stays, root for a new file.
    pub owner: Option<String>,
    /// `None`: stays, 0644 for a new file.
    pub mode: Option<u32>,
    /// At its end, instead of in place of what it holds.
    pub append: bool,
}

/// How a path of a container differs from its image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Absolute, in the container. Bytes that are no UTF-8 are replaced.
    pub path: String,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// The image has it not.
    Added,
    /// The image has something else.
    Changed,
    /// The image has it, the container not.
    Deleted,
}

impl ChangeKind {
    /// `added`, `changed` or `deleted`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
        }
    }
}

/// How an image is made from a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitSpec {
    /// Name of the image; `None`: it has its id only.
    pub reference: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// Why, for its history.
    pub message: Option<String>,
    /// Lines of a Dockerfile that change how containers of it run.
    pub changes: Vec<String>,
    /// A running container stands still while its files are read.
    pub pause: bool,
}
