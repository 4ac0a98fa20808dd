//! Whether a mounted or unpacked layer is what its tar says: every member, and nothing else.

use super::limits::Limits;
use super::member::{Member, MemberKind, Path as Inside};
use super::pipeline::inflate;
use super::reader::TarReader;
use super::unpack::Unpacked;
use super::whiteout::{Whiteout, is_opaque, is_reserved_xattr};
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::privilege::Privilege;
use crate::sys::file_capability;
use crate::sys::node::{Node, NodeKind};
use crate::sys::ownership;
use crate::sys::xattr;
use nix::fcntl::OFlag;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{BufRead, Read};
use std::os::fd::AsFd;
use std::path::Path;

/// Differences that are told; more say nothing more.
const TOLD: usize = 8;
/// Links that lead to each other in a circle.
const MAX_LINKS: usize = 40;

/// What a comparison gave.
pub struct Compared {
    /// What the tar holds.
    pub archive: Unpacked,
    /// Where the tree differs, in words.
    pub differences: Vec<String>,
}

/// Compares the tree at `folder` (a folder, or where an image of the layer is mounted) with the layer's tar `source`,
/// compressed or not: kinds, modes, owners, times, contents, links, devices, whiteouts and opaque folders.
///
/// # Errors
/// `corrupt` when the tar cannot be read.
pub fn compare(source: impl Read + Send, folder: &Path, cx: &Context) -> Result<Compared> {
    let ((expected, size, entries), diff_id) = inflate(source, |chunks| Expected::read(chunks, cx))?;
    let doing = || format!("cannot read `{}`", folder.display());
    let root = Node::of(File::open(folder).doing(doing)?.into()).doing(doing)?;
    let mut comparing = Comparing { expected: expected.entries, differences: Vec::new(), keeps: Keeps::at(folder), cx };
    comparing.folder(&root, &Inside::default())?;
    let Comparing { expected, mut differences, .. } = comparing;
    let missing = expected.keys().filter(|path| !path.as_bytes().is_empty()).take(TOLD);
    differences.extend(missing.map(|path| format!("`{path}` is missing")));
    differences.truncate(TOLD);
    Ok(Compared { archive: Unpacked { diff_id, size, entries }, differences })
}

/// What the tree should have, in the order of paths.
#[derive(Default)]
struct Expected {
    entries: BTreeMap<Inside, Entry>,
}

#[derive(Clone)]
struct Entry {
    kind: MemberKind,
    /// Permissions, owner and time; `None` for folders that no member made.
    attributes: Option<(u32, u32, u32, i64)>,
    size: u64,
    content: [u8; 32],
    opaque: bool,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    fn implied() -> Self {
        Self {
            kind: MemberKind::Directory,
            attributes: None,
            size: 0,
            content: [0; 32],
            opaque: false,
            xattrs: Vec::new(),
        }
    }

    fn of(member: &Member) -> Self {
        Self {
            kind: member.kind.clone(),
            attributes: Some((member.mode, member.uid, member.gid, member.mtime.seconds)),
            size: member.size,
            xattrs: member.xattrs.clone(),
            ..Self::implied()
        }
    }

    fn is_whiteout(&self) -> bool {
        self.kind == MemberKind::CharDevice(0)
    }
}

impl Expected {
    fn read(source: impl BufRead, cx: &Context) -> Result<(Self, u64, u64)> {
        let mut reader = TarReader::new(source, &Limits::default());
        let mut expected = Self::default();
        let (mut size, mut entries) = (0, 0);
        while let Some(member) = reader.next()? {
            cx.check()?;
            size += member.size;
            entries += 1;
            expected.add(&member, &mut reader, cx)?;
        }
        reader.drain()?;
        Ok((expected, size, entries))
    }

