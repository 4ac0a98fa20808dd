//! The folder being unpacked into. Every path is resolved inside it, nothing that exists is opened for writing.

use super::member::{Member, Time};
use super::reader::TarReader;
use super::sparse::SparseMap;
use super::target::Target;
use super::whiteout::{self, is_reserved_xattr};
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::privilege::Privilege;
use crate::sys::ownership;
use crate::sys::writeback;
use crate::sys::{openat2, xattr};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{
    FchmodatFlags, FileStat, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, fstatat, futimens, mkdirat, mknodat,
    utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, linkat, symlinkat, unlinkat};
use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

/// A folder tree that an archive fills. Nobody else changes it meanwhile.
///
/// `parent` arguments are paths in normal form, found or made below the root; `name` arguments are
/// one component.
pub struct Tree {
    root: Rc<OwnedFd>,
    /// Folders that were found, by path. Emptied when a folder or link goes away.
    open: HashMap<Vec<u8>, Rc<OwnedFd>>,
    last: (Vec<u8>, Rc<OwnedFd>),
    /// Making a file changes its folder's time, so these are set at the end; in order, for locality.
    times: BTreeMap<Vec<u8>, Time>,
    /// Attributes that overlayfs reads are kept: the tree is never a layer.
    overlay_attributes: bool,
}

/// Open folders are few beside the usual limit of 1024 descriptors, also when eight layers are unpacked at once.
const MAX_OPEN: usize = 64;
const FOLDER: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY);

/// Files from this size on are sent to the disk at once, bytes: they hold nearly all there is to write, and what is
/// left for the `syncfs` at the end is short.
const WRITEBACK: usize = 256 << 10;

impl Tree {
    /// Takes an existing folder as the root.
    pub fn open(root: &Path) -> Result<Self> {
        let folder = File::open(root).doing(|| format!("cannot open `{}`", root.display()))?;
        let root = Rc::new(OwnedFd::from(folder));
        // Unless a member says it: the same on every machine.
        let times = BTreeMap::from([(Vec::new(), Time::default())]);
        Ok(Self { last: (Vec::new(), root.clone()), root, open: HashMap::new(), times, overlay_attributes: false })
    }

    /// Keeps attributes that overlayfs reads, for a tree that is not mounted as a layer.
    #[must_use]
    pub fn with_overlay_attributes(self) -> Self {
        Self { overlay_attributes: true, ..self }
    }

    /// Sets the times of the folders: nothing is made after this.
    pub fn finish(mut self) -> Result<()> {
        for (path, time) in std::mem::take(&mut self.times) {
            if path.is_empty() {
                let time = timespec(time);
                futimens(&self.root, &time, &time).map_err(refused)?;
                continue;
            }
            let (parent, name) = match path.iter().rposition(|byte| *byte == b'/') {
                Some(slash) => (&path[..slash], &path[slash + 1..]),
                None => (&b""[..], &path[..]),
            };
            let Some(parent) = self.find(parent)? else { continue };
            match fstatat(&parent, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(existing) if kind(&existing) == SFlag::S_IFDIR => set_time(&parent, name, time)?,
                // The way to it was through a link, and a later member has taken its place.
                Ok(_) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(refused(errno)),
            }
        }
        Ok(())
    }

    /// A folder that is there still.
    fn find(&self, path: &[u8]) -> Result<Option<Rc<OwnedFd>>> {
        if path.is_empty() {
            return Ok(Some(self.root.clone()));
        }
        if let Some(folder) = self.open.get(path) {
            return Ok(Some(folder.clone()));
        }
        match openat2::open_in_root(&*self.root, path, FOLDER) {
            Ok(folder) => Ok(Some(Rc::new(folder))),
            Err(error) if is_our_trouble(&error) => Err(refused_io(&error)),
            Err(_) => Ok(None),
        }
    }

