//! The members of a layer in the making, seen together with the layers below.

use super::copy;
use super::tree::resolve;
use crate::archive::member::{Member, MemberKind, Path as Inside, Time};
use crate::archive::whiteout::is_reserved_xattr;
use crate::archive::{TarWriter, View, exactly, member_of};
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::sys::{ownership, xattr};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A layer in the making.
pub struct Canvas {
    below: View,
    members: BTreeMap<Inside, (Member, Source)>,
    /// Owner of folders that are made on the way.
    owner: (u32, u32),
}

/// Where the bytes of a member come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// There are none.
    Nothing,
    /// From memory.
    Bytes(Vec<u8>),
    /// From a file of the host.
    File(PathBuf),
    /// From a file of the host that had this SHA-256.
    Known(PathBuf, [u8; 32]),
}

impl Canvas {
    /// Nothing yet, over layers whose topmost comes first.
    pub fn new(layers: Vec<PathBuf>) -> Self {
        Self { below: View::new(layers), members: BTreeMap::new(), owner: (0, 0) }
    }

    /// Sets the owner of folders that have to be made for what is added.
    pub fn set_new_folders(&mut self, uid: u32, gid: u32) {
        self.owner = (uid, gid);
    }

    /// Gives all members this time, seconds since 1970.
    pub fn set_times(&mut self, seconds: i64) {
        for (member, _) in self.members.values_mut() {
            member.mtime = Time { seconds, nanoseconds: 0 };
        }
    }

    /// Where a path of the image leads, its links followed, the last one only when `follow`. What
    /// is not there stays as it is written.
    pub fn resolve(&self, path: &[u8], follow: bool) -> Result<Inside> {
        resolve(path, follow, &mut |path| self.kind(path))
    }

    /// What the image has at a path without links.
    pub fn kind(&self, path: &Inside) -> Result<Option<MemberKind>> {
        if let Some((member, _)) = self.members.get(path) {
            return Ok(Some(member.kind.clone()));
        }
        let Some(seen) = self.below.look(path)? else { return Ok(None) };
        Ok(member_of(&seen.host, path.clone())?.map(|member| member.kind))
    }

