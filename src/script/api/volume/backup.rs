//! `volume.backup()`.

use super::Volume;
use super::quiet::{Quiet, Which};
use crate::context::ProgressItem;
use crate::error::Result;
use crate::model::ExportVolumeSpec;
use crate::script::api::backup_target::{
    Compression, Destination, TargetOptions, compress, in_background, open_destination,
};
use crate::script::api::values::OneOrMany;
use crate::script::binding::{Call, Options, api};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Options of `backup`.
#[derive(Default, Options)]
pub struct BackupOptions {
    /// `"zstd"`, `"gzip"` or `"none"`; what the end of the path says, else Zstandard.
    pub compress: Option<Compression>,
    /// What is left out: `"*.log"` anywhere, `"/tmp"` at the top, `"cache/*"`; one or several.
    pub exclude: OneOrMany,
    /// Freezes the containers that have the volume, or those of them with a label (`"db"`, `"role=db"`), until all is read.
    pub pause: Which,
    /// Stops them before, and starts them afterwards, also when the backup has failed.
    pub stop: Which,
    /// How to get there, and who can read it.
    #[option(flatten)]
    pub target: TargetOptions,
}

#[api]
impl Volume {
    /// Writes all its files into a compressed tar: a path relative to the script, `s3://bucket/key`, `ssh://[user@]host/path`, or
    /// `"-"` for standard output. It is there, under its name, once it is whole and on the disk. `recipients` or `passphrase`
    /// encrypts it. Its end says what is in it, so that `restore` knows it from a part. Containers
    /// may run meanwhile; what they write meanwhile may be in it in part, unless they are paused or stopped. Gives a map:
    /// `path`, `entries`, `bytes` (of the tar) and `sha256`.
    ///
    /// # Example (engine)
    /// volume("data").backup("data.tar.zst", #{ pause: true, exclude: ["*.tmp", "/cache"] });
    /// volume("db").backup("db.tar.gz", #{ stop: "role=db" });
    /// volume("data").backup("s3://backups/data.tar.zst.age", #{ endpoint: "https://s3.example", recipients: ["age1…"] });
    ///
    /// # Errors
    /// `not_found` when the volume or the folder of the file is missing, `io` when the disk is full, `network`, `unauthorized`, `conflict` when a
    /// container cannot be paused or stopped. There is no new file then.
    pub fn backup(&self, call: &Call, path: String, options: BackupOptions) -> Result<Value> {
        let (engine, cx) = (call.engine()?, call.context());
        // Before anything stands still.
        self.info(call)?;
        let how = options.compress.unwrap_or(Compression::of_name(&path));
        let destination = in_background(compress(open_destination(call, &path, &options.target)?, how)?)?;
        let progress = cx.progress.start(&format!("backing up {}", self.reference()), None);
        let mut counted = Counted { destination, progress };
        let quiet = Quiet::begin(&engine, &cx, self.reference(), &options.pause, &options.stop)?;
        let spec = ExportVolumeSpec { exclude: options.exclude.0 };
        let written = engine.export_volume(&cx, self.reference(), &spec, &mut counted);
        // They need not wait for what is compressed and synced.
        let going_on = quiet.end();
        let archive = written?;
        counted.destination.commit()?;
        going_on?;
        Ok(json!({ "path": path, "entries": archive.entries, "bytes": archive.bytes, "sha256": archive.sha256 }))
    }
}

/// Tells how far it is.
struct Counted {
    destination: Box<dyn Destination>,
    progress: Box<dyn ProgressItem>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.destination.write(bytes)?;
        self.progress.advance(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.destination.flush()
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn a_backup_is_compressed_as_it_is_called_and_only_there_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let engine = RecordingEngine::default();
        let backup = |volume: &str, name: &str, options: &str| {
            let path = dir.path().join(name);
            engine.eval(&format!("print(volume(`{volume}`).backup(`{}`, #{{ {options} }}).entries)", path.display()))
        };
        for (name, options, magic) in [
            ("a.tar.zst", "", &b"\x28\xb5\x2f\xfd"[..]),
            ("a", "", b"\x28\xb5\x2f\xfd"),
            ("a.tgz", "", b"\x1f\x8b"),
            ("a.tar", "", b"tar"),
            ("b.tar", "compress: \"gzip\", exclude: \"*.log\"", b"\x1f\x8b"),
        ] {
            assert_eq!(backup("data", name, options).unwrap(), "1");
            assert!(std::fs::read(dir.path().join(name)).unwrap().starts_with(magic), "{name}");
        }
        assert!(backup("missing", "c.tar", "").unwrap_err().is(ErrorKind::NotFound));
        assert!(backup("data", "c.tar", "compress: \"zip\"").unwrap_err().is(ErrorKind::Invalid));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 5);
        let calls = engine.with(|recording| recording.calls.clone());
        assert!(calls.contains(&r#"export volume data ["*.log"]"#.to_owned()), "{calls:?}");
    }
}