    /// Makes something new under a name; what was there before goes away (the later member of an archive wins).
    fn make<T>(
        &mut self,
        parent: &[u8],
        name: &[u8],
        member: &Member,
        make: impl Fn(std::os::fd::BorrowedFd<'_>) -> nix::Result<T>,
    ) -> Result<T> {
        let folder = self.folder(parent, member.mtime)?;
        match make(folder.as_fd()) {
            Err(Errno::EEXIST) => {
                self.remove(parent, name, member.mtime)?;
                make(folder.as_fd()).map_err(refused)
            }
            other => other.map_err(refused),
        }
    }

    fn remove(&mut self, parent: &[u8], name: &[u8], time: Time) -> Result<()> {
        let folder = self.folder(parent, time)?;
        let existing = look(&folder, name)?;
        match kind(&existing) {
            SFlag::S_IFDIR => {
                let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
                let path = Path::new(&path).join(std::ffi::OsStr::from_bytes(name));
                std::fs::remove_dir_all(&path).doing(|| "cannot replace a folder")?;
                self.forget_times(parent, name);
                self.forget_folders();
            }
            SFlag::S_IFLNK => {
                unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir).map_err(refused)?;
                self.forget_folders();
            }
            _ => unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir).map_err(refused)?,
        }
        Ok(())
    }

    fn forget_folders(&mut self) {
        self.open.clear();
        self.last = (Vec::new(), self.root.clone());
    }

    fn forget_times(&mut self, parent: &[u8], name: &[u8]) {
        let path = if parent.is_empty() { name.to_vec() } else { [parent, name].join(&b'/') };
        self.times.remove(&path);
        let below = [&path[..], b"/"].concat();
        let gone: Vec<_> = self
            .times
            .range(below.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&below))
            .cloned()
            .collect();
        for path in gone {
            self.times.remove(&path);
        }
    }

    /// A folder by its path; those that no member has made are made, as old as the member that needs them.
    fn folder(&mut self, path: &[u8], time: Time) -> Result<Rc<OwnedFd>> {
        if path.is_empty() {
            return Ok(self.root.clone());
        }
        if self.last.0 == path {
            return Ok(self.last.1.clone());
        }
        let folder = if let Some(folder) = self.open.get(path) {
            folder.clone()
        } else {
            let folder = Rc::new(self.find_or_make(path, time)?);
            if self.open.len() >= MAX_OPEN {
                self.open.clear();
            }
            self.open.insert(path.to_vec(), folder.clone());
            folder
        };
        self.last = (path.to_vec(), folder.clone());
        Ok(folder)
    }

    fn find_or_make(&mut self, path: &[u8], time: Time) -> Result<OwnedFd> {
        match openat2::open_in_root(&*self.root, path, FOLDER) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other.map_err(|error| refused_io(&error)),
        }
        let mut above: Option<OwnedFd> = None;
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(index, _)| index);
        let mut start = 0;
        for end in ends.chain([path.len()]) {
            let found = openat2::open_in_root(&*self.root, &path[..end], FOLDER);
            let folder = match found {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let parent = above.as_ref().unwrap_or(&self.root);
                    let name = &path[start..end];
                    // EEXIST: a link that leads nowhere has the name.
                    mkdirat(parent, name, Mode::S_IRWXU).map_err(refused)?;
                    // A folder with setgid would give it its group.
                    own(parent, name, 0, 0)?;
                    fchmodat(parent, name, Mode::from_bits_truncate(0o755), FchmodatFlags::FollowSymlink)
                        .map_err(refused)?;
                    self.times.insert(path[..end].to_vec(), time);
                    openat2::open_in_root(&*self.root, &path[..end], FOLDER)
                }
                other => other,
            };
            above = Some(folder.map_err(|error| refused_io(&error))?);
            start = end + 1;
        }
        above.ok_or_else(|| Error::corrupt("the archive is damaged: a name is empty"))
    }
}

