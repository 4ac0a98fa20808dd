//! Members of a tar, one after another, with their extended headers applied.

use super::end_record::{EndRecord, Passed};
use super::header::{BLOCK, Header};
use super::limits::{Limits, MAX_HEADER, MAX_PATH};
use super::member::{Member, MemberKind, Path};
use super::pax::{PaxHeader, SparseRecords};
use crate::error::{Error, ErrorKind, Result};
use std::io::{self, BufRead};

/// Reads members. Data that is not read is skipped.
pub struct TarReader<R> {
    source: R,
    /// Bytes of the current member's data that were not read yet.
    data: u64,
    padding: u64,
    /// Bytes of the tar so far.
    position: u64,
    left: Limits,
    /// What only backups have.
    backup: Option<Backup>,
}

/// What is watched of a backup.
#[derive(Default)]
struct Backup {
    passed: Passed,
    /// The same before the header that is being read.
    before: Passed,
    entries: u64,
    /// What its end says, and what had come before that.
    end: Option<(EndRecord, EndRecord)>,
    /// Bytes of the current member, which has holes.
    sparse: Option<u64>,
}

/// What extended headers have said about the next member.
#[derive(Default)]
struct Extended {
    pax: Option<PaxHeader>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<R: BufRead> TarReader<R> {
    /// Reads from `source` at most what `limits` allow.
    pub fn new(source: R, limits: &Limits) -> Self {
        Self { source, data: 0, padding: 0, position: 0, left: *limits, backup: None }
    }

    /// Takes files with holes, too, and looks for an end record.
    #[must_use]
    pub fn of_backup(self) -> Self {
        Self { backup: Some(Backup::default()), ..self }
    }

    /// What has been read, up to the end record, and what that says, if there is one.
    pub fn end_record(&self) -> (EndRecord, Option<EndRecord>) {
        let Some(backup) = &self.backup else { return (Passed::default().record(0), None) };
        match backup.end.clone() {
            Some((record, found)) => (found, Some(record)),
            None => (backup.before.record(backup.entries), None),
        }
    }

    /// Bytes of the current member when it has holes: its data starts with a map.
    pub fn sparse(&self) -> Option<u64> {
        self.backup.as_ref().and_then(|backup| backup.sparse)
    }

    /// The next member; `None` at the end.
    #[allow(clippy::should_implement_trait)] // a member is read from what follows, so it is no iterator
    pub fn next(&mut self) -> Result<Option<Member>> {
        let mut extended = Extended::default();
        loop {
            self.skip_data()?;
            let Some(header) = self.header()? else {
                return if extended.is_empty() { Ok(None) } else { Err(bad("it ends after an extended header")) };
            };
            match header.typeflag {
                b'x' | b'L' | b'K' | b'g' => self.extend(&header, &mut extended)?,
                _ => return self.member(header, extended).map(Some),
            }
        }
    }

    /// The next bytes of the current member's data; empty at its end. [`Self::consume`] takes them.
    pub fn data(&mut self) -> Result<&[u8]> {
        if self.data == 0 {
            return Ok(&[]);
        }
        let left = self.data;
        let bytes = fill(&mut self.source)?;
        if bytes.is_empty() {
            return Err(bad("it ends in the middle of a file"));
        }
        Ok(&bytes[..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))])
    }

    /// So many bytes of [`Self::data`] were used.
    pub fn consume(&mut self, count: usize) {
        self.pass(count);
        self.data -= count as u64;
    }

    /// Where in the tar the data of the current member goes on, bytes from its start.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn pass(&mut self, count: usize) {
        if let (Some(backup), Ok(bytes)) = (&mut self.backup, self.source.fill_buf()) {
            // What was looked at: nothing is read.
            backup.passed.update(&bytes[..count.min(bytes.len())]);
        }
        self.source.consume(count);
        self.position += count as u64;
    }

    /// Reads what follows the end: it belongs to the digest.
    pub fn drain(mut self) -> Result<R> {
        loop {
            let count = fill(&mut self.source)?.len();
            if count == 0 {
                return Ok(self.source);
            }
            self.source.consume(count);
        }
    }

    fn skip_data(&mut self) -> Result<()> {
        let mut left = std::mem::take(&mut self.data) + std::mem::take(&mut self.padding);
        while left > 0 {
            let count = fill(&mut self.source)?.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if count == 0 {
                return Err(bad("it ends in the middle of a file"));
            }
            self.pass(count);
            left -= count as u64;
        }
        Ok(())
    }

    /// The next header; `None` after the two blocks of zeros that end a tar, or where it just ends.
    fn header(&mut self) -> Result<Option<Header>> {
        let is_first = self.position == 0;
        if let Some(backup) = &mut self.backup {
            backup.before = backup.passed.clone();
        }
        let Some(block) = self.block()? else { return Ok(None) };
        match Header::parse(&block) {
            Err(_) if is_first => return Err(no_archive()),
            Ok(None) => {}
            header => return header,
        }
        match self.block()? {
            None => Ok(None),
            Some(block) if Header::parse(&block)?.is_none() => Ok(None),
            Some(_) => Err(bad("a member follows a block of zeros")),
        }
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let bytes = fill(&mut self.source)?;
            let count = bytes.len().min(BLOCK - filled);
            if count == 0 {
                return match (filled, self.position) {
                    (0, _) => Ok(None),
                    (filled, position) if filled as u64 == position => Err(no_archive()),
                    _ => Err(bad("it ends in the middle of a header")),
                };
            }
            block[filled..filled + count].copy_from_slice(&bytes[..count]);
            self.pass(count);
            filled += count;
        }
        Ok(Some(block))
    }

    /// Takes an extended header in. Programs disagree about what applies when headers are stacked in
    /// odd ways, and then see other members than we do: such archives are refused.
    fn extend(&mut self, header: &Header, extended: &mut Extended) -> Result<()> {
        if header.size > MAX_HEADER {
            return Err(bad("an extended header is larger than 1 MiB"));
        }
        let bytes = self.contents(header.size)?;
        let name = || -> Result<Vec<u8>> {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            Ok(bytes[..end].to_vec())
        };
        if let Some(backup) = &mut self.backup
            && let b'g' = header.typeflag
        {
            let comment = PaxHeader::parse(&bytes)?.comment.unwrap_or_default();
            let record = EndRecord::parse(&comment).map(|record| (record, backup.before.record(backup.entries)));
            backup.end = record.or(backup.end.take());
        }
        let twice = match header.typeflag {
            _ if extended.pax.is_some() => true,
            b'L' => extended.long_name.replace(name()?).is_some(),
            b'K' => extended.long_link.replace(name()?).is_some(),
            b'x' => extended.pax.replace(PaxHeader::parse(&bytes)?).is_some(),
            _ => {
                // A global header holds comments, such as git's commit. What would change members
                // is not honoured by Docker or containerd, so it must not be there.
                let global = PaxHeader::parse(&bytes)?;
                !extended.is_empty() || global.size.is_some() || global.path.is_some() || global.link.is_some()
            }
        };
        if twice { Err(bad("extended headers contradict each other")) } else { Ok(()) }
    }

    /// All data of a header-like member.
    fn contents(&mut self, size: u64) -> Result<Vec<u8>> {
        self.set_data(size);
        let mut bytes = Vec::with_capacity(size as usize);
        loop {
            let part = self.data()?;
            if part.is_empty() {
                return Ok(bytes);
            }
            bytes.extend_from_slice(part);
            let count = part.len();
            self.consume(count);
        }
    }

    fn set_data(&mut self, size: u64) {
        self.data = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    fn member(&mut self, header: Header, extended: Extended) -> Result<Member> {
        let mut pax = extended.pax.unwrap_or_default();
        let sparse = self.holes(&mut pax)?;
        let name = pax.path.or(extended.long_name).unwrap_or(header.name);
        let link = pax.link.or(extended.long_link).unwrap_or(header.link);
        let folder = name.ends_with(b"/");
        let path = path(&name)?;
        let device = nix::sys::stat::makedev(u64::from(header.major), u64::from(header.minor));
        let kind = match header.typeflag {
            // Before POSIX, a folder was a file whose name ends with a slash.
            b'0' | 0 | b'7' if folder => MemberKind::Directory,
            b'0' | 0 | b'7' => MemberKind::File,
            b'1' => MemberKind::HardLink(self::path(&link)?),
            b'2' => MemberKind::Symlink(link_text(link)?),
            b'3' => MemberKind::CharDevice(device),
            b'4' => MemberKind::BlockDevice(device),
            b'5' => MemberKind::Directory,
            b'6' => MemberKind::Fifo,
            b'S' => {
                return Err(Error::unsupported(format!("`{path}` is a sparse file of the archive"))
                    .hint("write the archive without `--sparse`"));
            }
            other => return Err(bad(&format!("`{path}` has the unknown type `{}`", other.escape_ascii()))),
        };
        // Only files have data; what other members say about their size is ignored, as by Go's reader.
        let stored = if kind == MemberKind::File { pax.size.unwrap_or(header.size) } else { 0 };
        self.count(&name, stored)?;
        self.set_data(stored);
        let size = sparse.filter(|_| kind == MemberKind::File).unwrap_or(stored);
        Ok(Member {
            path,
            kind,
            mode: header.mode,
            uid: owner(pax.uid.unwrap_or(header.uid))?,
            gid: owner(pax.gid.unwrap_or(header.gid))?,
            mtime: pax.mtime.unwrap_or(header.mtime),
            size,
            xattrs: pax.xattrs,
        })
    }

    /// The size of a member with holes, whose right name is one of their records.
    fn holes(&mut self, pax: &mut PaxHeader) -> Result<Option<u64>> {
        let sparse = std::mem::take(&mut pax.sparse);
        let Some(backup) = &mut self.backup else {
            return if sparse.is_empty() {
                Ok(None)
            } else {
                Err(Error::unsupported("the archive holds a sparse file").hint("write the archive without `--sparse`"))
            };
        };
        if backup.end.is_some() {
            return Err(bad("a member follows its end"));
        }
        backup.entries += 1;
        backup.sparse = None;
        match sparse {
            none if none.is_empty() => {}
            SparseRecords { major: Some(1), minor: Some(0), name: Some(name), real_size: Some(size), other: false } => {
                pax.path = Some(name);
                backup.sparse = Some(size);
            }
            _ => {
                return Err(Error::unsupported("the archive holds a sparse file in an old format")
                    .hint("write it with `tar --format=posix --sparse`, or without `--sparse`"));
            }
        }
        Ok(backup.sparse)
    }

    fn count(&mut self, name: &[u8], size: u64) -> Result<()> {
        let take = |left: &mut u64, amount: u64, what: &str| {
            *left = left.checked_sub(amount).ok_or_else(|| bad(&format!("it holds too many {what}")))?;
            Ok::<_, Error>(())
        };
        take(&mut self.left.entries, 1, "members")?;
        take(&mut self.left.bytes, size, "bytes")?;
        take(&mut self.left.name_bytes, name.len() as u64, "bytes of names")
    }
}

