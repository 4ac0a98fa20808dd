//! A folder into a layer's tar: the same folder always gives the same bytes.

use super::member::{Member, MemberKind, Path as Inside, Time};
use super::whiteout::{self, OPAQUE_XATTR, OVERLAY_XATTRS};
use super::writer::TarWriter;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::sys::xattr;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// What is written besides the files as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct PackOptions {
    /// The folder is an overlay's upper directory: its whiteouts and opaque folders become OCI's.
    pub whiteouts: bool,
    /// Every time becomes this one.
    pub mtime: Option<Time>,
}

/// Writes everything below `root` as a tar, in the order of names.
pub fn pack(root: &Path, options: &PackOptions, output: impl Write) -> Result<()> {
    let mut packer = Packer { writer: TarWriter::new(output), options, links: HashMap::new() };
    packer.folder(root, &Inside::default())?;
    packer.writer.finish().and_then(|mut output| output.flush()).doing(|| "cannot write an archive")
}

/// What a file of the host would be as a member under the name `inside`; `None` for a socket, which nothing
/// listens on in an image and no tar can hold.
pub fn member_of(host: &Path, inside: Inside, metadata: &Metadata) -> Result<Option<Member>> {
    let doing = || format!("cannot read `{}`", host.display());
    let kind = metadata.file_type();
    let kind = if kind.is_dir() {
        MemberKind::Directory
    } else if kind.is_file() {
        MemberKind::File
    } else if kind.is_symlink() {
        MemberKind::Symlink(fs::read_link(host).doing(doing)?.into_os_string().as_bytes().to_vec())
    } else if kind.is_char_device() {
        MemberKind::CharDevice(metadata.rdev())
    } else if kind.is_block_device() {
        MemberKind::BlockDevice(metadata.rdev())
    } else if kind.is_fifo() {
        MemberKind::Fifo
    } else {
        return Ok(None);
    };
    let size = if kind == MemberKind::File { metadata.len() } else { 0 };
    Ok(Some(Member {
        path: inside,
        kind,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: Time { seconds: metadata.mtime(), nanoseconds: metadata.mtime_nsec() },
        size,
        xattrs: Vec::new(),
    }))
}

/// A file of exactly so many bytes: what its header says is written.
pub fn exactly(path: &Path, size: u64) -> io::Result<impl Read + use<>> {
    Ok(Exactly { file: File::open(path)?, left: size })
}

struct Packer<'a, W: Write> {
    writer: TarWriter<W>,
    options: &'a PackOptions,
    /// Files with several names: device and inode, and the name that was written first.
    links: HashMap<(u64, u64), Inside>,
}

impl<W: Write> Packer<'_, W> {
    fn folder(&mut self, host: &Path, inside: &Inside) -> Result<()> {
        for name in names(host)? {
            self.entry(&host.join(&name), &inside.join(name.as_bytes()))?;
        }
        Ok(())
    }

    fn entry(&mut self, host: &Path, inside: &Inside) -> Result<()> {
        let doing = || format!("cannot pack `{}`", host.display());
        let metadata = fs::symlink_metadata(host).doing(doing)?;
        if self.options.whiteouts && metadata.file_type().is_char_device() && metadata.rdev() == 0 {
            let (parent, name) = inside.split().unwrap_or_default();
            let marker = Inside::parse(parent).unwrap_or_default().join(&[whiteout::PREFIX, name].concat());
            return self.marker(marker).doing(doing);
        }
        let Some(mut member) = member_of(host, inside.clone(), &metadata)? else { return Ok(()) };
        if let Some(time) = self.options.mtime {
            member.mtime = time;
        }
        let folder = metadata.is_dir();
        if !folder && metadata.nlink() > 1 {
            let key = (metadata.dev(), metadata.ino());
            if let Some(first) = self.links.get(&key) {
                member.kind = MemberKind::HardLink(first.clone());
                member.size = 0;
                return self.writer.add(&member, io::empty()).doing(doing);
            }
            self.links.insert(key, inside.clone());
        }
        let attributes = match xattr::list(host) {
            Err(error) if xattr::is_unsupported(&error) => Vec::new(),
            other => other.doing(doing)?,
        };
        let opaque = attributes.iter().any(|(name, value)| name.as_c_str() == OPAQUE_XATTR && value == b"y");
        member.xattrs = attributes
            .into_iter()
            .map(|(name, value)| (name.into_bytes(), value))
            .filter(|(name, _)| !OVERLAY_XATTRS.iter().any(|prefix| name.starts_with(prefix)))
            .collect();
        if member.kind == MemberKind::File {
            return exactly(host, member.size).and_then(|data| self.writer.add(&member, data)).doing(doing);
        }
        self.writer.add(&member, io::empty()).doing(doing)?;
        if folder {
            if self.options.whiteouts && opaque {
                self.marker(inside.join(whiteout::OPAQUE)).doing(doing)?;
            }
            self.folder(host, inside)?;
        }
        Ok(())
    }

    /// An empty file with a meaningful name.
    fn marker(&mut self, path: Inside) -> io::Result<()> {
        let mtime = self.options.mtime.unwrap_or_default();
        let member =
            Member { path, kind: MemberKind::File, mode: 0, uid: 0, gid: 0, mtime, size: 0, xattrs: Vec::new() };
        self.writer.add(&member, io::empty())
    }
}

/// What is in a folder, in the order of bytes.
pub fn names(folder: &Path) -> Result<Vec<OsString>> {
    let doing = || format!("cannot read `{}`", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).doing(doing)? {
        names.push(entry.doing(doing)?.file_name());
    }
    names.sort_by(|a: &OsString, b| OsStr::as_bytes(a).cmp(OsStr::as_bytes(b)));
    Ok(names)
}

/// A file that must not have grown or shrunk since its header was written.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.file.read(&mut buffer[..room])?;
        if count == 0 && room > 0 {
            return Err(io::Error::other(Error::new(ErrorKind::Busy, "the file shrank while it was read")));
        }
        self.left -= count as u64;
        Ok(count)
    }
}
