//! Fills a folder of the host, a new volume, with what an image has at a path.

use super::copier::Copier;
use super::place::Side;
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::model::IdMaps;
use crate::runtime::rootfs::Root;
use crate::sys::node::{Node, NodeKind};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::fs::File;
use std::path::Path;

/// Copies all that is in the image's folder into `folder`, which gets its owner, mode, attributes and times, too. Links on
/// the way there are followed inside the image. Nothing is copied when the image has nothing there.
///
/// `ids`: whose both have; `None`: their own.
pub fn fill(cx: &Context, image: &Root, target: &Path, folder: &Path, ids: Option<&IdMaps>) -> Result<()> {
    let doing = || format!("cannot open `{}` of the image", target.display());
    let source = match image.open(target, OFlag::O_PATH) {
        // The way there may also lead through a file: mounting says so.
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
        opened => opened.and_then(Node::of).doing(doing)?,
    };
    if source.kind() != NodeKind::Folder {
        return Err(Error::invalid(format!("`{}` of the image is no folder", target.display()))
            .hint("mount the volume somewhere else, or bind a file there: `\"./file:/path\"`"));
    }
    let opened = File::open(folder).doing(|| format!("cannot open `{}`", folder.display()))?;
    let opened = Node::of(opened.into()).doing(doing)?;
    // Only its descriptors are used: nothing is looked up below the root of this side.
    let root = Root::new(opened.open_folder().doing(doing)?);
    let from = Side { root: image, place: "in the image", ids };
    let to = Side { root: &root, place: "in the volume", ids };
    Copier::new(cx, (&from, &to), &opened, None, None)?.copy_whole(&source, &opened)
}
