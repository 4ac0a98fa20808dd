//! How new layers are kept: as their tar with an index, where this machine can mount that, or unpacked.

use crate::archive::member::Member;
use crate::archive::{Limits, TarWriter, erofs};
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::runtime::overlay::Overlay;
use crate::store::Content;
use crate::store::rusqlite::OptionalExtension;
use crate::sys;
use crate::sys::mount::MountAttrs;
use nix::sched::{CloneFlags, unshare};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

/// How a new layer is kept. A store may hold both forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewLayerForm {
    /// Unpacked.
    Folder,
    /// Its tar, with an EROFS index over it: much faster to make and to remove.
    Indexed,
}

/// The setting that overrides what was found out: `folder` or `erofs`.
const SETTING: &str = "SHANTY_LAYERS";
/// What was found out, and on which kernel.
const META_KEY: &str = "layer_form";
/// What the file of the trial holds.
const TEXT: &[u8] = b"shanty";

impl NewLayerForm {
    /// The setting, or what this machine can: tried once, and again on another kernel.
    ///
    /// # Errors
    /// `invalid` for another value of the setting, `unsupported` when it asks for what this machine cannot.
    pub fn of(content: &Content<'_>) -> Result<Self> {
        match std::env::var(SETTING).as_deref() {
            Err(_) | Ok("" | "auto") => Self::known(content),
            Ok("folder") => Ok(Self::Folder),
            Ok("erofs") => match try_out(content) {
                Ok(()) => Ok(Self::Indexed),
                Err(error) => Err(error.hint(format!("leave `{SETTING}` out: layers are then unpacked"))),
            },
            Ok(other) => Err(Error::invalid(format!("`{SETTING}={other}` is no form of layers"))
                .hint("it takes `auto`, `erofs` and `folder`")),
        }
    }

    /// Whether the setting says it.
    pub fn is_chosen() -> bool {
        std::env::var(SETTING).is_ok_and(|value| !["", "auto"].contains(&value.as_str()))
    }

    fn known(content: &Content<'_>) -> Result<Self> {
        let kernel =
            fs::read_to_string("/proc/sys/kernel/osrelease").doing(|| "cannot ask for the kernel's version")?;
        let value = |form: &str| format!("{} {form}", kernel.trim());
        let store = content.store();
        let known: Option<String> = store.read(|db| {
            let query = "SELECT value FROM meta WHERE key = ?1";
            Ok(db.query_row(query, [META_KEY], |row| row.get(0)).optional()?)
        })?;
        if let Some(form) = [Self::Indexed, Self::Folder].into_iter().find(|form| known == Some(value(form.name()))) {
            return Ok(form);
        }
        let form = match try_out(content) {
            Ok(()) => Self::Indexed,
            Err(error) => {
                tracing::info!(%error, "layers are unpacked");
                Self::Folder
            }
        };
        store.write(|tx| {
            tx.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", [META_KEY, &value(form.name())])?;
            Ok(())
        })?;
        Ok(form)
    }

    /// As the setting has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Indexed => "erofs",
        }
    }
}

/// Mounts a small index where layers are kept, and an overlay over it, and reads what is in it.
fn try_out(content: &Content<'_>) -> Result<()> {
    let scratch = content.scratch()?;
    let folder = scratch.path().to_owned();
    // In a mount namespace of its own, which goes with the thread: nothing stays mounted, whatever happens.
    let thread = std::thread::Builder::new().name("probe".to_owned()).spawn(move || probe(&folder));
    let result = thread.doing(|| "cannot start a thread")?.join();
    let result = result.unwrap_or_else(|_| Err(Error::new(ErrorKind::Io, "a thread ended early")));
    result.map_err(|error| {
        Error::unsupported(format!("this machine cannot mount layers without unpacking them: {}", error.message()))
    })
}

fn probe(folder: &Path) -> Result<()> {
    let doing = || format!("cannot write in `{}`", folder.display());
    let [tar, index, lower, second] = ["tar", "index", "lower", "second"].map(|name| folder.join(name));
    for folder in [&lower, &second] {
        fs::create_dir(folder).doing(doing)?;
    }
    let mut archive = TarWriter::new(Vec::new());
    archive.add(&Member::file(b"probe", TEXT.len() as u64), TEXT).doing(doing)?;
    let archive = archive.finish().doing(doing)?;
    let kept = File::create(&tar).doing(doing)?;
    let (_, made) = erofs::keep(&archive[..], &kept, &Limits::default(), &Context::background())?;
    let made = made.ok_or_else(|| Error::unsupported("an index could not be made"))?;
    made.write([1; 16], File::create(&index).doing(doing)?).doing(doing)?;

    unshare(CloneFlags::CLONE_NEWNS).doing(|| "cannot make a mount namespace")?;
    sys::mount::make_root_private().doing(|| "cannot cut the mount namespace off")?;
    let tree = sys::erofs::mount(&index, &tar)
        .map_err(|(errno, message)| Error::unsupported(format!("{} {message}", errno.desc()).trim().to_owned()))?;
    let place = File::open(&lower).doing(doing)?;
    sys::mount::attach(tree, place).doing(|| "cannot mount an index")?;
    let merged =
        Overlay { lower: &[lower, second], upper: None, volatile: false }.mount(MountAttrs::READ_ONLY, None)?;
    let file = format!("/proc/self/fd/{}/probe", merged.as_raw_fd());
    let read = fs::read(file).doing(|| "cannot read through an index")?;
    if read == TEXT { Ok(()) } else { Err(Error::corrupt("other bytes are read through an index")) }
}
