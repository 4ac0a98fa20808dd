//! Overlay file systems as mounts that are attached nowhere.

use crate::error::{Error, ErrorKind, Result};
use crate::privilege::Privilege;
use crate::sys::mount::{FsContext, MountAttrs, c_path, clone_tree, set_attributes};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The option that leaves syncs out (Linux 5.10).
const VOLATILE: &CStr = c"volatile";
/// The option for ordinary users (Linux 5.11).
const USER_ATTRIBUTES: &CStr = c"userxattr";

/// Directories to lay over each other.
#[derive(Clone, Copy, Debug)]
pub struct Overlay<'a> {
    /// The topmost first. Two at least when there is no `upper`.
    pub lower: &'a [PathBuf],
    /// Where changes go, and the work directory beside it; `None`: read-only.
    pub upper: Option<(&'a Path, &'a Path)>,
    /// What is changed need not last a power loss: else unmounting syncs the whole file system of `upper`.
    pub volatile: bool,
}

impl Overlay<'_> {
    /// Makes it, attached nowhere.
    ///
    /// `mount_point` is a directory that kernels before 6.8 need for a moment when there are many layers; the
    /// caller must be in a mount namespace of its own there. `None`: that fails with `unsupported`.
    pub fn mount(&self, attrs: MountAttrs, mount_point: Option<&Path>) -> Result<OwnedFd> {
        let context = FsContext::open(c"overlay").map_err(|errno| self.failed(errno, ""))?;
        match self.configure(&context).and_then(|()| context.mount(attrs)) {
            Err(Errno::EINVAL) if Self::layers_one_by_one_unknown() => self.mount_as_before_6_8(attrs, mount_point),
            result => result.map_err(|errno| self.failed(errno, &context.message())),
        }
    }

    fn configure(&self, context: &FsContext) -> nix::Result<()> {
        context.set(c"source", c"overlay")?;
        for layer in self.lower {
            context.set(c"lowerdir+", &Name::of(layer)?.text)?;
        }
        Self::keep_plain(context)?;
        if self.is_mixed() {
            // Else files of other file systems have other device numbers than their folders, and change them with
            // their first change: `tar --one-file-system` would leave them out. (With `on`, new folders would become
            // opaque.)
            context.set(c"xino", c"auto")?;
        }
        if let Some((upper, work)) = self.upper {
            context.set(c"upperdir", &Name::of(upper)?.text)?;
            context.set(c"workdir", &Name::of(work)?.text)?;
        }
        if self.volatile {
            context.set_flag(VOLATILE)?;
        }
        Ok(())
    }

    /// Whether its directories are on several file systems.
    fn is_mixed(&self) -> bool {
        let all = self.lower.iter().map(PathBuf::as_path).chain(self.upper.map(|(upper, _)| upper));
        let mut devices = all.filter_map(|path| path.metadata().ok()).map(|metadata| metadata.dev());
        let first = devices.next();
        devices.any(|device| Some(device) != first)
    }

    /// Some machines have these on: then upper directories hold references to lower ones, and are no layers.
    fn keep_plain(context: &FsContext) -> nix::Result<()> {
        if Privilege::current().is_rootless() {
            // Its marks are attributes that a user may set; redirects and the like are off then.
            return context.set_flag(USER_ATTRIBUTES);
        }
        context.set(c"redirect_dir", c"off")?;
        context.set(c"metacopy", c"off")
    }

    /// Whether this kernel is one that takes all layers as one string only.
    fn layers_one_by_one_unknown() -> bool {
        let takes = |option| FsContext::open(c"overlay").and_then(|context| context.set(option, c"/"));
        // Before 6.5 overlayfs looks at no option before it is mounted: so any name is taken.
        takes(c"lowerdir+") == Err(Errno::EINVAL) || takes(c"no such option").is_ok()
    }

    fn mount_as_before_6_8(&self, attrs: MountAttrs, mount_point: Option<&Path>) -> Result<OwnedFd> {
        // Descriptors as names: short, so that 128 layers fit into the one page of options, and free of
        // the `:` and `,` that would need escapes.
        let named = |path: &Path| Name::by_descriptor(path).map_err(|errno| self.failed(errno, ""));
        let lower = self.lower.iter().map(|path| named(path)).collect::<Result<Vec<_>>>()?;
        let upper = self.upper.map(|(upper, work)| Ok::<_, Error>((named(upper)?, named(work)?))).transpose()?;
        let lower = lower.iter().map(|name| name.text.to_bytes()).collect::<Vec<_>>().join(&b':');
        let lower = CString::new(lower).map_err(|_| self.failed(Errno::EINVAL, ""))?;
        let upper = upper.as_ref().map(|(upper, work)| (upper.text.as_c_str(), work.text.as_c_str()));
        // fsconfig(2) takes values of 255 bytes only.
        let result = match mount_point {
            _ if lower.count_bytes() < 256 => self.mount_of_strings(&lower, upper, attrs),
            Some(mount_point) => self.mount_through(mount_point, &lower, upper, attrs),
            None => Err(Errno::ENOSYS),
        };
        result.map_err(|errno| self.failed(errno, ""))
    }

    fn mount_of_strings(&self, lower: &CStr, upper: Option<(&CStr, &CStr)>, attrs: MountAttrs) -> nix::Result<OwnedFd> {
        let context = FsContext::open(c"overlay")?;
        context.set(c"source", c"overlay")?;
        context.set(c"lowerdir", lower)?;
        Self::keep_plain(&context)?;
        if let Some((upper, work)) = upper {
            context.set(c"upperdir", upper)?;
            context.set(c"workdir", work)?;
        }
        if self.volatile {
            context.set_flag(VOLATILE)?;
        }
        context.mount(attrs)
    }

    /// The old mount(2), whose options may be a page long.
    fn mount_through(
        &self,
        mount_point: &Path,
        lower: &CStr,
        upper: Option<(&CStr, &CStr)>,
        attrs: MountAttrs,
    ) -> nix::Result<OwnedFd> {
        let plain: &[u8] =
            if Privilege::current().is_rootless() { b"userxattr" } else { b"redirect_dir=off,metacopy=off" };
        let mut options = [plain, b",lowerdir=", lower.to_bytes()].concat();
        if let Some((upper, work)) = upper {
            options.extend([b",upperdir=", upper.to_bytes(), b",workdir=", work.to_bytes()].concat());
        }
        if self.volatile {
            options.push(b',');
            options.extend(VOLATILE.to_bytes());
        }
        let options = CString::new(options).map_err(|_| Errno::EINVAL)?;
        mount(Some(c"overlay"), mount_point, Some(c"overlay"), MsFlags::empty(), Some(options.as_c_str()))?;
        let tree = clone_tree(nix::fcntl::AT_FDCWD, mount_point, false);
        umount2(mount_point, MntFlags::MNT_DETACH)?;
        let tree = tree?;
        set_attributes(&tree, attrs, None, false)?;
        Ok(tree)
    }

    fn failed(&self, errno: Errno, message: &str) -> Error {
        let missing = self.lower.iter().map(PathBuf::as_path).find(|path| !path.is_dir());
        if let Some(path) = missing {
            return Error::new(ErrorKind::Corrupt, format!("the layer `{}` is not there", path.display()))
                .hint("pull the image again: `image(…).pull()`");
        }
        let detail = if message.is_empty() { String::new() } else { format!(" ({message})") };
        let kind = if matches!(errno, Errno::ENODEV | Errno::ENOSYS) { ErrorKind::Unsupported } else { ErrorKind::Io };
        Error::new(kind, format!("cannot mount an overlay of {} layers: {}{detail}", self.lower.len(), errno.desc()))
    }
}

/// A directory as an overlay option: its path, or, where overlayfs would take that apart or
/// fsconfig(2) find it too long, a descriptor's.
struct Name {
    text: CString,
    _open: Option<OwnedFd>,
}

impl Name {
    fn of(path: &Path) -> nix::Result<Self> {
        let text = c_path(path)?;
        let plain = |text: &CStr| text.count_bytes() < 256 && !text.to_bytes().iter().any(|b| b":,\\".contains(b));
        if plain(&text) { Ok(Self { text, _open: None }) } else { Self::by_descriptor(path) }
    }

    fn by_descriptor(path: &Path) -> nix::Result<Self> {
        let dir = open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        let text = c_path(Path::new(&format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd())))?;
        Ok(Self { text, _open: Some(dir) })
    }
}
