//! Images from an archive into the store, as it streams in: Docker's, or an OCI image layout, compressed or not.
//!
//! Members come in any order: Docker's `manifest.json` is the last one of its archive. So every file is first written down as a
//! blob that is not to last yet; at the end of the stream it is known which of them are wanted.

mod docker;
mod layout;
mod members;
mod place;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::events::{self, Occurrence};
use crate::model::{Descriptor, Digest, Platform, Reference};
use crate::store::Store;
use members::Members;
use std::io::Read;

/// Loads all images of an archive. Gives their ids, in the order of the archive: all of them, or, after an error, none.
///
/// # Errors
/// `corrupt` when it is damaged, or its images are not what their digests say, `invalid` when it holds no images.
pub fn load(store: &Store, input: &mut (dyn Read + Send), platform: &Platform, cx: &Context) -> Result<Vec<Digest>> {
    let loaded = load_all(store, input, platform, cx);
    match &loaded {
        Ok(ids) => {
            let loaded = |id: &Digest| Occurrence::image("load", &id.to_string(), &id.to_string());
            events::record(store.root(), &ids.iter().map(loaded).collect::<Vec<_>>());
        }
        // What was placed already belongs to nothing. Where it cannot be swept now it will be later.
        Err(_) => drop(store.sweep()),
    }
    loaded.map_err(|error| store.explain_full_disk(error, 0))
}

fn load_all(store: &Store, input: &mut (dyn Read + Send), platform: &Platform, cx: &Context) -> Result<Vec<Digest>> {
    let content = store.content(&cx.cancel)?;
    let members = Members::read(&content, input, cx)?;
    let images = if members.document(layout::INDEX).is_some() {
        layout::images(&content, &members, platform)?
    } else if members.document(docker::MANIFEST).is_some() {
        docker::images(&content, &members)?
    } else {
        return Err(no_images(&members));
    };
    place::place(&content, members, images, cx)
}

/// An image of an archive, whose blobs are among its members or in the store.
struct Found {
    manifest: FoundManifest,
    config: Descriptor,
    /// The bottom one first.
    layers: Vec<Descriptor>,
    names: Vec<Reference>,
}

/// Where the manifest of a found image is.
enum FoundManifest {
    /// Among the members.
    Blob(Digest),
    /// There was none.
    Made(Vec<u8>),
}

fn no_images(members: &Members) -> Error {
    if members.document("repositories").is_some() {
        return Error::unsupported("the archive was written by a Docker before 1.10")
            .hint("load it into a newer Docker, and save it there again");
    }
    Error::invalid("the archive holds no images: it has neither an `index.json` nor a `manifest.json`")
        .hint("the tar of a file system becomes an image by `image_from_tar`")
}
