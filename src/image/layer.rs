//! From the bytes of a layer to a layer of the store: the one place where that is done.

use super::layer_form::NewLayerForm;
use crate::archive::{Limits, Unpacked, erofs, unpack};
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::model::Digest;
use crate::store::{Content, Layer, LayerDraft, LayerSlot, UnpackedInfo, chain_id};
use std::io::{BufWriter, Read};

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
        LayerSlot::Needed(draft) => make_layer(content, draft, content.store().open_blob(blob)?, diff_id, cx),
    }
}

/// Makes the layer of `source`, compressed or not, all of which is read.
///
/// # Errors
/// `corrupt` when it is no layer, or has another diff id. Then there is nothing of it.
pub(super) fn make_layer(
    content: &Content<'_>,
    draft: LayerDraft,
    source: impl Read + Send,
    diff_id: &Digest,
    cx: &Context,
) -> Result<Layer> {
    let made = match NewLayerForm::of(content)? {
        NewLayerForm::Folder => unpack(source, &draft.folder()?, &Limits::default(), cx)?,
        NewLayerForm::Indexed => index(&draft, source, cx)?,
    };
    if made.diff_id != *diff_id {
        let found = &made.diff_id;
        return Err(Error::corrupt(format!("its diff id is `{found}`, not `{diff_id}` as the config says")));
    }
    draft.commit(UnpackedInfo { diff_id: made.diff_id, size: made.size, entries: made.entries })
}

/// Keeps the tar, and writes an index over it; what cannot be indexed is unpacked after all.
fn index(draft: &LayerDraft, source: impl Read + Send, cx: &Context) -> Result<Unpacked> {
    let (made, index) = erofs::keep(source, &draft.tar()?, &Limits::default(), cx)?;
    let Some(index) = index else {
        return unpack(draft.give_up_index()?, &draft.folder()?, &Limits::default(), cx);
    };
    let (file, uuid) = draft.index()?;
    index.write(uuid, BufWriter::with_capacity(1 << 18, file)).doing(|| "cannot write the index of a layer")?;
    Ok(made)
}
