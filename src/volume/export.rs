//! Writes a volume as a tar, with the proof that it is whole at its end.

use super::folder;
use crate::archive::{BACKUP_LIMITS, EndRecord, Exclusion, PackOptions, pack_backup};
use crate::context::Context;
use crate::error::Result;
use crate::model::{ExportVolumeSpec, VolumeArchive};
use crate::store::Store;
use std::io::Write;

/// Writes all files of a volume as they are now. Those that change meanwhile are as they were found, in part before and in part
/// after the change: whoever wants one moment pauses or stops the containers that have it.
pub fn export(
    store: &Store,
    cx: &Context,
    name: &str,
    spec: &ExportVolumeSpec,
    output: &mut dyn Write,
) -> Result<VolumeArchive> {
    let exclusions = spec.exclude.iter().map(|text| Exclusion::parse(text)).collect::<Result<Vec<_>>>()?;
    let (root, name) = (folder::open(store, &super::find(store, name)?.name)?, name.to_owned());
    let options = PackOptions { exclusions: &exclusions, limits: BACKUP_LIMITS, ..PackOptions::default() };
    pack_backup(&root, &options, cx, output, || folder::check_there(store, &name, &root))
        .map(summary)
        .map_err(|error| error.context(format!("volume `{name}`")))
}

/// What an end record says.
pub fn summary(record: EndRecord) -> VolumeArchive {
    VolumeArchive { entries: record.entries, bytes: record.bytes, sha256: record.sha256 }
}