    /// Reads a file of the image, such as `etc/passwd`.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let inside = self.resolve(path.as_bytes(), true)?;
        match self.below.look(&inside)? {
            Some(seen) if seen.metadata.is_file() => {
                fs::read(&seen.host).doing(|| format!("cannot read `{}`", seen.host.display())).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Adds a file of ours: root's, and as old as can be, so that it is the same whenever it is made.
    pub fn add_file(&mut self, path: Inside, mode: u32, size: u64, source: Source) -> Result<()> {
        self.add(ours(path, MemberKind::File, mode, size), source)
    }

    /// Adds a link of ours.
    pub fn add_symlink(&mut self, path: Inside, target: Vec<u8>) -> Result<()> {
        self.add(ours(path, MemberKind::Symlink(target), 0o777, 0), Source::Nothing)
    }

    /// Adds a member, and the folders that it is in. Where a folder is in the image already it keeps its
    /// attributes: overlayfs shows those of the topmost layer that has it.
    pub fn add(&mut self, member: Member, source: Source) -> Result<()> {
        let mut parents = Vec::new();
        let mut next = member.path.split();
        while let Some((parent, _)) = next.filter(|(parent, _)| !parent.is_empty()) {
            parents.push(Inside::parse(parent).unwrap_or_default());
            next = parents.last().and_then(Inside::split);
        }
        for parent in parents.iter().rev() {
            if !self.members.contains_key(parent) {
                let folder = self.folder_below(parent)?;
                self.members.insert(parent.clone(), (folder, Source::Nothing));
            }
        }
        self.members.insert(member.path.clone(), (member, source));
        Ok(())
    }

    /// What the layer depends on, as bytes: everything but the files' times.
    pub fn digest(&self, cx: &Context) -> Result<Vec<u8>> {
        let mut hasher = Sha256::new();
        for (member, source) in self.members.values() {
            cx.check()?;
            let Member { path, kind, mode, uid, gid, size, xattrs, mtime: _ } = member;
            hasher.update(format!("{path:?} {kind:?} {mode} {uid} {gid} {size} {xattrs:?}\n"));
            let doing = || format!("cannot read the source of `{path}`");
            io::copy(&mut source.open(*size).doing(doing)?, &mut HashWriter(&mut hasher)).doing(doing)?;
        }
        Ok(hasher.finalize().to_vec())
    }

    /// Writes the layer's tar.
    pub fn write(&self, output: &mut dyn Write, cx: &Context) -> Result<()> {
        let mut writer = TarWriter::new(output);
        for (member, source) in self.members.values() {
            cx.check()?;
            let doing = || format!("cannot copy `{}`", member.path);
            writer.add(member, source.open(member.size).doing(doing)?).doing(doing)?;
        }
        writer.finish().doing(|| "cannot write a layer").map(drop)
    }

    fn folder_below(&self, path: &Inside) -> Result<Member> {
        let Some(seen) = self.below.look(path)? else {
            let mut folder = ours(path.clone(), MemberKind::Directory, 0o755, 0);
            (folder.uid, folder.gid) = self.owner;
            return Ok(folder);
        };
        match member_of(&seen.host, path.clone())? {
            Some(mut member) if member.kind == MemberKind::Directory => {
                take_attributes(&mut member, &seen.host)?;
                Ok(member)
            }
            _ => Err(Error::invalid(format!("`/{path}` is no folder in the image"))),
        }
    }
}

impl Source {
    /// Bytes that are in memory.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        }
    }

    fn open(&self, size: u64) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Nothing => Box::new(io::empty()),
            Self::Bytes(bytes) => Box::new(&bytes[..]),
            Self::File(path) => Box::new(exactly(path, size)?),
            Self::Known(path, digest) => Box::new(Verified {
                file: copy::open(path)?.take(size),
                left: size,
                hasher: Sha256::new(),
                digest: *digest,
            }),
        })
    }
}

/// What was hashed for the key of a step has to be what goes into its layer.
struct Verified {
    file: io::Take<File>,
    left: u64,
    hasher: Sha256,
    digest: [u8; 32],
}

impl Read for Verified {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.left = self.left.saturating_sub(count as u64);
        let changed = if count == 0 && !buffer.is_empty() {
            self.left > 0
        } else {
            self.left == 0 && count > 0 && self.hasher.clone().finalize().as_slice() != self.digest
        };
        if changed {
            let error = Error::new(ErrorKind::Busy, "the file was changed while it was copied").hint("build again");
            return Err(io::Error::other(error));
        }
        Ok(count)
    }
}

/// Gives a member what belongs into an image of the attributes of the layer's file: those that a copy must keep to mean the same, and the
/// owner that is recorded there.
pub fn take_attributes(member: &mut Member, host: &Path) -> Result<()> {
    let list = match xattr::list(host) {
        Err(error) if xattr::is_unsupported(&error) => Vec::new(),
        other => other.doing(|| format!("cannot read `{}`", host.display()))?,
    };
    if let Some(owner) = ownership::recorded(&list) {
        (member.uid, member.gid) = owner;
    }
    let kept = |name: &[u8]| name == b"security.capability" || name.starts_with(b"user.") && !is_reserved_xattr(name);
    let list = list.into_iter().map(|(name, value)| (name.into_bytes(), value));
    member.xattrs = list.filter(|(name, _)| kept(name)).collect();
    member.xattrs.sort();
    Ok(())
}

/// A member that is root's and as old as can be.
pub fn ours(path: Inside, kind: MemberKind, mode: u32, size: u64) -> Member {
    Member { path, kind, mode, uid: 0, gid: 0, mtime: Time::default(), size, xattrs: Vec::new() }
}

/// The size of a host file that can be read.
pub fn file_size(path: &Path) -> Result<u64> {
    let doing = || format!("cannot read `{}`", path.display());
    Ok(File::open(path).doing(doing)?.metadata().doing(doing)?.len())
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
