//! `volume.restore()`.

use super::Volume;
use crate::context::ProgressItem;
use crate::error::Result;
use crate::model::ImportVolumeSpec;
use crate::script::api::backup_target::{TargetOptions, open_source};
use crate::script::binding::{Call, Options, api};
use std::io::{self, Read};

/// Options of `restore`.
#[derive(Default, Options)]
pub struct RestoreOptions {
    /// Replaces what the volume holds; else it must be empty or missing.
    pub replace: bool,
    /// `false`: also takes an archive of another program, which may have been cut short.
    pub verify: Option<bool>,
    /// How to get there, and who can read it.
    #[option(flatten)]
    pub target: TargetOptions,
}

#[api]
impl Volume {
    /// Reads its files from a backup, from wherever `backup` can write one; `"-"` is standard input. All of it is unpacked beside what the
    /// volume holds, and compared with what its end says; then the two are exchanged in one step. A missing volume is made. The
    /// compression is seen by itself. Gives the volume.
    ///
    /// # Example (engine)
    /// volume("copy").restore("data.tar.zst");
    /// volume("data").restore("data.tar.zst", #{ replace: true });
    /// volume("data").restore("ssh://host/srv/data.tar.zst.age", #{ replace: true, identity: "key.txt" });
    ///
    /// # Errors
    /// `conflict` when a container that has the volume runs, or the volume is not empty and `replace` was not said; `corrupt`
    /// when the backup is damaged or not whole. The volume is as before then.
    pub fn restore(&self, call: &Call, path: String, options: RestoreOptions) -> Result<Volume> {
        let (engine, cx) = (call.engine()?, call.context());
        let spec = ImportVolumeSpec { replace: options.replace, verify: options.verify.unwrap_or(true) };
        let source = open_source(call, &path, &options.target)?;
        let progress = cx.progress.start(&format!("restoring {}", self.reference()), None);
        engine.import_volume(&cx, self.reference(), spec, &mut Counted { source, progress })?;
        Ok(Self::new(self.reference()))
    }
}

/// Tells how far it is.
struct Counted {
    source: Box<dyn Read + Send>,
    progress: Box<dyn ProgressItem>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.progress.advance(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn a_backup_is_verified_unless_it_is_said_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar");
        std::fs::write(&path, "12345").unwrap();
        let engine = RecordingEngine::default();
        let script = r#"
            print(volume("data").restore(PATH).name);
            volume("data").restore(PATH, #{ replace: true, verify: false });
            volume("data").clone("copy");
        "#;
        let printed = engine.eval(&script.replace("PATH", &format!("`{}`", path.display()))).unwrap();
        assert_eq!(printed, "data");
        let expected = [
            "import volume data false true 5 bytes",
            "import volume data true false 5 bytes",
            "clone volume data copy",
        ];
        assert_eq!(engine.with(|recording| recording.calls.clone()), expected);
        assert!(engine.eval(r#"volume("data").restore("/nowhere")"#).unwrap_err().is(ErrorKind::NotFound));
    }
}