impl Extended {
    fn is_empty(&self) -> bool {
        self.pax.is_none() && self.long_name.is_none() && self.long_link.is_none()
    }
}

fn path(name: &[u8]) -> Result<Path> {
    if name.len() > MAX_PATH {
        return Err(bad("a name is longer than 4095 bytes"));
    }
    Path::parse(name).ok_or_else(|| bad(&format!("the name `{}` leads outside", name.escape_ascii())))
}

fn link_text(link: Vec<u8>) -> Result<Vec<u8>> {
    if link.is_empty() || link.len() > MAX_PATH || link.contains(&0) {
        return Err(bad("a symbolic link has no proper target"));
    }
    Ok(link)
}

/// -1 means "leave it" to `chown(2)`: no honest archive has it.
fn owner(id: u32) -> Result<u32> {
    if id == u32::MAX { Err(bad("an owner is out of range")) } else { Ok(id) }
}

fn fill<R: BufRead>(source: &mut R) -> Result<&[u8]> {
    // Asked twice, because of how the borrow of the first answer would last; the second costs nothing.
    loop {
        match source.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error, "cannot read the archive")),
        }
    }
    source.fill_buf().map_err(|error| failed(error, "cannot read the archive"))
}

/// An error of whoever gives the bytes: our own comes back as it was, damaged compression is `corrupt`.
pub fn failed(error: io::Error, doing: &str) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        _ => ErrorKind::Io,
    };
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        // The decoders of gzip and zstd say what is wrong with the data, the system has error numbers.
        Err(error) if error.raw_os_error().is_none() => Error::new(ErrorKind::Corrupt, format!("{doing}: {error}")),
        Err(error) => Error::new(kind, format!("{doing}: {}", crate::error::errno_text(&error))),
    }
}

fn no_archive() -> Error {
    Error::corrupt("this is no tar archive, or its beginning is damaged")
}

fn bad(why: &str) -> Error {
    Error::corrupt(format!("the archive is damaged: {why}"))
}
