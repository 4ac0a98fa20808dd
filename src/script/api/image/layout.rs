//! OCI image layouts as folders: engines take and give them as streams, which are tars of the same files.

use crate::error::{Error, ErrorKind, IoContext, Result};
use nix::fcntl::OFlag;
use std::collections::VecDeque;
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Cursor, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const BLOBS: &str = "blobs/sha256";
const DOCUMENTS: [&str; 3] = ["oci-layout", "index.json", "manifest.json"];
const BLOCK: u64 = 512;

/// The files of a layout as a tar.
pub fn read(folder: &Path) -> Result<impl Read + Send + use<>> {
    let mut names: VecDeque<String> =
        DOCUMENTS.into_iter().filter(|name| folder.join(name).is_file()).map(str::to_owned).collect();
    let blobs = match fs::read_dir(folder.join(BLOBS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        entries => {
            let doing = || format!("cannot read `{}`", folder.display());
            entries.and_then(Iterator::collect::<io::Result<Vec<_>>>).doing(doing)?
        }
    };
    names.extend(blobs.iter().map(|entry| format!("{BLOBS}/{}", entry.file_name().display())));
    Ok(Tar { folder: folder.to_owned(), names, part: Box::new(io::empty()), left: 0, is_at_end: false })
}

struct Tar {
    folder: PathBuf,
    names: VecDeque<String>,
    /// A header, the content and its padding.
    part: Box<dyn Read + Send>,
    left: u64,
    is_at_end: bool,
}

impl Read for Tar {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.is_at_end {
            self.next_part().map_err(io::Error::other)?;
        }
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.part.read(&mut buffer[..room])?;
        if count == 0 && room > 0 {
            return Err(io::Error::other(Error::corrupt("a file of the layout became shorter while it was read")));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

impl Tar {
    fn next_part(&mut self) -> Result<()> {
        let Some(name) = self.names.pop_front() else {
            self.is_at_end = true;
            (self.part, self.left) = (Box::new(io::repeat(0)), 2 * BLOCK);
            return Ok(());
        };
        let path = self.folder.join(&name);
        let doing = || format!("cannot read `{}`", path.display());
        // A link of the layout could lead anywhere, and a pipe would be waited for.
        let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
        let file = File::options().read(true).custom_flags(flags).open(&path).doing(doing)?;
        let metadata = file.metadata().doing(doing)?;
        if !metadata.is_file() {
            return Err(Error::invalid(format!("`{}` is no file", path.display())));
        }
        let mut header = tar::Header::new_ustar();
        header.set_path(&name).doing(doing)?;
        header.set_mode(0o644);
        header.set_size(metadata.len());
        header.set_cksum();
        let padding = metadata.len().wrapping_neg() % BLOCK;
        let content = file.take(metadata.len()).chain(io::repeat(0).take(padding));
        self.left = BLOCK + metadata.len() + padding;
        self.part = Box::new(Cursor::new(header.as_bytes().to_vec()).chain(content));
        Ok(())
    }
}

/// Calls `write` with where an OCI archive goes, whose files become a layout at `folder`, once it is whole.
///
/// # Errors
/// `conflict` when there is something at `folder`, other than an empty folder.
pub fn write(folder: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let doing = || format!("cannot write `{}`", folder.display());
    let taken = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    if taken {
        return Err(Error::new(ErrorKind::Conflict, format!("there is something at `{}` already", folder.display()))
            .hint("remove it, or give another path"));
    }
    let parent = folder.parent().unwrap_or(Path::new("/"));
    let partial = tempfile::Builder::new().prefix(".shanty-").tempdir_in(parent).doing(doing)?;
    let (reader, mut writer) = io::pipe().doing(doing)?;
    std::thread::scope(|scope| {
        let unpacker = scope.spawn(|| unpack(reader, partial.path()));
        let written = write(&mut writer);
        drop(writer);
        let unpacked = unpacker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // Where files cannot be written, all that the other side knows is that nobody reads.
        unpacked.map_err(|error| error.context(doing())).and(written)
    })?;
    fs::set_permissions(partial.path(), Permissions::from_mode(0o755)).doing(doing)?;
    fs::rename(partial.path(), folder).doing(doing)?;
    // The name is gone, so there is nothing for it to remove.
    let _ = partial.keep();
    Ok(())
}

fn unpack(archive: impl Read, folder: &Path) -> Result<()> {
    let doing = || "cannot write the layout";
    fs::create_dir_all(folder.join(BLOBS)).doing(doing)?;
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 17, archive));
    for entry in archive.entries().doing(doing)? {
        let mut entry = entry.doing(doing)?;
        let name = entry.path().doing(doing)?.to_string_lossy().into_owned();
        let is_ours = name.strip_prefix("blobs/sha256/").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        if entry.header().entry_type().is_file() && (is_ours || DOCUMENTS.contains(&name.as_str())) {
            let mut file = File::create(folder.join(&name)).doing(doing)?;
            io::copy(&mut entry, &mut file).doing(doing)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_a_tar_and_a_tar_a_layout() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        fs::create_dir_all(one.join(BLOBS)).unwrap();
        for (name, size) in [("index.json", 700), ("oci-layout", 512), ("blobs/sha256/ab", 0), ("blobs/sha256/cd", 1)] {
            fs::write(one.join(name), vec![7; size]).unwrap();
        }
        write(&two, |output| io::copy(&mut read(&one)?, output).doing(|| "copy").map(drop)).unwrap();
        for name in ["index.json", "oci-layout", "blobs/sha256/ab", "blobs/sha256/cd"] {
            assert_eq!(fs::read(one.join(name)).unwrap(), fs::read(two.join(name)).unwrap(), "{name}");
        }
        assert!(write(&two, |_| Ok(())).unwrap_err().is(ErrorKind::Conflict));
        assert!(write(&dir.path().join("three"), |_| Err(Error::invalid("no"))).unwrap_err().is(ErrorKind::Invalid));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "something is left");
        std::os::unix::fs::symlink("/etc/passwd", one.join("blobs/sha256/ef")).unwrap();
        assert!(io::copy(&mut read(&one).unwrap(), &mut io::sink()).is_err(), "a link was followed");
    }
}
