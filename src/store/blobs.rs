//! Writing blobs: to another name, verified, synced, renamed. A broken download can be resumed.

use super::parked::ParkedBlob;
use super::{Content, Store, layout};
use crate::context::CancelToken;
use crate::error::{Error, IoContext, Result};
use crate::model::Digest;
use crate::sys::lock::FileLock;
use crate::sys::writeback;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What is to be done to have a blob.
pub enum BlobDownload {
    /// Nothing: it is here, whole.
    Present,
    /// Fetch it from [`BlobWriter::offset`] on.
    Needed(Box<BlobWriter>),
}

/// A blob with a known digest on its way in. Dropped before [`Self::commit`], it leaves what it
/// got for the next one to resume.
pub struct BlobWriter {
    lock: FileLock,
    partial: PathBuf,
    target: PathBuf,
    digest: Digest,
    size: u64,
    offset: u64,
    hasher: Sha256,
}

/// A blob whose digest is not known yet. Dropped before [`Self::commit`], it is gone.
pub struct NewBlob {
    file: tempfile::NamedTempFile,
    folder: PathBuf,
    hasher: Sha256,
    size: u64,
}

/// After so many bytes the disk is set to work: what is left for the `fsync` at the end is short.
const WRITEBACK: u64 = 8 << 20;

impl Store {
    /// Reads a whole blob of at most `limit` bytes and verifies it: manifests and configs.
    ///
    /// # Errors
    /// `corrupt` when it is larger, or does not match its digest.
    pub fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = self.open_blob(digest)?;
        file.take(limit + 1).read_to_end(&mut bytes).doing(|| format!("cannot read blob `{digest}`"))?;
        if bytes.len() as u64 > limit {
            return Err(Error::corrupt(format!("blob `{digest}` is larger than {limit} bytes")));
        }
        if Digest::from_sha256(&Sha256::digest(&bytes)) != *digest {
            return Err(Error::corrupt(format!("blob `{digest}` does not match its digest"))
                .hint("pull the image again: `shanty eval 'image(\"NAME\").pull()'`"));
        }
        Ok(bytes)
    }
}

impl Content<'_> {
    /// Starts or resumes fetching a blob. Waits while another process or thread fetches the same one.
    pub fn download_blob(&self, digest: &Digest, size: u64, cancel: &CancelToken) -> Result<BlobDownload> {
        let target = self.store.blob_path(digest);
        if target.exists() {
            return Ok(BlobDownload::Present);
        }
        let partial = self.store.root.join(layout::PARTIAL_BLOBS).join(digest.hex());
        let open = || File::options().read(true).write(true).create(true).truncate(false).open(&partial);
        let lock = FileLock::lock_path(&partial, open, cancel)?;
        if target.exists() {
            let _ = fs::remove_file(&partial);
            return Ok(BlobDownload::Present);
        }
        let mut writer =
            BlobWriter { lock, partial, target, digest: digest.clone(), size, offset: 0, hasher: Sha256::new() };
        writer.resume()?;
        Ok(BlobDownload::Needed(Box::new(writer)))
    }

    /// Stores a small blob: a manifest or config.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest> {
        let mut blob = self.new_blob()?;
        blob.write_all(bytes).doing(|| "cannot write a blob")?;
        blob.commit()
    }

    /// Starts a blob whose digest comes out at its end.
    pub fn new_blob(&self) -> Result<NewBlob> {
        let partial = self.store.root.join(layout::PARTIAL_BLOBS);
        let file = tempfile::Builder::new()
            .prefix("new-")
            .tempfile_in(&partial)
            .doing(|| format!("cannot make a file in `{}`", partial.display()))?;
        Ok(NewBlob { file, folder: self.store.root.join(layout::BLOBS), hasher: Sha256::new(), size: 0 })
    }
}

impl BlobWriter {
    /// How many bytes are here already: where to go on.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What the descriptor says it will be, bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// A second handle on what is here already, from its start.
    pub fn partial(&self) -> Result<impl Read + Send + use<>> {
        let file = File::open(&self.partial).doing(|| format!("cannot open `{}`", self.partial.display()))?;
        Ok(file.take(self.offset))
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// `corrupt` when they are more than the descriptor says.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.offset + bytes.len() as u64 > self.size {
            return Err(self.reject(format!("blob `{}` is longer than its {} bytes", self.digest, self.size)));
        }
        self.lock.file().write_all(bytes).doing(|| format!("cannot write blob `{}`", self.digest))?;
        self.hasher.update(bytes);
        let before = self.offset / WRITEBACK;
        self.offset += bytes.len() as u64;
        if self.offset / WRITEBACK > before {
            writeback::start(self.lock.file());
        }
        Ok(())
    }

    /// Starts again from the first byte: the other side does not know ranges.
    pub fn restart(&mut self) -> Result<()> {
        let mut file = self.lock.file();
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).doing(|| "cannot empty a partial blob")?;
        self.offset = 0;
        self.hasher = Sha256::new();
        Ok(())
    }

    /// Verifies size and digest, and makes it last.
    ///
    /// # Errors
    /// `corrupt` when size or digest differ; what was fetched is then thrown away.
    pub fn commit(mut self) -> Result<()> {
        if self.offset != self.size {
            let message = format!("blob `{}` ends after {} of {} bytes", self.digest, self.offset, self.size);
            return Err(self.reject(message));
        }
        let found = Digest::from_sha256(&std::mem::take(&mut self.hasher).finalize());
        if found != self.digest {
            let message = format!("blob `{}` has the digest `{found}`", self.digest);
            return Err(self.reject(message));
        }
        settle(self.lock.file(), &self.partial, &self.target)
    }

    /// Throws away what was fetched: it is wrong, and resuming would keep it wrong.
    fn reject(&mut self, message: String) -> Error {
        let _ = fs::remove_file(&self.partial);
        Error::corrupt(message).hint("the registry or a proxy sent other bytes than it announced; pull again")
    }

    fn resume(&mut self) -> Result<()> {
        let mut file = self.lock.file();
        let present = file.metadata().doing(|| "cannot look at a partial blob")?.len();
        if present > self.size {
            return self.restart();
        }
        let mut buffer = vec![0; 1 << 17];
        loop {
            let count = file.read(&mut buffer).doing(|| "cannot read a partial blob")?;
            if count == 0 {
                return Ok(());
            }
            self.hasher.update(&buffer[..count]);
            self.offset += count as u64;
        }
    }
}

impl NewBlob {
    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes it last, under its digest.
    pub fn commit(self) -> Result<Digest> {
        self.park().commit()
    }

    /// Complete, and not to last yet: others decide whether it is wanted.
    pub fn park(self) -> ParkedBlob {
        let digest = Digest::from_sha256(&self.hasher.finalize());
        let target = self.folder.join(digest.hex());
        // Its descriptor goes: there may be thousands.
        ParkedBlob { path: self.file.into_temp_path(), target, digest, size: self.size }
    }
}

impl Write for NewBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The file itself: an error of a named one has lost its number, and with it the hint.
        let count = self.file.as_file_mut().write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Content before name, name before the return: at no point of a power loss does the final name
/// mean anything but the whole blob.
pub(super) fn settle(file: &File, from: &Path, to: &Path) -> Result<()> {
    let doing = || format!("cannot store blob `{}`", to.display());
    file.sync_all().doing(doing)?;
    fs::rename(from, to).doing(doing)?;
    let folder = to.parent().expect("a blob is in a folder");
    File::open(folder).and_then(|folder| folder.sync_all()).doing(doing)
}
