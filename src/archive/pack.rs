//! A folder into a layer's tar: the same folder always gives the same bytes.

use super::pax::XATTR_PREFIX;
use super::whiteout::{self, OPAQUE_XATTR, OVERLAY_XATTRS};
use crate::error::{Error, IoContext, Result};
use crate::sys::xattr;
use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// What is written besides the files as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct PackOptions {
    /// The folder is an overlay's upper directory: its whiteouts and opaque folders become OCI's.
    pub whiteouts: bool,
    /// Every time becomes this one, seconds since 1970.
    pub mtime: Option<u64>,
}

/// Writes everything below `root` as a tar, in the order of names.
pub fn pack(root: &Path, options: &PackOptions, output: impl Write) -> Result<()> {
    let mut packer = Packer { builder: Builder::new(output), options, links: HashMap::new() };
    packer.folder(root, Path::new(""))?;
    packer.builder.into_inner().and_then(|mut output| output.flush()).doing(|| "cannot write an archive")
}

struct Packer<'a, W: Write> {
    builder: Builder<W>,
    options: &'a PackOptions,
    /// Files with several names: device and inode, and the name that was written first.
    links: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packer<'_, W> {
    fn folder(&mut self, host: &Path, inside: &Path) -> Result<()> {
        let doing = || format!("cannot read `{}`", host.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(host).doing(doing)? {
            names.push(entry.doing(doing)?.file_name());
        }
        names.sort();
        for name in names {
            self.entry(&host.join(&name), &inside.join(&name))?;
        }
        Ok(())
    }

    fn entry(&mut self, host: &Path, inside: &Path) -> Result<()> {
        let doing = || format!("cannot pack `{}`", host.display());
        let metadata = fs::symlink_metadata(host).doing(doing)?;
        let kind = metadata.file_type();
        if kind.is_socket() {
            return Ok(()); // Nothing listens in an image; no tar can hold one.
        }
        if self.options.whiteouts && kind.is_char_device() && metadata.rdev() == 0 {
            return self.whiteout(&sibling(inside, whiteout::PREFIX)).doing(doing);
        }
        let attributes = match xattr::list(host) {
            Err(error) if xattr::is_unsupported(&error) => Vec::new(),
            other => other.doing(doing)?,
        };
        let mut header = self.header(&metadata);
        if kind.is_dir() {
            header.set_entry_type(EntryType::Directory);
            self.append(header, &inside.join(""), None, &attributes, &metadata, io::empty()).doing(doing)?;
            if self.options.whiteouts && is_opaque(&attributes) {
                self.whiteout(&inside.join(OsStr::from_bytes(whiteout::OPAQUE))).doing(doing)?;
            }
            return self.folder(host, inside);
        }
        if metadata.nlink() > 1 {
            if let Some(first) = self.links.get(&(metadata.dev(), metadata.ino())) {
                let first = first.clone();
                header.set_entry_type(EntryType::Link);
                return self.append(header, inside, Some(&first), &[], &metadata, io::empty()).doing(doing);
            }
            self.links.insert((metadata.dev(), metadata.ino()), inside.to_owned());
        }
        if kind.is_file() {
            header.set_entry_type(EntryType::Regular);
            header.set_size(metadata.len());
            let file = File::open(host).doing(doing)?;
            let data = Exactly { file, left: metadata.len() };
            return self.append(header, inside, None, &attributes, &metadata, data).doing(doing);
        }
        if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            let target = fs::read_link(host).doing(doing)?;
            return self.append(header, inside, Some(&target), &attributes, &metadata, io::empty()).doing(doing);
        }
        header.set_entry_type(match (kind.is_char_device(), kind.is_block_device()) {
            (true, _) => EntryType::Char,
            (_, true) => EntryType::Block,
            _ => EntryType::Fifo,
        });
        let set = header
            .set_device_major(nix::sys::stat::major(metadata.rdev()) as u32)
            .and_then(|()| header.set_device_minor(nix::sys::stat::minor(metadata.rdev()) as u32));
        set.and_then(|()| self.append(header, inside, None, &attributes, &metadata, io::empty())).doing(doing)
    }

    fn header(&self, metadata: &Metadata) -> Header {
        let mut header = Header::new_ustar();
        header.set_mode(metadata.mode() & 0o7777);
        header.set_uid(u64::from(metadata.uid()));
        header.set_gid(u64::from(metadata.gid()));
        header.set_mtime(self.options.mtime.unwrap_or(metadata.mtime().max(0) as u64));
        header.set_size(0);
        header
    }

    /// An empty file with a meaningful name.
    fn whiteout(&mut self, inside: &Path) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0);
        header.set_size(0);
        header.set_mtime(self.options.mtime.unwrap_or(0));
        self.named(header, inside, None, Vec::new(), io::empty())
    }

    fn append(
        &mut self,
        header: Header,
        inside: &Path,
        link: Option<&Path>,
        attributes: &[(CString, Vec<u8>)],
        metadata: &Metadata,
        data: impl io::Read,
    ) -> io::Result<()> {
        let mut records: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        if self.options.mtime.is_none() && (metadata.mtime_nsec() != 0 || metadata.mtime() < 0) {
            records.push((b"mtime".to_vec(), decimal(metadata.mtime(), metadata.mtime_nsec()).into_bytes()));
        }
        for (name, value) in attributes {
            let name = name.to_bytes();
            if !OVERLAY_XATTRS.iter().any(|prefix| name.starts_with(prefix)) {
                records.push(([XATTR_PREFIX, name].concat(), value.clone()));
            }
        }
        // Beside the times, whose order is fixed, so that the order of a listing does not matter.
        records.sort();
        self.named(header, inside, link, records, data)
    }

    /// Names that the header has no room for go into a PAX record, which has no limits and no dialects.
    fn named(
        &mut self,
        mut header: Header,
        inside: &Path,
        link: Option<&Path>,
        mut records: Vec<(Vec<u8>, Vec<u8>)>,
        data: impl io::Read,
    ) -> io::Result<()> {
        let mut short = |path: &Path, key: &[u8], room: usize| {
            let bytes = path.as_os_str().as_bytes();
            if bytes.len() > room {
                records.push((key.to_vec(), bytes.to_vec()));
            }
            bytes[..bytes.len().min(room)].to_vec()
        };
        let name = short(inside, b"path", NAME_ROOM);
        let link = link.map(|link| short(link, b"linkpath", NAME_ROOM)).unwrap_or_default();
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(&name);
        old.linkname[..link.len()].copy_from_slice(&link);
        header.set_cksum();
        if !records.is_empty() {
            self.extended(&records)?;
        }
        self.builder.append(&header, data)
    }

    fn extended(&mut self, records: &[(Vec<u8>, Vec<u8>)]) -> io::Result<()> {
        let mut text = Vec::new();
        for (key, value) in records {
            text.extend(record(key, value));
        }
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XHeader);
        header.as_old_mut().name[..PAX_NAME.len()].copy_from_slice(PAX_NAME);
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        header.set_cksum();
        self.builder.append(&header, &text[..])
    }
}

