//! What a container would see of some layers, found without mounting them.

use super::member::Path as Inside;
use super::pack::names;
use super::whiteout::is_opaque;
use crate::error::{IoContext, Result};
use crate::sys::xattr;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

/// Layers over each other, as overlayfs lays them.
pub struct View {
    layers: Vec<PathBuf>,
}

/// Something in it.
pub struct Seen {
    /// Where it is in its layer.
    pub host: PathBuf,
    /// What it is.
    pub metadata: Metadata,
}

impl View {
    /// Layers, the topmost first.
    pub fn new(layers: Vec<PathBuf>) -> Self {
        Self { layers }
    }

    /// What has this path. Links are not followed: a path through one has nothing.
    pub fn look(&self, path: &Inside) -> Result<Option<Seen>> {
        // The folders that are merged at the path so far.
        let mut merged = self.layers.clone();
        let mut components = path.as_bytes().split(|byte| *byte == b'/').filter(|name| !name.is_empty()).peekable();
        while let Some(name) = components.next() {
            let (top, below) = step(&merged, OsStr::from_bytes(name))?;
            match top {
                None => return Ok(None),
                found if components.peek().is_none() => return Ok(found),
                Some(found) if !found.metadata.is_dir() => return Ok(None),
                Some(_) => merged = below,
            }
        }
        self.root()
    }

    /// The folders that are merged at a path, the topmost first; none when there is no folder.
    pub fn merged(&self, path: &Inside) -> Result<Vec<PathBuf>> {
        let mut merged = self.layers.clone();
        for name in path.as_bytes().split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            merged = step(&merged, OsStr::from_bytes(name))?.1;
        }
        Ok(merged)
    }

    /// What is in the folder at a path, whiteouts left out; nothing when there is none.
    pub fn names(&self, path: &Inside) -> Result<BTreeSet<Vec<u8>>> {
        let merged = self.merged(path)?;
        let mut found = BTreeSet::new();
        for folder in &merged {
            for name in names(folder)? {
                if !found.contains(name.as_bytes()) && step(&merged, &name)?.0.is_some() {
                    found.insert(name.into_vec());
                }
            }
        }
        Ok(found)
    }

    fn root(&self) -> Result<Option<Seen>> {
        let Some(top) = self.layers.first() else { return Ok(None) };
        let metadata = fs::metadata(top).doing(|| format!("cannot look at `{}`", top.display()))?;
        Ok(Some(Seen { host: top.clone(), metadata }))
    }
}

/// What the topmost folder has under a name, and, for a folder, all that are merged into it.
fn step(merged: &[PathBuf], name: &OsStr) -> Result<(Option<Seen>, Vec<PathBuf>)> {
    let mut top: Option<Seen> = None;
    let mut below = Vec::new();
    for folder in merged {
        let host = folder.join(name);
        let doing = || format!("cannot look at `{}`", host.display());
        let metadata = match host.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.doing(doing)?,
        };
        // A whiteout, and what is no folder below one, ends the search; neither shows below a folder.
        if metadata.file_type().is_char_device() && metadata.rdev() == 0 {
            break;
        }
        if !metadata.is_dir() {
            return Ok((Some(top.unwrap_or(Seen { host, metadata })), below));
        }
        let attributes = match xattr::list(&host) {
            Err(error) if xattr::is_unsupported(&error) => Vec::new(),
            other => other.doing(doing)?,
        };
        below.push(host.clone());
        top.get_or_insert(Seen { host, metadata });
        if is_opaque(&attributes) {
            break;
        }
    }
    Ok((top, below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::whiteout::OPAQUE_XATTR;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn upper_layers_hide_what_they_replace_white_out_or_make_opaque() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let layer = |name: &str, files: &[&str]| {
            let root = dir.path().join(name);
            fs::create_dir(&root).unwrap();
            for file in files {
                fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
                fs::write(root.join(file), name).unwrap();
            }
            root
        };
        let low = layer("low", &["both", "gone/x", "merged/low", "opaque/low", "deep/er/low", "was-dir/low"]);
        let mid = layer("mid", &["merged/mid", "opaque/mid", "was-dir"]);
        let up = layer("up", &["both", "merged/up", "gone-too"]);
        nix::sys::stat::mknod(&mid.join("gone"), nix::sys::stat::SFlag::S_IFCHR, nix::sys::stat::Mode::empty(), 0)
            .unwrap();
        xattr::set_at(File::open(mid.join("opaque")).unwrap().as_fd(), c"", OPAQUE_XATTR, b"y").unwrap();
        let view = View::new(vec![up, mid, low]);
        for (path, layer) in [
            ("both", Some("up")),
            ("merged", Some("up")),
            ("merged/low", Some("low")),
            ("merged/mid", Some("mid")),
            ("opaque/mid", Some("mid")),
            ("opaque/low", None),
            ("gone", None),
            ("gone/x", None),
            ("deep/er/low", Some("low")),
            ("was-dir", Some("mid")),
            ("was-dir/low", None),
            ("nothing", None),
            ("", Some("up")),
        ] {
            let seen = view.look(&Inside::parse(path.as_bytes()).unwrap()).unwrap();
            let found = seen.map(|seen| seen.host.strip_prefix(dir.path()).unwrap().iter().next().unwrap().to_owned());
            assert_eq!(found.as_deref(), layer.map(OsStr::new), "{path}");
        }
    }
}
