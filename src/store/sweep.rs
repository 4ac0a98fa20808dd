//! Garbage: what no row refers to, and what dead processes left half done.

use super::{Store, layout, mounts};
use crate::error::{IoContext, Result};
use crate::model::Id;
use crate::sys::process;
use rusqlite::Transaction;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What a sweep took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Somebody adds content now, so that nothing was swept. The next sweep will.
    pub busy: bool,
    /// Blobs.
    pub blobs: usize,
    /// Layers.
    pub layers: usize,
    /// Downloads and layers that were left half done.
    pub partial: usize,
}

/// How long a broken download is kept to be resumed.
const KEEP_PARTIAL: Duration = Duration::from_secs(24 * 60 * 60);
/// How often [`Store::sweep_daily`] sweeps.
const SWEEP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

impl Store {
    /// Takes away blobs and layers that belong to no image, and what dead processes left half done.
    /// Does nothing while another process adds content.
    pub fn sweep(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        match self.try_exclude_content()? {
            Some(_alone) => {
                self.release_held_layers()?;
                self.forget_steps_of_earlier_boots()?;
                self.delete_unused_layers()?;
                let (blobs, layers) = self.referenced()?;
                swept.blobs = self.move_out(layout::BLOBS, |name, _| !blobs.contains(name))?;
                swept.layers = self
                    .move_out(layout::LAYERS, |name, _| name != "tmp" && !layers.contains(name) && self.let_go(name))?;
                swept.partial = self.move_out(layout::PARTIAL_LAYERS, |_, _| true)?
                    + self.move_out(layout::PARTIAL_BLOBS, |name, age| !is_resumable(name) || age > KEEP_PARTIAL)?;
                self.write(|tx| {
                    tx.execute("DELETE FROM garbage", [])?;
                    note_sweep(tx)
                })?;
            }
            None => swept.busy = true,
        }
        self.empty_trash();
        Ok(swept)
    }

    /// [`Self::sweep`] when the last one was a day ago: a pull that failed, or a load, may have left files that no row knows. Takes
    /// the lock only when there is something to sweep, so that nobody who adds content waits for a large store to be listed.
    pub fn sweep_daily(&self) -> Result<()> {
        if !self.sweep_is_due()? {
            return Ok(());
        }
        if self.unreferenced()?.is_empty()
            && !self.has_any(layout::PARTIAL_BLOBS, |_| true)
            && !self.has_partial_content()
        {
            return self.write(note_sweep);
        }
        self.sweep().map(drop)
    }

    /// Whether the last sweep was a day ago.
    pub fn sweep_is_due(&self) -> Result<bool> {
        // A time that is still to come was written by a clock that was wrong.
        let sql = "SELECT 1 FROM meta WHERE key = 'swept' AND unixepoch() - value BETWEEN 0 AND ?1";
        let seconds = SWEEP_AFTER.as_secs() as i64;
        Ok(!self.read(|db| Ok(db.prepare_cached(sql)?.exists([seconds])?))?)
    }

    /// Unmounts a layer that is going to be removed. A mount that stays keeps the space of its files.
    pub(super) fn let_go(&self, digits: &str) -> bool {
        if let Err(error) = mounts::unmount(&self.layer_mount(digits)) {
            tracing::warn!(%error, "a removed layer stays mounted");
        }
        true
    }

    /// On the disk before the files go: else a power loss could bring the rows back alone. (The rows of images
    /// are always deleted so.)
    fn delete_unused_layers(&self) -> Result<()> {
        const UNUSED: &str = "FROM layers WHERE chain_id NOT IN (SELECT chain_id FROM image_layers)
                              AND chain_id NOT IN (SELECT chain_id FROM held_layers)
                              AND chain_id NOT IN (SELECT chain_id FROM build_cache WHERE chain_id IS NOT NULL)";
        let any = self.read(|db| Ok(db.prepare(&format!("SELECT 1 {UNUSED}"))?.exists([])?))?;
        if any {
            self.write_durable(|tx| Ok(tx.execute(&format!("DELETE {UNUSED}"), [])?))?;
        }
        Ok(())
    }

    /// Digits of the blobs and layers that rows refer to.
    pub(super) fn referenced(&self) -> Result<(HashSet<String>, HashSet<String>)> {
        let collect = |sql: &str| {
            self.read(|db| {
                let mut statement = db.prepare(sql)?;
                let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
                let mut digits = HashSet::new();
                for digest in rows {
                    digits.insert(digest?.trim_start_matches("sha256:").to_owned());
                }
                Ok(digits)
            })
        };
        let blobs = collect(
            "SELECT id FROM images UNION SELECT manifest FROM images UNION SELECT blob FROM image_layers \
             UNION SELECT blob FROM build_cache WHERE blob IS NOT NULL",
        )?;
        let layers = "SELECT chain_id FROM layers UNION SELECT chain_id FROM build_cache WHERE chain_id IS NOT NULL";
        Ok((blobs, collect(layers)?))
    }

