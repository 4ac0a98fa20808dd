//! Copies of layers for user namespaces whose ids no mount can show: beside the layer, so that they go with it.

use super::{Content, Store, folder_size, layers, layout};
use crate::context::CancelToken;
use crate::error::{Error, IoContext, Result};
use crate::model::{Digest, IdMaps};
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// In the folder of a layer: its copies, by the digits of their maps.
const MAPS: &str = "maps";
/// In the folder of a copy, beside its files: the maps.
const NOTE: &str = "maps.json";
/// Digits that tell maps from others.
const KEY: usize = 16;

/// A copy of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedLayer {
    /// Its files.
    pub folder: PathBuf,
    /// Bytes of them.
    pub bytes: u64,
    /// When it was made.
    pub created: Option<jiff::Timestamp>,
    /// Ids of the containers that have it.
    pub containers: Vec<String>,
}

impl MappedLayer {
    /// Which one it is: digits of the layer and of the maps.
    pub fn name(&self) -> String {
        let part = |path: Option<&Path>| {
            path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let home = self.folder.parent();
        let layer = home.and_then(Path::parent).and_then(Path::parent);
        format!("sha256:{}/{}", part(layer), part(home))
    }

    /// The maps that it was made for; `None` when that cannot be read.
    pub fn maps(&self) -> Option<IdMaps> {
        serde_json::from_slice(&fs::read(self.folder.with_file_name(NOTE)).ok()?).ok()
    }

    /// The layer that it is a copy of.
    pub fn original(&self) -> Option<PathBuf> {
        Some(self.folder.parent()?.parent()?.parent()?.join(layers::FILES))
    }
}

impl Store {
    /// Where the copy of a layer is, or would be; `layer` as [`super::Layer::folder`] gives it.
    ///
    /// # Errors
    /// `unsupported` for one that is not unpacked.
    pub fn mapped_layer(&self, layer: &Path, maps: &IdMaps) -> Result<PathBuf> {
        let home = layer.parent().filter(|home| home.parent() == Some(&self.root.join(layout::LAYERS)));
        match home {
            Some(home) => Ok(home.join(MAPS).join(key(maps)?).join(layers::FILES)),
            None => Err(Error::unsupported(format!("the layer `{}` is not unpacked", layer.display()))
                .hint("pull the image again without `SHANTY_LAYERS`")),
        }
    }

    /// All copies that there are.
    pub fn mapped_layers(&self) -> Result<Vec<MappedLayer>> {
        let of = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let layers: Vec<PathBuf> = of(self.root.join(layout::LAYERS)).map(|home| home.join(MAPS)).collect();
        let folders: Vec<PathBuf> = layers.into_iter().flat_map(of).map(|copy| copy.join(layers::FILES)).collect();
        if folders.is_empty() {
            return Ok(Vec::new());
        }
        let used = self.uses_of_mapped()?;
        let mapped = |folder: PathBuf| {
            let name = folder.to_string_lossy();
            MappedLayer {
                containers: used.iter().filter(|(_, used)| *used == name).map(|(id, _)| id.clone()).collect(),
                bytes: folder_size(&folder),
                created: fs::metadata(folder.with_file_name(NOTE))
                    .and_then(|note| note.modified())
                    .ok()
                    .and_then(|time| time.try_into().ok()),
                folder,
            }
        };
        Ok(folders.into_iter().map(mapped).collect())
    }

    /// Takes away a copy that no container has; `false` when one has it, or somebody adds content.
    pub fn discard_mapped(&self, copy: &MappedLayer) -> Result<bool> {
        let Some(_alone) = self.try_exclude_content()? else { return Ok(false) };
        let used: HashSet<String> = self.uses_of_mapped()?.into_iter().map(|(_, folder)| folder).collect();
        if used.contains(&*copy.folder.to_string_lossy()) {
            return Ok(false);
        }
        let home = copy.folder.parent().unwrap_or(&copy.folder);
        self.discard(home).map(|()| true)
    }

    /// Containers and the copies that they have.
    fn uses_of_mapped(&self) -> Result<Vec<(String, String)>> {
        self.read(|db| {
            let mut statement =
                db.prepare("SELECT containers.id, value FROM containers, json_each(plan, '$.mapped.layers')")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

impl Content<'_> {
    /// Makes the copy `mapped` (see [`Store::mapped_layer`]) unless it is there: `copy` fills a folder. Waits while somebody else makes
    /// the same one. The row of a container has it already, so that it stays.
    pub fn map_layer(
        &self,
        mapped: &Path,
        maps: &IdMaps,
        cancel: &CancelToken,
        copy: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        if mapped.is_dir() {
            return Ok(());
        }
        let doing = || format!("cannot make `{}`", mapped.display());
        let Some((home, all)) = mapped.parent().and_then(|home| Some((home, home.parent()?))) else {
            return Err(Error::invalid(doing()));
        };
        let digest = Digest::from_sha256(&Sha256::digest(mapped.as_os_str().as_encoded_bytes()));
        let _claim = self.claim(digest.hex(), cancel)?;
        if mapped.is_dir() {
            return Ok(());
        }
        let scratch = self.scratch()?;
        let draft = scratch.path().join("copy");
        let files = draft.join(layers::FILES);
        DirBuilder::new().recursive(true).mode(0o755).create(&files).doing(doing)?;
        copy(&files)?;
        let note = serde_json::to_vec(maps).map_err(|error| Error::invalid(error.to_string()))?;
        fs::write(draft.join(NOTE), note).doing(doing)?;
        // One that has its name is whole, after a loss of power too.
        let folder = File::open(&draft).doing(doing)?;
        nix::unistd::syncfs(folder).doing(doing)?;
        DirBuilder::new().recursive(true).mode(0o700).create(all).doing(doing)?;
        fs::rename(&draft, home).doing(doing)
    }
}

fn key(maps: &IdMaps) -> Result<String> {
    let text = serde_json::to_vec(maps).map_err(|error| Error::invalid(error.to_string()))?;
    Ok(Digest::from_sha256(&Sha256::digest(text)).hex().chars().take(KEY).collect())
}
