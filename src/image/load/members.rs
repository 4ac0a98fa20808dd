//! The members of an image archive: small documents in memory, everything else as blobs that wait.

use crate::archive::member::{Member, MemberKind, Path};
use crate::archive::{Limits, TarReader, decompress};
use crate::context::{Context, ProgressItem};
use crate::error::{Error, IoContext, Result};
use crate::image::config::MAX_CONFIG;
use crate::model::Digest;
use crate::store::{Content, ParkedBlob};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};

/// What an image archive may hold: ten times what is ever saved at once. Names are kept in memory.
const LIMITS: Limits = Limits { entries: 200_000, bytes: 1 << 40, name_bytes: 16 << 20 };
/// Layers, configs and manifests; while the archive is read each is a file.
const MAX_FILES: usize = 20_000;
/// How many links may lead from one to the next; Docker's archives have one.
const MAX_LINKS: usize = 8;
const BUFFER: usize = 1 << 17;

/// What is kept in memory.
const DOCUMENTS: [&str; 4] = ["index.json", "manifest.json", "oci-layout", "repositories"];
/// Beside each layer in the form that Docker wrote before 25; what matters is in `manifest.json` too.
const LEFT_OUT: [&[u8]; 2] = [b"VERSION", b"json"];

/// All that was in an archive.
#[derive(Default)]
pub struct Members {
    files: HashMap<Path, Held>,
    documents: HashMap<&'static str, Vec<u8>>,
    /// Those that the store has not.
    waiting: HashMap<Digest, ParkedBlob>,
}

/// What is under a name.
#[derive(PartialEq)]
enum Held {
    Blob(Digest, u64),
    Link(Path),
}

impl Members {
    /// Reads the whole stream.
    pub fn read(content: &Content<'_>, input: &mut (dyn Read + Send), cx: &Context) -> Result<Self> {
        let plain = decompress(Stoppable { input, cx })?;
        let mut reader = TarReader::new(BufReader::with_capacity(BUFFER, plain), &LIMITS);
        let progress = cx.progress.start("reading the archive", None);
        let mut members = Self::default();
        while let Some(member) = reader.next()? {
            members
                .take(content, &member, &mut reader, &*progress)
                .map_err(|error| error.context(format!("member `{}` of the archive", member.path)))?;
        }
        // To the end, so that who writes into a pipe is not stopped by us.
        reader.drain()?;
        Ok(members)
    }

    /// One of the small files at the top.
    pub fn document(&self, name: &str) -> Option<&[u8]> {
        self.documents.get(name).map(Vec::as_slice)
    }

    /// Digest and size of the file with this name, links followed.
    pub fn find(&self, name: &str) -> Result<(&Digest, u64)> {
        let mut path = Path::parse(name.as_bytes())
            .ok_or_else(|| Error::corrupt(format!("the archive names the file `{name}`, which is outside of it")))?;
        for _ in 0..=MAX_LINKS {
            match self.files.get(&path) {
                Some(Held::Blob(digest, size)) => return Ok((digest, *size)),
                Some(Held::Link(target)) => path = target.clone(),
                None => return Err(Error::corrupt(format!("the archive has no file `{name}`"))),
            }
        }
        Err(Error::corrupt(format!("`{name}` leads through too many links of the archive")))
    }

    /// Opens a blob that was found.
    pub fn open(&self, content: &Content<'_>, digest: &Digest) -> Result<File> {
        match self.waiting.get(digest) {
            Some(blob) => blob.open(),
            None => content.store().open_blob(digest),
        }
    }

    /// Reads a manifest or config that was found.
    pub fn read_small(&self, content: &Content<'_>, digest: &Digest) -> Result<Vec<u8>> {
        let Some(blob) = self.waiting.get(digest) else { return content.store().read_blob(digest, MAX_CONFIG) };
        if blob.size() > MAX_CONFIG {
            return Err(too_large(blob.size()).context(format!("`{digest}`")));
        }
        let mut bytes = Vec::new();
        blob.open()?.read_to_end(&mut bytes).doing(|| format!("cannot read blob `{digest}`"))?;
        Ok(bytes)
    }

    /// A blob is wanted: it becomes one of the store.
    pub fn keep(&mut self, digest: &Digest) -> Result<()> {
        self.waiting.remove(digest).map_or(Ok(()), |blob| blob.commit().map(drop))
    }

    fn take<R: BufRead>(
        &mut self,
        content: &Content<'_>,
        member: &Member,
        reader: &mut TarReader<R>,
        progress: &dyn ProgressItem,
    ) -> Result<()> {
        let (folder, name) = member.path.split().unwrap_or_default();
        let held = match &member.kind {
            MemberKind::Directory => return Ok(()),
            MemberKind::File if folder.is_empty() && document_name(name).is_some() => {
                return self.take_document(member, reader);
            }
            MemberKind::File if !folder.is_empty() && LEFT_OUT.contains(&name) => return Ok(()),
            MemberKind::File => self.take_blob(content, member, reader, progress)?,
            MemberKind::Symlink(target) => {
                let outside = || Error::corrupt("it is a link that leads outside");
                Held::Link(target_of(folder, target).ok_or_else(outside)?)
            }
            MemberKind::HardLink(target) => Held::Link(target.clone()),
            _ => return Err(Error::corrupt("it is neither a file, nor a folder, nor a link")),
        };
        if self.files.get(&member.path).is_some_and(|known| *known != held) {
            return Err(twice());
        }
        if self.files.len() == MAX_FILES {
            return Err(Error::corrupt(format!("the archive holds more than {MAX_FILES} files")));
        }
        self.files.insert(member.path.clone(), held);
        Ok(())
    }

