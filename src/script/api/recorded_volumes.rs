//! What the engine for unit tests does with volumes.

use super::recording_engine::RecordingEngine;
use crate::engine::Held;
use crate::error::{Error, IoContext, Result};
use crate::model::{ExportVolumeSpec, ImportVolumeSpec, VolumeArchive, VolumeInfo};
use std::io::{Read, Write};

/// Tells when it ends.
struct HeldHere(RecordingEngine);

impl Held for HeldHere {
    fn end(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Drop for HeldHere {
    fn drop(&mut self) {
        self.0.called("let go on");
    }
}

impl RecordingEngine {
    pub(super) fn volume_info(name: &str) -> VolumeInfo {
        VolumeInfo {
            name: name.to_owned(),
            driver: "local".to_owned(),
            path: format!("/root/volumes/{name}/_data"),
            labels: [("app".to_owned(), "shop".to_owned())].into(),
            created: jiff::Timestamp::UNIX_EPOCH,
            anonymous: false,
        }
    }

    pub(super) fn exported(
        &self,
        volume: &str,
        spec: &ExportVolumeSpec,
        output: &mut dyn Write,
    ) -> Result<VolumeArchive> {
        self.called(format!("export volume {volume} {:?}", spec.exclude));
        output.write_all(b"tar").doing(|| "cannot write")?;
        if volume == "missing" {
            return Err(Error::not_found("no such volume"));
        }
        Ok(VolumeArchive { entries: 1, bytes: 3, sha256: "ab".repeat(32) })
    }

    pub(super) fn imported(
        &self,
        volume: &str,
        spec: ImportVolumeSpec,
        input: &mut (dyn Read + Send),
    ) -> Result<VolumeArchive> {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).doing(|| "cannot read")?;
        self.called(format!("import volume {volume} {} {} {} bytes", spec.replace, spec.verify, bytes.len()));
        Ok(VolumeArchive::default())
    }

    pub(super) fn held(&self, container: &str) -> Box<dyn Held> {
        self.called(format!("hold {container}"));
        Box::new(HeldHere(self.clone()))
    }
}