impl Target for Tree {
    fn file(
        &mut self,
        parent: &[u8],
        name: &[u8],
        member: &Member,
        reader: &mut TarReader<impl BufRead>,
        cx: &Context,
    ) -> Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd =
            self.make(parent, name, member, |folder| openat(folder, name, flags, Mode::S_IRUSR | Mode::S_IWUSR))?;
        let mut file = File::from(fd);
        let size = match reader.sparse() {
            Some(whole) => write_parts(&file, reader, whole, cx)?,
            None => write_all(&mut file, reader, cx)?,
        };
        if size >= WRITEBACK {
            writeback::start(&file);
        }
        // Changing the owner takes setuid and capabilities away, so it comes first.
        ownership::give(&file, (member.uid, member.gid)).map_err(refused)?;
        fchmod(&file, mode(member)).map_err(refused)?;
        set_attributes(&file, b"", member, self.overlay_attributes)?;
        let time = timespec(member.mtime);
        futimens(&file, &time, &time).map_err(refused)
    }

    fn directory(&mut self, parent: &[u8], name: &[u8], member: &Member) -> Result<()> {
        let folder = self.folder(parent, member.mtime)?;
        let mut opaque = false;
        match mkdirat(&folder, name, Mode::S_IRWXU) {
            Ok(()) => {}
            Err(Errno::EEXIST) => {
                let existing = look(&folder, name)?;
                if kind(&existing) != SFlag::S_IFDIR {
                    // Its whiteout came first: what is below the new folder stays hidden.
                    opaque = is_whiteout(&existing);
                    self.remove(parent, name, member.mtime)?;
                    mkdirat(&folder, name, Mode::S_IRWXU).map_err(refused)?;
                }
            }
            Err(errno) => return Err(refused(errno)),
        }
        own(&folder, name, member.uid, member.gid)?;
        fchmodat(&folder, name, mode(member), FchmodatFlags::FollowSymlink).map_err(refused)?;
        set_attributes(&*folder, name, member, self.overlay_attributes)?;
        if opaque {
            set_opaque(&folder, name)?;
        }
        self.times.insert(member.path.as_bytes().to_vec(), member.mtime);
        Ok(())
    }

    fn root_directory(&mut self, member: &Member) -> Result<()> {
        ownership::give(&*self.root, (member.uid, member.gid)).map_err(refused)?;
        fchmod(&self.root, mode(member)).map_err(refused)?;
        set_attributes(&*self.root, b"", member, self.overlay_attributes)?;
        self.times.insert(Vec::new(), member.mtime);
        Ok(())
    }

    fn symlink(&mut self, parent: &[u8], name: &[u8], target: &[u8], member: &Member) -> Result<()> {
        self.make(parent, name, member, |folder| symlinkat(target, folder, name))?;
        let folder = self.folder(parent, member.mtime)?;
        own(&folder, name, member.uid, member.gid)?;
        set_attributes(&*folder, name, member, self.overlay_attributes)?;
        set_time(&folder, name, member.mtime)
    }

    fn hard_link(&mut self, parent: &[u8], name: &[u8], target: &super::member::Path, member: &Member) -> Result<()> {
        let lost = || Error::corrupt(format!("the archive is damaged: its hard link to `{target}` leads nowhere"));
        let (target_parent, target_name) = target.split().ok_or_else(lost)?;
        let from = match openat2::open_in_root(&*self.root, target_parent, FOLDER) {
            Ok(folder) => folder,
            Err(error) => return Err(if is_our_trouble(&error) { refused_io(&error) } else { lost() }),
        };
        let linked =
            self.make(parent, name, member, |folder| linkat(&from, target_name, folder, name, AtFlags::empty()));
        // The kernel refuses links to folders with EPERM, which would read like a lack of rights.
        match look(&from, target_name) {
            Ok(target) if kind(&target) == SFlag::S_IFDIR => Err(lost()),
            _ => linked,
        }
    }

    fn node(&mut self, parent: &[u8], name: &[u8], kind: u32, device: u64, member: &Member) -> Result<()> {
        let kind = SFlag::from_bits_truncate(kind);
        if kind != SFlag::S_IFIFO && !may_make_devices() {
            // As Docker without root has it: nobody could open it.
            tracing::debug!(path = %member.path, "device left out");
            return Ok(());
        }
        self.make(parent, name, member, |folder| mknodat(folder, name, kind, Mode::empty(), device))?;
        let folder = self.folder(parent, member.mtime)?;
        own(&folder, name, member.uid, member.gid)?;
        fchmodat(&folder, name, mode(member), FchmodatFlags::FollowSymlink).map_err(refused)?;
        set_attributes(&*folder, name, member, self.overlay_attributes)?;
        set_time(&folder, name, member.mtime)
    }

    fn whiteout(&mut self, parent: &[u8], name: &[u8], member: &Member) -> Result<()> {
        let folder = self.folder(parent, member.mtime)?;
        match mknodat(&folder, name, SFlag::S_IFCHR, Mode::empty(), 0) {
            Err(Errno::EEXIST) if kind(&look(&folder, name)?) == SFlag::S_IFDIR => set_opaque(&folder, name),
            Ok(()) => {
                // A folder with setgid would give it its group.
                own(&folder, name, 0, 0)?;
                set_time(&folder, name, member.mtime)
            }
            Err(Errno::EEXIST) => Ok(()),
            Err(errno) => Err(refused(errno)),
        }
    }

    fn opaque(&mut self, folder: &[u8], member: &Member) -> Result<()> {
        let folder = self.folder(folder, member.mtime)?;
        set_opaque(&folder, b"")
    }
}

fn write_all(file: &mut File, reader: &mut TarReader<impl BufRead>, cx: &Context) -> Result<usize> {
    let mut size = 0;
    loop {
        let bytes = reader.data()?;
        if bytes.is_empty() {
            return Ok(size);
        }
        let count = bytes.len();
        file.write_all(bytes).doing(|| "cannot write")?;
        reader.consume(count);
        size += count;
        cx.check()?;
    }
}

