//! Where the changes of a container are, and what of them is the runtime's.

use super::row::Row;
use super::{etc, folder};
use crate::archive::member::Path as Inside;
use crate::error::{Error, IoContext, Result};
use crate::store::Store;
use crate::sys::node::Node;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;

/// What every container has mounted: the places for it are made where the image has none.
const MOUNTED: [&str; 3] = ["proc", "sys", "dev"];

/// The folder of its changes; `None` when the container is gone.
pub fn upper(store: &Store, row: &Row) -> Result<Option<Node>> {
    let path: PathBuf = match &row.plan.changes {
        Some((upper, _)) => upper.clone(),
        None => folder::file(store, &row.id, folder::UPPER),
    };
    let doing = || format!("cannot read `{}`", path.display());
    match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => Ok(Some(Node::of(opened.doing(doing)?.into()).doing(doing)?)),
    }
}

/// Fails when the container was removed since: its files went away while they were read.
pub fn check_there(store: &Store, row: &Row) -> Result<()> {
    // The folder goes out of sight in one step before anything in it is deleted.
    match upper(store, row)? {
        Some(_) => Ok(()),
        None => Err(Error::not_found(format!("container `{}` was removed meanwhile", row.name))),
    }
}

/// Paths that are the runtime's, not the container's: neither shown as changes nor kept in an image.
pub fn hidden() -> Vec<Inside> {
    let etc = etc::FILES.iter().map(|(_, target)| target.trim_start_matches('/'));
    etc.chain(MOUNTED).filter_map(|path| Inside::parse(path.as_bytes())).collect()
}
