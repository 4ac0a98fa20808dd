//! What a container reads on standard input when that was given with it: a file in its folder, for every start.

use super::folder;
use crate::error::{Error, IoContext, Result};
use crate::model::{ContainerSpec, Id};
use crate::store::Store;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Name of the file.
const FILE_NAME: &str = "stdin";
/// It is copied into memory at each start.
const MOST: usize = 16 << 20;

/// Refuses what cannot be given.
pub fn check(spec: &ContainerSpec) -> Result<()> {
    let Some(input) = &spec.input else { return Ok(()) };
    if spec.tty {
        return Err(Error::invalid("a text as `stdin` and `tty: true` exclude each other")
            .hint("leave `tty` out: the text does not come from a terminal"));
    }
    if input.data.len() > MOST {
        return Err(Error::invalid(format!("`stdin` is longer than {} MiB", MOST >> 20))
            .hint("mount the file that it is in, and read that"));
    }
    Ok(())
}

/// Keeps it.
pub fn write(store: &Store, id: &Id, spec: &ContainerSpec) -> Result<()> {
    let Some(input) = &spec.input else { return Ok(()) };
    let path = folder::file(store, id, FILE_NAME);
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    let doing = || format!("cannot write `{}`", path.display());
    file.doing(doing)?.write_all(&input.data).doing(doing)
}

/// Where it is, if there is any.
pub fn path(store: &Store, id: &Id, spec: &ContainerSpec) -> Option<PathBuf> {
    spec.input.as_ref().map(|_| folder::file(store, id, FILE_NAME))
}
