//! From the bytes of a layer to a layer of the store: the one place where that is done.

use crate::archive::{Limits, unpack};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::Digest;
use crate::store::{Content, Layer, LayerDraft, LayerSlot, UnpackedInfo, chain_id};
use std::io::Read;

/// The layer with this diff id on top of `below`: what is here, or made of a blob of the store.
///
/// # Errors
/// `corrupt` when the blob is no layer, or has another diff id.
pub fn place_layer(
    content: &Content<'_>,
    below: Option<&Digest>,
    diff_id: &Digest,
    blob: &Digest,
    cx: &Context,
) -> Result<Layer> {
    match content.layer(&chain_id(below, diff_id), &cx.cancel)? {
        LayerSlot::Present(layer) => Ok(layer),
        LayerSlot::Needed(draft) => unpack_layer(draft, content.store().open_blob(blob)?, diff_id, cx),
    }
}

/// Makes the layer of `source`, compressed or not, all of which is read.
///
/// # Errors
/// `corrupt` when it is no layer, or has another diff id. Then there is nothing of it.
pub(super) fn unpack_layer(
    draft: LayerDraft,
    source: impl Read + Send,
    diff_id: &Digest,
    cx: &Context,
) -> Result<Layer> {
    let unpacked = unpack(source, &draft.folder(), &Limits::default(), cx)?;
    if unpacked.diff_id != *diff_id {
        let found = &unpacked.diff_id;
        return Err(Error::corrupt(format!("its diff id is `{found}`, not `{diff_id}` as the config says")));
    }
    draft.commit(UnpackedInfo { diff_id: unpacked.diff_id, size: unpacked.size, entries: unpacked.entries })
}
