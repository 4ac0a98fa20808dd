//! Files that belong to nothing.

use super::{Store, layout};
use crate::error::{IoContext, Result};
use std::fs;

/// A blob or layer that no row refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Whether it is a layer.
    pub is_layer: bool,
    /// Digits of its digest or chain id.
    pub name: String,
}

impl Store {
    /// What [`Store::sweep`] would take away; `None` while another process adds content, whose rows are still to come.
    pub fn orphans(&self) -> Result<Option<Vec<Orphan>>> {
        let Some(_alone) = self.try_exclude_content()? else { return Ok(None) };
        self.unreferenced().map(Some)
    }

    /// Files without rows; what another process adds now may be among them.
    pub(super) fn unreferenced(&self) -> Result<Vec<Orphan>> {
        let (blobs, layers) = self.referenced()?;
        let mut orphans = Vec::new();
        for (folder, is_layer, known) in [(layout::BLOBS, false, blobs), (layout::LAYERS, true, layers)] {
            let path = self.root.join(folder);
            let doing = || format!("cannot list `{}`", path.display());
            for entry in fs::read_dir(&path).doing(doing)? {
                let name = entry.doing(doing)?.file_name().to_string_lossy().into_owned();
                if !(known.contains(&name) || is_layer && name == "tmp") {
                    orphans.push(Orphan { is_layer, name });
                }
            }
        }
        orphans.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(orphans)
    }
}
