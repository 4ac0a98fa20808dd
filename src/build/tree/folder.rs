//! A folder of this machine as files to copy from: a build context.

use super::Entry;
use crate::archive::member::Path as Inside;
use crate::archive::names;
use crate::dockerfile::ignore::Ignore;
use crate::error::{IoContext, Result};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A folder, without what its ignore file names.
pub struct FolderTree {
    root: PathBuf,
    ignore: Option<Ignore>,
}

impl FolderTree {
    /// The folder with this absolute path, whatever is in it.
    pub fn new(root: PathBuf) -> Self {
        Self { root, ignore: None }
    }

    /// The same without what `ignore` names.
    pub fn without(root: PathBuf, ignore: Ignore) -> Self {
        Self { root, ignore: Some(ignore).filter(|ignore| !ignore.is_empty()) }
    }

    /// Its path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is left out.
    pub fn ignore(&self) -> Option<&Ignore> {
        self.ignore.as_ref()
    }

    /// Where a path is on this machine.
    pub fn host(&self, path: &Inside) -> PathBuf {
        if path.as_bytes().is_empty() { self.root.clone() } else { self.root.join(OsStr::from_bytes(path.as_bytes())) }
    }

    /// What has this path, also when it is left out. Folders on the way are real ones: the caller has followed the links.
    pub fn entry_of_all(&self, path: &Inside) -> Result<Option<Entry>> {
        let host = self.host(path);
        match host.symlink_metadata() {
            Ok(metadata) => Ok(Some(Entry { host, metadata })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error).doing(|| format!("cannot look at `{}`", host.display())),
        }
    }

    pub(super) fn entry(&self, path: &Inside) -> Result<Option<Entry>> {
        let Some(entry) = self.entry_of_all(path)? else { return Ok(None) };
        let Some(ignore) = &self.ignore else { return Ok(Some(entry)) };
        let hidden = ignore.is_ignored(path.as_bytes())
            && !(entry.metadata.is_dir() && ignore.may_hold_exceptions(path.as_bytes()));
        Ok(Some(entry).filter(|_| path.as_bytes().is_empty() || !hidden))
    }

    pub(super) fn names(&self, path: &Inside) -> Result<Vec<Vec<u8>>> {
        let all = names(&self.host(path))?.into_iter().map(OsStringExt::into_vec);
        let Some(ignore) = &self.ignore else { return Ok(all.collect()) };
        Ok(all
            .filter(|name| {
                let path = path.join(name);
                !ignore.is_ignored(path.as_bytes()) || ignore.may_hold_exceptions(path.as_bytes())
            })
            .collect())
    }
}
