//! Members into a tar: ustar headers, and PAX records for what has no room in them.

use super::header::BLOCK;
use super::member::{Member, MemberKind, Time};
use super::pax::XATTR_PREFIX;
use super::sparse::SparseMap;
use std::io::{self, Read, Write};
use tar::{EntryType, Header};

/// Copied at once.
const BUFFER: usize = 1 << 17;

/// Writes members, in the order given. The same members always give the same bytes.
pub struct TarWriter<W: Write> {
    output: W,
    buffer: Vec<u8>,
}

impl<W: Write> TarWriter<W> {
    /// Writes to `output`.
    pub fn new(output: W) -> Self {
        Self { output, buffer: Vec::new() }
    }

    /// Where it writes to.
    pub fn output(&self) -> &W {
        &self.output
    }

    /// Adds a member; `data` must have as many bytes as it says.
    pub fn add(&mut self, member: &Member, data: impl Read) -> io::Result<()> {
        self.add_member(member, None, data)
    }

    /// Adds a file with holes; `data` is what the map says.
    pub fn add_sparse(&mut self, member: &Member, map: &SparseMap, data: impl Read) -> io::Result<()> {
        let text = map.text();
        let size = text.len() as u64 + map.data_size();
        self.add_member(member, Some(size), text.chain(data))
    }

    /// Says something about the whole archive.
    pub fn comment(&mut self, text: &str) -> io::Result<()> {
        self.extended(EntryType::XGlobalHeader, &[(b"comment".to_vec(), text.as_bytes().to_vec())])
    }

    /// `stored`: so many bytes stand for a file with holes.
    fn add_member(&mut self, member: &Member, stored: Option<u64>, data: impl Read) -> io::Result<()> {
        let mut header = Header::new_ustar();
        let mut records: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        header.set_mode(member.mode);
        let size = stored.unwrap_or(member.size);
        header.set_size(size);
        header.set_mtime(member.mtime.seconds.max(0) as u64);
        if member.mtime.nanoseconds != 0 || member.mtime.seconds < 0 {
            records.push((b"mtime".to_vec(), decimal(member.mtime).into_bytes()));
        }
        let name = match member.kind {
            // The root itself.
            MemberKind::Directory if member.path.as_bytes().is_empty() => b"./".to_vec(),
            MemberKind::Directory => [member.path.as_bytes(), b"/"].concat(),
            _ if stored.is_some() => {
                // Its right name is for those who know the format.
                let (parent, name) = member.path.split().unwrap_or_default();
                let text = |text: &str| text.as_bytes().to_vec();
                records.push((text("GNU.sparse.major"), text("1")));
                records.push((text("GNU.sparse.minor"), text("0")));
                records.push((text("GNU.sparse.name"), member.path.as_bytes().to_vec()));
                records.push((text("GNU.sparse.realsize"), text(&member.size.to_string())));
                let folder = if parent.is_empty() { Vec::new() } else { [parent, b"/"].concat() };
                [&folder, &b"GNUSparseFile.0/"[..], name].concat()
            }
            _ => member.path.as_bytes().to_vec(),
        };
        let mut link: &[u8] = b"";
        let entry_type = match &member.kind {
            MemberKind::File => EntryType::Regular,
            MemberKind::Directory => EntryType::Directory,
            MemberKind::Symlink(target) => {
                link = target;
                EntryType::Symlink
            }
            MemberKind::HardLink(target) => {
                link = target.as_bytes();
                EntryType::Link
            }
            MemberKind::CharDevice(device) => {
                set_device(&mut header, *device)?;
                EntryType::Char
            }
            MemberKind::BlockDevice(device) => {
                set_device(&mut header, *device)?;
                EntryType::Block
            }
            MemberKind::Fifo => EntryType::Fifo,
        };
        header.set_entry_type(entry_type);
        for (key, id) in [("uid", member.uid), ("gid", member.gid)] {
            if u64::from(id) > OCTAL_ID {
                records.push((key.into(), id.to_string().into_bytes()));
            }
        }
        header.set_uid(u64::from(member.uid).min(OCTAL_ID));
        header.set_gid(u64::from(member.gid).min(OCTAL_ID));
        for (attribute, value) in &member.xattrs {
            records.push(([XATTR_PREFIX, attribute].concat(), value.clone()));
        }
        let old = header.as_old_mut();
        for (key, text, field) in [("path", &name[..], &mut old.name), ("linkpath", link, &mut old.linkname)] {
            let room = text.len().min(field.len());
            field[..room].copy_from_slice(&text[..room]);
            if room < text.len() {
                records.push((key.into(), text.to_vec()));
            }
        }
        if !records.is_empty() {
            // Attributes come in the order in which a file system lists them, which is any.
            records.sort();
            self.extended(EntryType::XHeader, &records)?;
        }
        header.set_cksum();
        self.append(&header, size, data)
    }

    /// Writes the end, and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.write_all(&[0; 2 * BLOCK])?;
        Ok(self.output)
    }

    fn append(&mut self, header: &Header, size: u64, mut data: impl Read) -> io::Result<()> {
        self.output.write_all(header.as_bytes())?;
        let mut left = size;
        self.buffer.resize(BUFFER, 0);
        while left > 0 {
            let room = BUFFER.min(usize::try_from(left).unwrap_or(usize::MAX));
            match data.read(&mut self.buffer[..room]) {
                Ok(0) => return Err(io::Error::other("a file has fewer bytes than its header says")),
                Ok(count) => {
                    self.output.write_all(&self.buffer[..count])?;
                    left -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        self.output.write_all(&[0; BLOCK][..padding as usize])
    }

    fn extended(&mut self, kind: EntryType, records: &[(Vec<u8>, Vec<u8>)]) -> io::Result<()> {
        let text: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.as_old_mut().name[..PAX_NAME.len()].copy_from_slice(PAX_NAME);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(text.len() as u64);
        header.set_cksum();
        self.append(&header, text.len() as u64, &text[..])
    }
}

/// The largest id that seven octal digits hold.
const OCTAL_ID: u64 = 0o7_777_777;
/// What programs that do not know PAX would unpack the records as.
const PAX_NAME: &[u8] = b"pax_header";

fn set_device(header: &mut Header, device: u64) -> io::Result<()> {
    header.set_device_major(nix::sys::stat::major(device) as u32)?;
    header.set_device_minor(nix::sys::stat::minor(device) as u32)
}

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
fn decimal(time: Time) -> String {
    let total = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds);
    let sign = if total < 0 { "-" } else { "" };
    let total = total.unsigned_abs();
    format!("{sign}{}.{:09}", total / 1_000_000_000, total % 1_000_000_000)
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
        assert_eq!(decimal(Time { seconds: -2, nanoseconds: 750_000_000 }), "-1.250000000");
        assert_eq!(decimal(Time { seconds: 5, nanoseconds: 1 }), "5.000000001");
    }
}