    /// What `unpack` makes of a member.
    fn add(&mut self, member: &Member, reader: &mut TarReader<impl BufRead>, cx: &Context) -> Result<()> {
        let Some((parent, name)) = member.path.split() else {
            self.entries.insert(Inside::default(), Entry::of(member));
            return Ok(());
        };
        let whiteout = Whiteout::of(name);
        if whiteout == Whiteout::Metadata {
            return Ok(());
        }
        let parent = self.folder(parent)?;
        match whiteout {
            Whiteout::Opaque => {
                self.entries.entry(parent).or_insert_with(Entry::implied).opaque = true;
                return Ok(());
            }
            Whiteout::Of(hidden) => {
                let whiteout = Entry { kind: MemberKind::CharDevice(0), ..Entry::implied() };
                let entry = self.entries.entry(parent.join(hidden)).or_insert(whiteout);
                entry.opaque |= entry.kind == MemberKind::Directory;
                return Ok(());
            }
            _ => {}
        }
        let path = parent.join(name);
        let mut entry = match &member.kind {
            MemberKind::HardLink(target) => {
                let lost =
                    || Error::corrupt(format!("the archive is damaged: its hard link to `{target}` leads nowhere"));
                let (folder, name) = target.split().ok_or_else(lost)?;
                let target = self.folder(folder)?.join(name);
                self.entries.get(&target).cloned().ok_or_else(lost)?
            }
            _ => Entry::of(member),
        };
        if member.kind == MemberKind::File {
            let mut hasher = Sha256::new();
            loop {
                let bytes = reader.data()?;
                if bytes.is_empty() {
                    break;
                }
                hasher.update(bytes);
                let count = bytes.len();
                reader.consume(count);
                cx.check()?;
            }
            entry.content = hasher.finalize().into();
        }
        match self.entries.get(&path) {
            Some(old) if old.kind == MemberKind::Directory && entry.kind == MemberKind::Directory => {
                entry.opaque = old.opaque;
            }
            Some(old) => {
                entry.opaque = old.is_whiteout() && entry.kind == MemberKind::Directory;
                self.remove_below(&path);
            }
            None => {}
        }
        self.entries.insert(path, entry);
        Ok(())
    }

    fn remove_below(&mut self, path: &Inside) {
        let start = [path.as_bytes(), b"/"].concat();
        let from = self.entries.range(path.clone()..).map(|(other, _)| other);
        let alike = from.take_while(|other| other.as_bytes().starts_with(path.as_bytes()));
        let below: Vec<_> = alike.filter(|other| other.as_bytes().starts_with(&start)).cloned().collect();
        for path in below {
            self.entries.remove(&path);
        }
    }

    /// Where the folder of a name is, behind links; made when it is not there.
    fn folder(&mut self, path: &[u8]) -> Result<Inside> {
        let mut left: Vec<Vec<u8>> = components(path);
        let (mut at, mut links) = (Inside::default(), 0);
        while let Some(name) = left.pop() {
            if name == b".." {
                at = at.split().and_then(|(parent, _)| Inside::parse(parent)).unwrap_or_default();
                continue;
            }
            let next = at.join(&name);
            match self.entries.get(&next).map(|entry| entry.kind.clone()) {
                Some(MemberKind::Symlink(target)) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Error::corrupt("the archive is damaged: its links lead in a circle"));
                    }
                    if target.starts_with(b"/") {
                        at = Inside::default();
                    }
                    left.extend(components(&target));
                }
                Some(_) => at = next,
                None => {
                    self.entries.insert(next.clone(), Entry::implied());
                    at = next;
                }
            }
        }
        Ok(at)
    }
}

/// Last first.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .filter(|component| !matches!(*component, b"" | b"."))
        .rev()
        .map(<[u8]>::to_vec)
        .collect()
}

struct Comparing<'a> {
    /// What was not met yet.
    expected: BTreeMap<Inside, Entry>,
    differences: Vec<String>,
    keeps: Keeps,
    cx: &'a Context,
}

impl Comparing<'_> {
    fn folder(&mut self, folder: &Node, inside: &Inside) -> Result<()> {
        let doing = || format!("cannot read `{inside}` of the layer");
        let opened = folder.open_folder().doing(doing)?;
        for name in folder.names(usize::MAX).doing(doing)?.unwrap_or_default() {
            self.cx.check()?;
            if self.differences.len() >= TOLD {
                return Ok(());
            }
            let path = inside.join(&name);
            let node = Node::at(&opened, &name).doing(doing)?;
            let Some(expected) = self.expected.remove(&path) else {
                self.differences.push(format!("`{path}` is not in the archive"));
                continue;
            };
            if let Some(difference) = difference(&node, &expected, &self.keeps).doing(doing)? {
                self.differences.push(format!("`{path}` {difference}"));
            }
            if node.kind() == NodeKind::Folder {
                self.folder(&node, &path)?;
            }
        }
        Ok(())
    }
}

