//! A walk over a folder of this machine, which may hold very many files: without those that patterns leave out, which are not even looked
//! at, and on several processors.

use super::Item;
use crate::archive::member::Path as Inside;
use crate::build::tree::{Entry, components};
use crate::context::Context;
use crate::dockerfile::ignore::{Ignore, State};
use crate::error::{Error, ErrorKind, IoContext, Result};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// So many folders in one are worth several threads.
const MANY: usize = 16;

/// A folder to be walked.
pub struct Folder<'a> {
    /// Where it is on this machine.
    pub host: PathBuf,
    /// Its path in the tree.
    pub real: Inside,
    /// Its path below what was named.
    pub path: Inside,
    pub place: Place<'a>,
}

/// What patterns say of a folder, so that what is in it need not ask for all folders above.
pub struct Place<'a> {
    ignore: Option<(&'a Ignore, State)>,
    exclude: Option<(&'a Ignore, State)>,
}

/// What patterns say of something in a folder.
#[derive(PartialEq)]
enum Verdict {
    Kept,
    LeftOut,
    /// A folder that is left out, and may hold something that is kept.
    Only,
}

/// Something in a folder that is kept.
struct Child<'a> {
    item: Item,
    /// What it is, when it is a folder.
    folder: Option<Folder<'a>>,
    /// It is there for what is in it alone.
    only: bool,
}

/// Adds what is in a folder, in the order of bytes, each folder before what is in it.
pub fn walk(folder: &Folder<'_>, items: &mut Vec<Item>, cx: &Context) -> Result<()> {
    walk_with(folder, items, true, cx)
}

fn walk_with(folder: &Folder<'_>, items: &mut Vec<Item>, may_fork: bool, cx: &Context) -> Result<()> {
    let children = children(folder, cx)?;
    let folders = children.iter().filter(|child| child.folder.is_some()).count();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if may_fork && folders >= MANY && threads > 1 {
        return forked(children, items, threads, cx);
    }
    for child in children {
        let (at, only) = (items.len(), child.only);
        items.push(child.item);
        if let Some(folder) = child.folder {
            walk_with(&folder, items, may_fork, cx)?;
            if only && items.len() == at + 1 {
                items.pop();
            }
        }
    }
    Ok(())
}

/// The same by several threads, which take one folder after another.
fn forked(children: Vec<Child<'_>>, items: &mut Vec<Item>, threads: usize, cx: &Context) -> Result<()> {
    let found: Vec<Mutex<Vec<Item>>> = children.iter().map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(child) = children.get(index) else { return Ok(()) };
            let Some(folder) = &child.folder else { continue };
            let mut below = Vec::new();
            walk_with(folder, &mut below, false, cx)?;
            *found[index].lock().unwrap_or_else(PoisonError::into_inner) = below;
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        others.into_iter().fold(own, |result, other| {
            let ended = || Err(Error::new(ErrorKind::Io, "a thread that looked at files ended"));
            result.and(other.join().unwrap_or_else(|_| ended()))
        })
    })?;
    for (child, below) in children.into_iter().zip(found) {
        let below = below.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !(child.only && below.is_empty()) {
            items.push(child.item);
            items.extend(below);
        }
    }
    Ok(())
}

fn children<'a>(folder: &Folder<'a>, cx: &Context) -> Result<Vec<Child<'a>>> {
    cx.check()?;
    let doing = || format!("cannot read `{}`", folder.host.display());
    let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    let mut entries: Vec<(OsString, fs::DirEntry)> = Vec::new();
    for entry in fs::read_dir(&folder.host).doing(doing)? {
        let entry = entry.doing(doing)?;
        entries.push((entry.file_name(), entry));
    }
    entries.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
    let mut children = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        let path = folder.path.join(name.as_bytes());
        let is_folder = match entry.file_type() {
            Err(error) if gone(&error) => continue,
            kind => kind.doing(doing)?.is_dir(),
        };
        let place = &folder.place;
        // Most files have no patterns to ask.
        let real =
            if is_folder || place.ignore.is_some() { folder.real.join(name.as_bytes()) } else { Inside::default() };
        let (ignored, ignore) = verdict(place.ignore.as_ref(), &real, is_folder);
        let (excluded, exclude) = verdict(place.exclude.as_ref(), &path, is_folder);
        if ignored == Verdict::LeftOut || excluded == Verdict::LeftOut {
            continue;
        }
        // Relative to the open folder: no path is walked for it.
        let metadata = match entry.metadata() {
            Err(error) if gone(&error) => continue,
            metadata => metadata.doing(doing)?,
        };
        let host = folder.host.join(name);
        let below = is_folder.then(|| Folder {
            host: host.clone(),
            real,
            path: path.clone(),
            place: Place {
                ignore: place.ignore.as_ref().map(|(patterns, _)| *patterns).zip(ignore),
                exclude: place.exclude.as_ref().map(|(patterns, _)| *patterns).zip(exclude),
            },
        });
        children.push(Child {
            item: Item::new(path, Entry { host, metadata }),
            folder: below,
            only: ignored == Verdict::Only || excluded == Verdict::Only,
        });
    }
    Ok(children)
}

impl<'a> Place<'a> {
    /// Of a folder with this path in its tree; `exclude` is about paths below it.
    pub fn new(ignore: Option<&'a Ignore>, exclude: Option<&'a Ignore>, real: &Inside) -> Self {
        Self {
            ignore: ignore.map(|ignore| (ignore, state(ignore, real))),
            exclude: exclude.map(|exclude| (exclude, exclude.root())),
        }
    }
}

/// What the patterns of an ignore file say of a folder.
fn state(ignore: &Ignore, folder: &Inside) -> State {
    let mut path = Inside::default();
    components(folder.as_bytes()).fold(ignore.root(), |state, name| {
        path = path.join(&name);
        ignore.child(&state, path.as_bytes())
    })
}

fn verdict(place: Option<&(&Ignore, State)>, path: &Inside, is_folder: bool) -> (Verdict, Option<State>) {
    let Some((ignore, above)) = place else { return (Verdict::Kept, None) };
    if !is_folder {
        let left_out = ignore.leaf_is_ignored(above, path.as_bytes());
        return (if left_out { Verdict::LeftOut } else { Verdict::Kept }, None);
    }
    let state = ignore.child(above, path.as_bytes());
    let verdict = match state.ignored {
        false => Verdict::Kept,
        true if ignore.may_hold_exceptions(path.as_bytes()) => Verdict::Only,
        true => Verdict::LeftOut,
    };
    (verdict, Some(state))
}
