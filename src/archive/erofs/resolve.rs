//! Paths in the tree of an index, as `openat2(RESOLVE_IN_ROOT)` resolves them in a folder.

use super::nodes::{Index, NodeId, NodeKind, ROOT, nowhere};
use crate::archive::member::Time;
use crate::error::Result;

/// Links on one way, as the kernel's `MAXSYMLINKS`.
const MAX_LINKS: u32 = 40;

/// Where a way ends.
enum End {
    Folder(NodeId),
    Nothing,
    /// Through a file, or round in circles.
    Wrong(&'static str),
}

impl Index {
    /// A folder by its path; those that no member has made are made, as old as the member that needs them.
    pub(super) fn folder(&mut self, path: &[u8], time: Time) -> Result<NodeId> {
        if path.is_empty() {
            return Ok(ROOT);
        }
        if self.last.0 == path {
            return Ok(self.last.1);
        }
        let (mut at, mut links) = (ROOT, 0);
        for name in path.split(|byte| *byte == b'/') {
            at = match self.step(at, name, &mut links) {
                End::Folder(folder) => folder,
                // What has the name is a link that leads nowhere.
                End::Nothing if self.child(at, name).is_some() => return Err(nowhere("through a link")),
                End::Nothing => self.implied_folder(at, name, time)?,
                End::Wrong(why) => return Err(nowhere(why)),
            };
        }
        self.last = (path.to_vec(), at);
        Ok(at)
    }

    /// The same of one that is there.
    pub(super) fn find(&self, path: &[u8]) -> Option<NodeId> {
        match self.walk(ROOT, path, &mut 0) {
            End::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    fn walk(&self, from: NodeId, path: &[u8], links: &mut u32) -> End {
        let mut at = if path.first() == Some(&b'/') { ROOT } else { from };
        for name in path.split(|byte| *byte == b'/') {
            match (name, &self.get(at).kind) {
                (b"" | b".", _) => {}
                (b"..", NodeKind::Folder { parent, .. }) => at = *parent,
                _ => match self.step(at, name, links) {
                    End::Folder(folder) => at = folder,
                    other => return other,
                },
            }
        }
        End::Folder(at)
    }

    fn step(&self, folder: NodeId, name: &[u8], links: &mut u32) -> End {
        let Some(id) = self.child(folder, name) else { return End::Nothing };
        match &self.get(id).kind {
            NodeKind::Folder { .. } => End::Folder(id),
            NodeKind::Symlink(target) => {
                *links += 1;
                if *links > MAX_LINKS { End::Wrong("too many links") } else { self.walk(folder, target, links) }
            }
            _ => End::Wrong("through a file"),
        }
    }
}
