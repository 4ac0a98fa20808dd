//! Backups: nothing outside is touched, and what was taken once is backed up and restored as it is.

use super::super::tree::describe;
use super::{assert_kind, scratch};
use shanty::archive::{BACKUP_LIMITS, PackOptions, pack_backup, restore};
use shanty::context::Context;
use shanty::error::ErrorKind;
use shanty::sys::node::Node;
use std::fs::{self, File};

/// Any bytes as an archive of a volume.
pub fn backup(data: &[u8]) {
    let scratch = scratch();
    let outside = scratch.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "valuable").unwrap();
    let before = describe(&outside);
    let [first, second] = ["first", "second"].map(|name| scratch.path().join(name));
    fs::create_dir(&first).unwrap();
    let cx = Context::background();
    let restored = restore(data, &first, false, &cx);
    assert_eq!(describe(&outside), before, "something outside was touched");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 2, "something was made outside");
    if let Err(error) = restored {
        // The last one: a file with a hole that is larger than this file system has them.
        return assert_kind(&error, &[ErrorKind::Corrupt, ErrorKind::Unsupported, ErrorKind::Io]);
    }
    let root = Node::of(File::open(&first).unwrap().into()).unwrap();
    let options = PackOptions { limits: BACKUP_LIMITS, ..PackOptions::default() };
    let mut archive = Vec::new();
    let record = pack_backup(&root, &options, &cx, &mut archive, || Ok(())).unwrap();
    fs::create_dir(&second).unwrap();
    assert_eq!(restore(&archive[..], &second, true, &cx).unwrap(), record);
    let mut again = Vec::new();
    let root = Node::of(File::open(&second).unwrap().into()).unwrap();
    pack_backup(&root, &options, &cx, &mut again, || Ok(())).unwrap();
    assert!(archive == again, "the second backup is another one");
    archive.truncate(archive.len() - 2 * 512 - 1);
    assert!(restore(&archive[..], &outside, true, &cx).is_err(), "a part is taken for the whole");
}
