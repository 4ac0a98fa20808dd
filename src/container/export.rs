//! The whole root file system of a container as a tar.

use super::files::BareRoot;
use super::row::Row;
use super::{changes, events, files};
use crate::archive::{PackOptions, pack_folder};
use crate::context::Context;
use crate::error::{IoContext, Result};
use crate::store::Store;
use crate::sys::node::Node;
use std::io::Write;

/// Writes its image and its changes as one tree, without what is mounted in it, as Docker does. The same files always
/// give the same bytes.
pub fn export(store: &Store, cx: &Context, row: Row, output: &mut dyn Write) -> Result<()> {
    let BareRoot { root, ids, lock } = files::bare_root(store, cx, row.clone())?;
    let options = PackOptions { ids: ids.as_ref(), ..PackOptions::default() };
    let packed = Node::of(root)
        .doing(|| "cannot open its root")
        .and_then(|root| pack_folder(&root, &options, cx, output))
        .and_then(|()| changes::check_there(store, &row));
    drop(lock);
    packed.map_err(|error| error.context(format!("exporting container `{}`", row.name)))?;
    events::record(store, &row, "export");
    Ok(())
}