    fn take_document<R: BufRead>(&mut self, member: &Member, reader: &mut TarReader<R>) -> Result<()> {
        let name = document_name(member.path.as_bytes()).expect("it was looked at");
        if member.size > MAX_CONFIG {
            return Err(too_large(member.size));
        }
        let mut bytes = Vec::new();
        copy(reader, &mut bytes)?;
        match self.documents.insert(name, bytes) {
            Some(before) if before != self.documents[name] => Err(twice()),
            _ => Ok(()),
        }
    }

    fn take_blob<R: BufRead>(
        &mut self,
        content: &Content<'_>,
        member: &Member,
        reader: &mut TarReader<R>,
        progress: &dyn ProgressItem,
    ) -> Result<Held> {
        let named = digest_in(&member.path);
        let is_here = |digest: &Digest| self.waiting.contains_key(digest) || content.store().has_blob(digest);
        let digest = if named.as_ref().is_some_and(is_here) {
            let mut hash = Hash { hasher: Sha256::new(), progress };
            copy(reader, &mut hash)?;
            Digest::from_sha256(&hash.hasher.finalize())
        } else {
            let mut blob = content.new_blob()?;
            copy(reader, &mut Told { output: &mut blob, progress })?;
            let blob = blob.park();
            let digest = blob.digest().clone();
            if !is_here(&digest) {
                self.waiting.insert(digest.clone(), blob);
            }
            digest
        };
        match named.filter(|named| *named != digest) {
            Some(_) => Err(Error::corrupt(format!("its digest is `{digest}`"))),
            None => Ok(Held::Blob(digest, member.size)),
        }
    }
}

fn document_name(name: &[u8]) -> Option<&'static str> {
    DOCUMENTS.into_iter().find(|document| document.as_bytes() == name)
}

/// The digest that an OCI image layout says a file has.
fn digest_in(path: &Path) -> Option<Digest> {
    let hex = std::str::from_utf8(path.as_bytes().strip_prefix(b"blobs/sha256/")?).ok()?;
    format!("sha256:{hex}").parse().ok()
}

/// Where a symbolic link in `folder` leads; `None`: outside.
fn target_of(folder: &[u8], target: &[u8]) -> Option<Path> {
    if target.starts_with(b"/") {
        return None;
    }
    let mut parts: Vec<&[u8]> = folder.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Path::parse(&parts.join(&b'/'))
}

fn copy<R: BufRead>(reader: &mut TarReader<R>, output: &mut dyn Write) -> Result<()> {
    loop {
        let bytes = reader.data()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let count = bytes.len();
        output.write_all(bytes).doing(|| "cannot store it")?;
        reader.consume(count);
    }
}

fn twice() -> Error {
    Error::corrupt("it is in it twice, with different content")
}

fn too_large(size: u64) -> Error {
    Error::corrupt(format!("it has {size} bytes, more than such a document may have ({MAX_CONFIG})"))
}

/// Input that ends when the operation has to stop.
struct Stoppable<'a> {
    input: &'a mut (dyn Read + Send),
    cx: &'a Context,
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cx.check().map_err(io::Error::other)?;
        self.input.read(buffer)
    }
}

struct Hash<'a> {
    hasher: Sha256,
    progress: &'a dyn ProgressItem,
}

impl Write for Hash<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.progress.advance(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An output that tells how far it is.
struct Told<'a, W> {
    output: &'a mut W,
    progress: &'a dyn ProgressItem,
}

impl<W: Write> Write for Told<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.output.write(bytes)?;
        self.progress.advance(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_members_or_nowhere() {
        for (folder, target, expected) in [
            ("a", "../b/layer.tar", Some("b/layer.tar")),
            ("", "x", Some("x")),
            ("a/b", "./../c", Some("a/c")),
            ("a", "../../b", None),
            ("", "..", None),
            ("a", "/etc/passwd", None),
        ] {
            let found = target_of(folder.as_bytes(), target.as_bytes()).map(|path| path.to_string());
            assert_eq!(found.as_deref(), expected, "{folder} {target}");
        }
    }

    #[test]
    fn only_names_of_a_layout_say_a_digest() {
        let digest = format!("sha256:{:064}", 7);
        let path = |text: String| digest_in(&Path::parse(text.as_bytes()).unwrap());
        assert_eq!(path(format!("blobs/sha256/{:064}", 7)).unwrap().to_string(), digest);
        for other in [format!("blobs/sha256/{:063}", 7), format!("x/blobs/sha256/{:064}", 7), format!("{:064}.json", 7)]
        {
            assert!(path(other.clone()).is_none(), "{other}");
        }
    }
}