/// Writes the parts of a file that has holes.
fn write_parts(file: &File, reader: &mut TarReader<impl BufRead>, whole: u64, cx: &Context) -> Result<usize> {
    let map = SparseMap::read(reader, whole)?;
    let mut size = 0;
    for (start, length) in map.0 {
        let mut done = 0;
        while done < length {
            let bytes = reader.data()?;
            let count = bytes.len().min(usize::try_from(length - done).unwrap_or(usize::MAX));
            if count == 0 {
                return Err(Error::corrupt("the archive is damaged: a sparse file has less data than its map says"));
            }
            file.write_all_at(&bytes[..count], start + done).doing(|| "cannot write")?;
            reader.consume(count);
            done += count as u64;
            size += count;
            cx.check()?;
        }
    }
    if !reader.data()?.is_empty() {
        return Err(Error::corrupt("the archive is damaged: a sparse file has more data than its map says"));
    }
    file.set_len(whole).doing(|| "cannot write")?;
    Ok(size)
}

/// Whether device nodes of layers are made: only the machine's root makes any.
pub(super) fn may_make_devices() -> bool {
    !Privilege::current().is_rootless()
}

fn own(folder: impl AsFd, name: &[u8], uid: u32, gid: u32) -> Result<()> {
    ownership::give_at(folder, name, (uid, gid)).map_err(refused)
}

fn look(folder: &OwnedFd, name: &[u8]) -> Result<FileStat> {
    fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(refused)
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

fn is_whiteout(stat: &FileStat) -> bool {
    kind(stat) == SFlag::S_IFCHR && stat.st_rdev == 0
}

fn mode(member: &Member) -> Mode {
    Mode::from_bits_truncate(member.mode)
}

fn timespec(time: Time) -> TimeSpec {
    TimeSpec::new(time.seconds, time.nanoseconds)
}

fn set_time(folder: &OwnedFd, name: &[u8], time: Time) -> Result<()> {
    let time = timespec(time);
    utimensat(folder, name, &time, &time, UtimensatFlags::NoFollowSymlink).map_err(refused)
}

fn set_opaque(folder: &OwnedFd, name: &[u8]) -> Result<()> {
    let name = CString::new(name).map_err(|_| Error::corrupt("the archive is damaged: a name has a zero byte"))?;
    xattr::set_at(folder.as_fd(), &name, whiteout::opaque_xattr(), b"y").doing(|| "cannot make a folder opaque")
}

/// Attributes that this file system cannot keep are left out, as Docker does. Those of overlayfs are not the image's to set
/// (`overlay`: they are).
fn set_attributes(folder: &impl AsFd, name: &[u8], member: &Member, overlay: bool) -> Result<()> {
    if member.xattrs.is_empty() {
        return Ok(());
    }
    let damaged = || Error::corrupt("the archive is damaged: an extended attribute has no proper name");
    let name = CString::new(name).map_err(|_| damaged())?;
    for (attribute, value) in &member.xattrs {
        if !overlay && is_reserved_xattr(attribute) {
            continue;
        }
        let attribute = CString::new(attribute.as_slice()).map_err(|_| damaged())?;
        match xattr::set_at(folder.as_fd(), &name, &attribute, value) {
            Ok(()) => {}
            // `user.` attributes are for files and folders only (xattr(7)), and fail with EPERM elsewhere.
            Err(error) if xattr::is_unsupported(&error) || error.raw_os_error() == Some(libc::EPERM) => {
                tracing::debug!(path = %member.path, ?attribute, "attribute left out");
            }
            // Of users that this one's namespace does not have.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && Privilege::current().is_rootless() => {
                tracing::debug!(path = %member.path, ?attribute, "attribute left out");
            }
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ERANGE | libc::E2BIG)) => {
                return Err(damaged());
            }
            Err(error) => return Err(refused_io(&error)),
        }
    }
    Ok(())
}

fn refused(errno: Errno) -> Error {
    refused_io(&errno.into())
}

/// What the kernel says about a name or link that makes no sense is the archive's fault, the rest is ours.
fn refused_io(error: &io::Error) -> Error {
    if is_our_trouble(error) {
        let result: io::Result<()> = Err(io::Error::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO)));
        return result.doing(|| "cannot write").expect_err("made from an error");
    }
    Error::corrupt(format!("the archive is damaged: its path leads nowhere ({})", crate::error::errno_text(error)))
}

fn is_our_trouble(error: &io::Error) -> bool {
    !matches!(
        error.raw_os_error(),
        Some(
            libc::ENOENT
                | libc::ENOTDIR
                | libc::ELOOP
                | libc::ENAMETOOLONG
                | libc::EISDIR
                | libc::EEXIST
                | libc::EXDEV
                | libc::EMLINK
                | libc::EILSEQ
        )
    )
}
