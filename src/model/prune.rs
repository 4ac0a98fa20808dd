//! What is to be cleaned up, and what was.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What to clean up.
#[derive(Clone, Debug, Default)]
pub struct PruneSpec {
    /// Containers that do not run.
    pub containers: bool,
    /// Images without a name that nobody uses.
    pub images: Option<ImagePruneSpec>,
    /// Networks that no container uses.
    pub networks: bool,
    /// What builds keep to be faster.
    pub build_cache: bool,
    /// Only so much of it that the rest takes no more than so many bytes: what was used longest ago.
    pub build_cache_keep: Option<u64>,
    /// Volumes that no container has.
    pub volumes: Option<VolumePruneSpec>,
    /// Only what was made before this time (build cache: used).
    pub older_than: Option<jiff::Timestamp>,
    /// Only what has all of these labels; an empty value matches any.
    pub labels: Vec<(String, String)>,
    /// Not what has all of these labels.
    pub not_labels: Vec<(String, String)>,
}

impl PruneSpec {
    /// Whether something with these labels is meant.
    pub fn labels_match(&self, labels: &BTreeMap<String, String>) -> bool {
        let has =
            |(key, value): &(String, String)| labels.get(key).is_some_and(|found| value.is_empty() || found == value);
        self.labels.iter().all(has) && (self.not_labels.is_empty() || !self.not_labels.iter().all(has))
    }
}

/// Which images.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImagePruneSpec {
    /// Also those with a name.
    pub all: bool,
    /// Also those with a name, but for so many of each repository, the newest ones.
    pub keep: Option<usize>,
    /// Also those with a name, those first that were pulled or built longest ago, until all images together have no more
    /// than so many bytes.
    pub down_to: Option<u64>,
}

/// Which volumes.
#[derive(Clone, Copy, Debug, Default)]
pub struct VolumePruneSpec {
    /// Also those with a name.
    pub all: bool,
}

/// A thing to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PruneKind {
    /// A container that does not run.
    Container,
    /// An image.
    Image,
    /// A network.
    Network,
    /// What a step of a build made.
    BuildCache,
    /// A volume that no container has.
    Volume,
    /// A copy of a layer for other ids that no container has.
    MappedLayer,
}

impl PruneKind {
    /// The name that scripts see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Network => "network",
            Self::BuildCache => "build_cache",
            Self::Volume => "volume",
            Self::MappedLayer => "mapped_layer",
        }
    }
}

/// A thing that is to go, or went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneItem {
    /// What it is.
    pub kind: PruneKind,
    /// Its id; of a step of a build its key, of a volume its name, of a copied layer the digest and the maps'.
    pub id: String,
    /// Its names; of a step of a build what it did.
    pub names: Vec<String>,
    /// When it was made.
    pub created: Option<jiff::Timestamp>,
    /// Bytes that go with it, when all items before it have gone.
    pub bytes: u64,
    /// How it was when it was planned: what has changed since is left alone.
    pub mark: String,
}

/// A thing that stays although it was asked for, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneSkip {
    /// What it is.
    pub kind: PruneKind,
    /// Its id.
    pub id: String,
    /// Its names.
    pub names: Vec<String>,
    /// Why it stays.
    pub reason: String,
}

/// What is to go, or, after it was carried out, what went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrunePlan {
    /// Whether it was carried out.
    pub done: bool,
    /// In the order in which they go.
    pub items: Vec<PruneItem>,
    /// What stays although it was asked for.
    pub skipped: Vec<PruneSkip>,
    /// Names that images lost, or will lose.
    pub untagged: Vec<String>,
    /// Ids of what went, those of images followed by the chain ids of layers that went with them.
    pub deleted: Vec<String>,
    /// Bytes of the files.
    pub freed: u64,
}

impl PrunePlan {
    /// Takes another plan in, behind this one.
    pub fn add(&mut self, more: Self) {
        self.items.extend(more.items);
        self.skipped.extend(more.skipped);
        self.untagged.extend(more.untagged);
        self.deleted.extend(more.deleted);
        self.freed += more.freed;
    }
}

impl PruneItem {
    /// It stays.
    pub fn skip(&self, reason: impl Into<String>) -> PruneSkip {
        PruneSkip { kind: self.kind, id: self.id.clone(), names: self.names.clone(), reason: reason.into() }
    }
}
