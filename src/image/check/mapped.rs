//! Copies of layers for other ids whose files are not those of the layer: they are made again when a container needs them.

use super::Check;
use crate::archive::differs_from_mapped;
use crate::error::{Error, Result};
use crate::model::Damage;
use crate::sys::node::Node;
use std::fs::File;
use std::path::Path;

impl Check<'_> {
    pub(super) fn mapped_layers(&mut self) -> Result<()> {
        for copy in self.store.mapped_layers()? {
            self.cx.check()?;
            let detail = match (copy.maps(), copy.original()) {
                (Some(maps), Some(original)) => match (open(&original), open(&copy.folder)) {
                    (Ok(original), Ok(files)) => differs_from_mapped(&original, &files, &maps, self.cx)?,
                    // Removed meanwhile, or told as a layer.
                    _ => None,
                },
                _ => Some("nobody knows for which ids it is".to_owned()),
            };
            let Some(detail) = detail.filter(|_| copy.folder.is_dir()) else { continue };
            self.found(Damage::LayerDamaged, copy.name(), detail, "make it again when it is needed", |check| {
                // The next start makes it again; but not under one that has it mounted.
                let gone = check.store.discard_mapped(&copy)?;
                if gone { Ok(()) } else { Err(Error::conflict("a container has it: remove that first")) }
            })?;
        }
        Ok(())
    }
}

fn open(folder: &Path) -> nix::Result<Node> {
    Node::of(File::open(folder).map_err(|_| nix::errno::Errno::ENOENT)?.into())
}
