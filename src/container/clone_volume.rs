//! Copies a volume. It is here because files of containers are copied by the same code.

use super::files;
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::model::VolumeSpec;
use crate::runtime::rootfs::Root;
use crate::store::Store;
use crate::volume::{self, Draft};
use std::path::Path;

/// Makes a new volume with the labels and the files of another one; where the file system can, the files share their blocks.
///
/// # Errors
/// `not_found`, and `conflict` when there is a volume of the new name.
pub fn clone_volume(store: &Store, cx: &Context, from: &str, to: &str) -> Result<volume::Row> {
    let source = volume::find(store, from)?;
    let spec = VolumeSpec { name: Some(to.to_owned()), labels: source.labels };
    volume::check_free(store, to)?;
    let draft = Draft::make(store)?;
    let read = volume::open(store, &source.name)?;
    let root = Root::new(read.open_folder().doing(|| format!("cannot open volume `{from}`"))?);
    files::fill(cx, &root, Path::new("/"), &draft.data(), None)
        .map_err(|error| store.explain_full_disk(error, 0))
        .map_err(|error: Error| error.context(format!("copying volume `{from}`")))?;
    volume::check_there(store, &source.name, &read)?;
    draft.sync_data()?;
    volume::create_from(store, cx, &spec, &draft)
}
