//! Mounts of the type `overlay` in a bundle: several folders, or a part of what they are together.

use super::overlay::Overlay;
use super::rootfs::{Missing, Root, is_kind};
use super::subpath;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::sys::mount::{MountAttrs, Propagation, attach, clone_tree, set_attributes};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, umount2};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The folders of an overlay, as its options have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    lower: Vec<PathBuf>,
    upper: Option<PathBuf>,
    work: Option<PathBuf>,
    volatile: bool,
}

impl Folders {
    /// Reads `lowerdir=A:B`, `upperdir=`, `workdir=` and `volatile`, in which `\` takes its meaning from a colon; `None` when there is
    /// any other option: that is for the kernel.
    pub fn of(options: &[String]) -> Option<Self> {
        let mut folders = Self::default();
        for option in options {
            if option == "volatile" {
                folders.volatile = true;
                continue;
            }
            match option.split_once('=')? {
                ("lowerdir", list) => folders.lower = split(list),
                ("upperdir", path) => folders.upper = Some(PathBuf::from(path)),
                ("workdir", path) => folders.work = Some(PathBuf::from(path)),
                _ => return None,
            }
        }
        (!folders.lower.is_empty() && folders.upper.is_some() == folders.work.is_some()).then_some(folders)
    }

    /// The options that [`Self::of`] reads, for changes that need not last a power loss.
    pub fn options(lower: &[PathBuf], changes: Option<(&Path, &Path)>) -> Vec<String> {
        let lower: Vec<_> = lower.iter().map(|path| escaped(path)).collect();
        let mut options = vec![format!("lowerdir={}", lower.join(":"))];
        if let Some((upper, work)) = changes {
            options.extend([
                format!("upperdir={}", upper.display()),
                format!("workdir={}", work.display()),
                "volatile".into(),
            ]);
        }
        options
    }

    /// Mounts them, or what is at `below` in them, on a target inside the root. `mount_point` is where the root is mounted:
    /// something is mounted over it for a moment, which nobody sees.
    pub fn mount(
        &self,
        root: &Root,
        target: &Path,
        below: Option<&str>,
        attrs: MountAttrs,
        mount_point: &Path,
    ) -> Result<()> {
        let changes = self.upper.as_deref().zip(self.work.as_deref());
        let overlay = Overlay { lower: &self.lower, upper: changes, volatile: self.volatile };
        let whole = overlay.mount(attrs, Some(mount_point))?;
        let tree = match below {
            Some(below) => part(&whole, below, mount_point).map_err(|errno| no_part(errno, below, target))?,
            None => whole,
        };
        let doing = || format!("cannot mount on `{}`", target.display());
        let is_folder = is_kind(&fstat(&tree).doing(doing)?, SFlag::S_IFDIR);
        let place = root.open_or_create(target, if is_folder { Missing::Directory } else { Missing::File })?;
        set_attributes(&tree, attrs, Some(Propagation::Private), true).doing(doing)?;
        attach(&tree, &place).doing(doing)
    }
}

/// Only what is attached can be copied in part (open_tree(2)).
fn part(whole: &OwnedFd, below: &str, mount_point: &Path) -> nix::Result<OwnedFd> {
    let place = open(mount_point, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    attach(whole, &place)?;
    let folder = whole.try_clone().map_err(|_| Errno::EMFILE)?;
    let tree = subpath::open(folder, below).and_then(|place| clone_tree(place.as_fd(), Path::new(""), false));
    umount2(mount_point, MntFlags::MNT_DETACH)?;
    tree
}

fn no_part(errno: Errno, below: &str, target: &Path) -> Error {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => {
            Error::not_found(format!("there is no `{below}` to mount on `{}`", target.display()))
        }
        errno => Error::new(ErrorKind::Io, format!("cannot mount on `{}`: {}", target.display(), errno.desc())),
    }
}

fn escaped(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\").replace(':', "\\:")
}

fn split(list: &str) -> Vec<PathBuf> {
    let (mut paths, mut path, mut characters) = (Vec::new(), String::new(), list.chars());
    while let Some(character) = characters.next() {
        match character {
            ':' => paths.push(std::mem::take(&mut path)),
            '\\' => path.extend(characters.next()),
            other => path.push(other),
        }
    }
    paths.push(path);
    paths.into_iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_with_any_name_come_back() {
        let lower = ["/plain", "/with:colon", r"/with\backslash", "/a,b"].map(PathBuf::from);
        let changes = (Path::new("/up:per"), Path::new("/work"));
        for changes in [None, Some(changes)] {
            let folders = Folders::of(&Folders::options(&lower, changes)).unwrap();
            assert_eq!(folders.lower, lower);
            assert_eq!(folders.upper.as_deref().zip(folders.work.as_deref()), changes);
        }
    }

    #[test]
    fn other_options_are_left_to_the_kernel() {
        for options in [&["lowerdir=/a:/b", "userxattr"][..], &["lowerdir=/a", "metacopy=on"], &["upperdir=/x"], &[]] {
            let options: Vec<_> = options.iter().map(ToString::to_string).collect();
            assert_eq!(Folders::of(&options), None, "{options:?}");
        }
    }
}