/// Bytes of the name fields; a full one needs no zero at its end.
const NAME_ROOM: usize = 100;
/// What programs that do not know PAX would unpack the records as.
const PAX_NAME: &[u8] = b"pax_header";

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

/// Seconds with their fraction; before 1970 the fraction counts backward.
fn decimal(seconds: i64, nanoseconds: i64) -> String {
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let sign = if total < 0 { "-" } else { "" };
    let total = total.unsigned_abs();
    format!("{sign}{}.{:09}", total / 1_000_000_000, total % 1_000_000_000)
}

fn sibling(path: &Path, prefix: &[u8]) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    path.with_file_name(OsStr::from_bytes(&[prefix, name.as_bytes()].concat()))
}

fn is_opaque(attributes: &[(CString, Vec<u8>)]) -> bool {
    attributes.iter().any(|(name, value)| name.as_c_str() == OPAQUE_XATTR && value == b"y")
}

/// A file that must not have grown or shrunk since its header was written.
struct Exactly {
    file: File,
    left: u64,
}

impl io::Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.file.read(&mut buffer[..room])?;
        if count == 0 && room > 0 {
            return Err(io::Error::other(Error::new(
                crate::error::ErrorKind::Busy,
                "the file shrank while it was read",
            )));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_digits() {
        assert_eq!(record(b"a", b"bc"), b"7 a=bc\n");
        assert_eq!(record(b"abc", b"d"), b"8 abc=d\n");
        for size in 0..2000 {
            let record = record(b"k", &vec![b'v'; size]);
            assert!(record.starts_with(format!("{} k=", record.len()).as_bytes()), "{size}");
        }
    }

    #[test]
    fn times_before_1970_are_written_backward() {
        assert_eq!(decimal(-2, 750_000_000), "-1.250000000");
        assert_eq!(decimal(5, 1), "5.000000001");
    }
}