    /// What builds that did not end remembered, and a power loss may have torn.
    fn forget_steps_of_earlier_boots(&self) -> Result<()> {
        let boot_id = process::boot_id()?;
        let any = "SELECT 1 FROM build_cache WHERE boot_id <> ?1";
        if self.read(|db| Ok(db.prepare(any)?.exists([&boot_id])?))? {
            self.write(|tx| Ok(tx.execute("DELETE FROM build_cache WHERE boot_id <> ?1", [&boot_id]).map(drop)?))?;
        }
        Ok(())
    }

    /// Whether a killed process has left a layer or a new blob half done, or something in the trash. Cheap: looks at folders
    /// that are empty as a rule.
    pub fn has_partial_content(&self) -> bool {
        self.has_any(layout::PARTIAL_LAYERS, |_| true)
            || self.has_any(layout::TRASH, |_| true)
            || self.has_any(layout::PARTIAL_BLOBS, |name| !is_resumable(name))
    }

    fn has_any(&self, folder: &str, counts: fn(&str) -> bool) -> bool {
        let mut entries = fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten();
        entries.any(|entry| counts(&entry.file_name().to_string_lossy()))
    }

    /// Takes a folder of the root away: out of sight at once, deleted by the next [`Self::empty_trash`].
    /// Succeeds when it is gone already.
    pub fn discard(&self, path: &Path) -> Result<()> {
        match fs::rename(path, self.trash_name()?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // Somebody has mounted a disk for volumes: its trash is on it.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let gone = path.with_file_name(format!("{GONE}{}", Id::random()?.short()));
                match fs::rename(path, gone) {
                    // Said only now: that the disks differ is seen first.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    renamed => renamed.doing(|| format!("cannot remove `{}`", path.display())),
                }
            }
            renamed => renamed.doing(|| format!("cannot remove `{}`", path.display())),
        }
    }

    pub(super) fn trash_name(&self) -> Result<PathBuf> {
        name_in(&self.root.join(layout::TRASH))
    }

    /// Renames what `unwanted` says (by name and age) from a folder of the root into the trash.
    fn move_out(&self, folder: &str, unwanted: impl Fn(&str, Duration) -> bool) -> Result<usize> {
        let from = self.root.join(folder);
        let doing = || format!("cannot clean `{}`", from.display());
        let mut moved = 0;
        for entry in fs::read_dir(&from).doing(doing)? {
            let entry = entry.doing(doing)?;
            let age = entry.metadata().and_then(|metadata| metadata.modified()).map_or(Duration::ZERO, age);
            if unwanted(&entry.file_name().to_string_lossy(), age) {
                fs::rename(entry.path(), self.trash_name()?).doing(doing)?;
                moved += 1;
            }
        }
        Ok(moved)
    }

    /// Deletes what was moved out by anybody. Several may do this at once; what one misses the next takes.
    pub fn empty_trash(&self) {
        let Ok(entries) = fs::read_dir(self.root.join(layout::TRASH)) else { return };
        for entry in entries.flatten() {
            remove(&entry.path());
        }
        let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
        let volumes = self.volume_dir("");
        if !matches!((device(&self.root), device(&volumes)), (Ok(root), Ok(volumes)) if root != volumes) {
            return;
        }
        for entry in fs::read_dir(volumes).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(GONE) {
                remove(&entry.path());
            }
        }
    }
}

/// What is to be deleted where it is, because the trash is on another disk. No thing may have a name that starts with a dot.
const GONE: &str = ".gone-";

fn note_sweep(tx: &Transaction<'_>) -> Result<()> {
    tx.execute("INSERT OR REPLACE INTO meta VALUES ('swept', unixepoch())", [])?;
    Ok(())
}

/// Whether a half-written blob has the name of its digest: the next pull goes on with it.
fn is_resumable(name: &str) -> bool {
    name.len() == 64
}

/// A name in the trash that nobody else has.
pub(super) fn name_in(trash: &Path) -> Result<PathBuf> {
    Ok(trash.join(Id::random()?.short()))
}

/// Blobs are files, layers and containers are folders.
pub(super) fn remove(path: &Path) {
    let removed = match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::remove_file(path),
        other => other,
    };
    if let Err(error) = removed {
        tracing::debug!(path = %path.display(), %error, "left in the trash");
    }
}

fn age(modified: SystemTime) -> Duration {
    SystemTime::now().duration_since(modified).unwrap_or_default()
}