/// What is wrong with a file, in words that follow its name.
fn difference(node: &Node, expected: &Entry, keeps: &Keeps) -> std::io::Result<Option<String>> {
    let stat = node.stat();
    let same_kind = match &expected.kind {
        MemberKind::File => node.kind() == NodeKind::File,
        MemberKind::Directory => node.kind() == NodeKind::Folder,
        MemberKind::Symlink(target) => node.kind() == NodeKind::Symlink && node.link_target()? == *target,
        MemberKind::CharDevice(device) => node.kind() == NodeKind::CharDevice && stat.st_rdev == *device,
        MemberKind::BlockDevice(device) => node.kind() == NodeKind::BlockDevice && stat.st_rdev == *device,
        MemberKind::Fifo => node.kind() == NodeKind::Fifo,
        // Resolved when it was read.
        MemberKind::HardLink(_) => false,
    };
    if !same_kind {
        return Ok(Some("is something else, or leads elsewhere".to_owned()));
    }
    if let Some((mode, uid, gid, _)) = expected.attributes {
        if node.kind() != NodeKind::Symlink && node.mode() != mode {
            return Ok(Some(format!("has the mode {:o}, not {mode:o}", node.mode())));
        }
        let owner = ownership::recorded(&node.xattrs()?).unwrap_or((stat.st_uid, stat.st_gid));
        // Those of links are not recorded.
        let is_known = !Privilege::current().is_rootless() || matches!(node.kind(), NodeKind::File | NodeKind::Folder);
        if owner != (uid, gid) && is_known {
            return Ok(Some(format!("belongs to {}:{}, not {uid}:{gid}", owner.0, owner.1)));
        }
    }
    if node.kind() == NodeKind::File {
        if u64::try_from(stat.st_size).ok() != Some(expected.size) {
            return Ok(Some(format!("has {} bytes, not {}", stat.st_size, expected.size)));
        }
        if digest(node.open_file(OFlag::O_RDONLY)?)? != expected.content {
            return Ok(Some("has another content".to_owned()));
        }
    }
    // File systems bring times that they cannot keep into their range.
    if let Some((.., time)) = expected.attributes
        && stat.st_mtime != time
        && (0..=i64::from(i32::MAX)).contains(&time)
    {
        return Ok(Some("was changed at another time".to_owned()));
    }
    if matches!(node.kind(), NodeKind::File | NodeKind::Folder) {
        return attributes(node, expected, keeps);
    }
    Ok(None)
}

fn digest(mut file: File) -> std::io::Result<[u8; 32]> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 17]);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..count]);
    }
}

/// Attributes that the file system does not keep are not missed.
fn attributes(node: &Node, expected: &Entry, keeps: &Keeps) -> std::io::Result<Option<String>> {
    let found = node.xattrs()?;
    let opaque = is_opaque(&found);
    if opaque != expected.opaque {
        let text = if opaque { "hides what is below it" } else { "does not hide what is below it" };
        return Ok(Some(text.to_owned()));
    }
    // The last one of a name is the one that is kept.
    let wanted: BTreeMap<_, _> = expected.xattrs.iter().map(|(name, value)| (name, value)).collect();
    for (name, value) in wanted {
        if is_reserved_xattr(name) {
            continue;
        }
        let shown = String::from_utf8_lossy(name);
        match found.iter().find(|(other, _)| other.as_bytes() == name.as_slice()) {
            Some((_, other)) if other != value => {
                return Ok(Some(format!("has another value of the attribute `{}`", shown.escape_debug())));
            }
            None if name == file_capability::XATTR => return Ok(Some("has lost its capabilities".to_owned())),
            None if keeps.keeps(name, value) => {
                return Ok(Some(format!("has lost the attribute `{}`", shown.escape_debug())));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Which attributes the file system of the tree keeps, tried out on a file without a name; on one that cannot be written
/// it is not known.
struct Keeps(Option<File>);

impl Keeps {
    fn at(folder: &Path) -> Self {
        // Beside it: the time of the folder itself is the layer's.
        Self(folder.parent().and_then(|beside| tempfile::tempfile_in(beside).ok()))
    }

    fn keeps(&self, name: &[u8], value: &[u8]) -> bool {
        let (Some(file), Ok(name)) = (&self.0, CString::new(name)) else { return false };
        xattr::set_open(file.as_fd(), &name, value).is_ok()
            && xattr::list_open(file.as_fd())
                .is_ok_and(|kept| kept.iter().any(|(other, had)| *other == name && had == value))
    }
}
