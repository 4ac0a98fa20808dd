//! With what rights this process works, and what follows from them: the one place that asks whether it is root.
//!
//! Everybody but root works in a user namespace, which [`enter`] moves a process into before it has opened anything or
//! started a thread. Its root is the user outside. All commands and monitors of a user share one, which lasts as long as
//! one of them lives.

mod enter;
mod members;
mod newidmap;
mod outside;
mod places;
mod ranges;

pub use enter::enter;
pub use members::stay;
pub use newidmap::is_installed;
pub use outside::program;
pub use places::{default_root, memory_base, own_folder, run_base};

use nix::unistd::{getegid, geteuid};
use serde::{Deserialize, Serialize};
use std::fs;
use std::sync::OnceLock;

/// Whose ids this process can give to files and processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ids {
    /// All: it is the machine's root.
    All,
    /// Those of a user namespace with ranges.
    Ranges,
    /// One, which is root inside.
    Single,
}

/// The rights of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privilege {
    ids: Ids,
    /// The user outside of the user namespace: the numbers of who called us.
    uid: u32,
    gid: u32,
    /// How many users and groups there are.
    counts: (u32, u32),
}

/// The user and the group who called us, outside of the user namespace; known before [`enter`] as well.
pub fn caller() -> (u32, u32) {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let current = Privilege::current();
    if uid == 0 { (current.uid(), current.gid()) } else { (uid, gid) }
}

impl Privilege {
    /// Those of this process, which do not change once [`enter`] has returned.
    pub fn current() -> Self {
        static CURRENT: OnceLock<Privilege> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let map = |file: &str| fs::read_to_string(file).unwrap_or_default();
            Self::of_maps(&map("/proc/self/uid_map"), &map("/proc/self/gid_map"))
        })
    }

    fn of_maps(uids: &str, gids: &str) -> Self {
        let (uid, count) = ranges::root_of_map(uids).unwrap_or((geteuid().as_raw(), 1));
        let (gid, groups) = ranges::root_of_map(gids).unwrap_or((getegid().as_raw(), 1));
        let ids = match count {
            _ if !geteuid().is_root() => Ids::Single,
            u32::MAX => Ids::All,
            1 => Ids::Single,
            _ => Ids::Ranges,
        };
        Self { ids, uid, gid, counts: (count, groups) }
    }

    /// Whose ids it can give away.
    pub fn ids(self) -> Ids {
        self.ids
    }

    /// The number of the user who called us, outside of the user namespace.
    pub fn uid(self) -> u32 {
        self.uid
    }

    /// The number of that user's group.
    pub fn gid(self) -> u32 {
        self.gid
    }

    /// How many users it has numbers for: 0 is the first.
    pub fn uid_count(self) -> u32 {
        self.counts.0
    }

    /// How many groups.
    pub fn gid_count(self) -> u32 {
        self.counts.1
    }

    /// Whether it works in a user namespace: without the machine's devices, control groups, and network.
    pub fn is_rootless(self) -> bool {
        self.ids != Ids::All
    }

    /// Whether files can be given to other users than root.
    pub fn has_many_ids(self) -> bool {
        self.ids != Ids::Single
    }
}
