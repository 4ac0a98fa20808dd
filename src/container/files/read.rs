//! Reads one file of a container.

use super::access::{Access, Purpose};
use crate::container::row::Row;
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::store::Store;
use crate::sys::node::NodeKind;
use nix::fcntl::OFlag;
use std::io::Read;

/// Larger files are not read into memory, bytes.
const MOST: u64 = 64 << 20;

/// The bytes of a regular file; links are followed inside the container.
///
/// # Errors
/// `not_found`; `invalid` when it is no regular file, or larger than 64 MiB.
pub fn read_file(store: &Store, cx: &Context, row: Row, path: &str) -> Result<Vec<u8>> {
    let name = row.name.clone();
    let access = Access::open(store, cx, row, Purpose::Read)?;
    let inside = access.side();
    let read = || {
        let node = inside.open(path.as_bytes()).map_err(|errno| inside.failed(path.as_bytes(), errno))?;
        if node.kind() == NodeKind::Folder {
            return Err(Error::invalid(format!("`{path}` is a folder"))
                .hint(format!("copy it out: `container(\"{name}\").copy_from(\"{path}\", \".\")`")));
        }
        if node.kind() != NodeKind::File {
            return Err(Error::invalid(format!("`{path}` is no regular file"))
                .hint(format!("read it inside: `container(\"{name}\").exec([\"cat\", \"{path}\"])`")));
        }
        let doing = || format!("cannot read `{path}`");
        let file = node.open_file(OFlag::O_RDONLY).doing(doing)?;
        let mut content = Vec::new();
        let size = u64::try_from(node.stat().st_size).unwrap_or(0);
        if size <= MOST {
            file.take(MOST + 1).read_to_end(&mut content).doing(doing)?;
        }
        if size > MOST || content.len() as u64 > MOST {
            return Err(Error::invalid(format!("`{path}` is larger than {} MiB", MOST >> 20))
                .hint(format!("copy it out: `container(\"{name}\").copy_from(\"{path}\", \".\")`")));
        }
        Ok(content)
    };
    read().map_err(|error| error.context(format!("reading from container `{name}`")))
}
