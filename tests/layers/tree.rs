//! Trees of files: one with everything that a layer may have, and whether two are the same.

use shanty::sys::xattr;
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A folder on a file system with `trusted.` attributes (a tmpfs has them too since Linux 6.6).
pub fn scratch() -> TempDir {
    tempfile::tempdir_in("/var/tmp").unwrap()
}

pub fn sh(script: &str, directory: &Path) {
    let output = Command::new("sh").args(["-ec", script]).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Everything that can be seen of a tree, by path.
pub fn describe(root: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(root: &Path, path: &Path, inodes: &mut BTreeMap<u64, PathBuf>, seen: &mut BTreeMap<PathBuf, String>) {
        let metadata = fs::symlink_metadata(path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_owned();
        let content = if metadata.is_file() {
            format!(
                "{:?}",
                shanty::model::Digest::from_sha256(&<sha2::Sha256 as sha2::Digest>::digest(fs::read(path).unwrap()))
            )
        } else if metadata.is_symlink() {
            format!("{:?}", fs::read_link(path).unwrap())
        } else {
            String::new()
        };
        let first = inodes.entry(metadata.ino()).or_insert_with(|| name.clone()).clone();
        let links = if metadata.is_dir() { 0 } else { metadata.nlink() };
        let mut attributes = xattr::list(path).unwrap();
        attributes.sort();
        seen.insert(
            name,
            format!(
                "mode {:o} owner {}:{} time {}.{} device {} links {links} of {first:?} attributes {attributes:?} {content}",
                metadata.mode(), metadata.uid(), metadata.gid(), metadata.mtime(), metadata.mtime_nsec(), metadata.rdev(),
            ),
        );
        if metadata.is_dir() {
            let mut children: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            children.sort();
            for child in children {
                walk(root, &child, inodes, seen);
            }
        }
    }
    let mut seen = BTreeMap::new();
    walk(root, root, &mut BTreeMap::new(), &mut seen);
    seen
}

pub fn assert_same(found: &Path, wanted: &Path) {
    let (found, wanted) = (describe(found), describe(wanted));
    for (path, wanted) in &wanted {
        assert_eq!(found.get(path), Some(wanted), "{}", path.display());
    }
    assert_eq!(found.len(), wanted.len());
}

/// A tree with everything that a layer may have.
pub fn rich_tree(root: &Path) {
    sh(
        r"
        mkdir -p etc usr/bin usr/lib var/spool/deep/er 'sp ace'
        echo root:x:0:0 > etc/passwd; echo secret > etc/shadow; chmod 600 etc/shadow; chown 0:42 etc/shadow
        cp /bin/sh usr/bin/sh; cp /bin/sh usr/bin/su; chmod 4755 usr/bin/su
        cp /bin/ls usr/bin/setgid; chmod 2755 usr/bin/setgid; chown 0:8 usr/bin/setgid; chmod 2755 usr/bin/setgid
        ln usr/bin/sh usr/bin/dash; ln usr/bin/sh etc/hard
        ln -s usr/bin bin; ln -s /etc/passwd etc/absolute; ln -s ../../../../../etc/passwd etc/dots; ln -s nowhere etc/dangling
        ln etc/dangling etc/hard-link-to-a-link; chown -h 12:34 etc/dangling
        mkdir tmp; chmod 1777 tmp; mkdir var/mail; chown 1000:1000 var/mail; chmod 2775 var/mail; echo x > var/mail/in
        mkfifo var/pipe; mknod var/null c 1 3; chmod 666 var/null; mknod var/disk b 8 1; mknod var/big c 511 1048575
        chown 4000000:3000000 'sp ace'
        touch etc/empty
        name=$(printf 'n%.0s' $(seq 200)); mkdir -p $name/$name; echo long > $name/$name/$name
        ln -s $name/$name/$name long-link; ln $name/$name/$name hard-to-long
        echo ütf > 'ünï cödé'; printf 'raw' > $(printf 'not\377utf8')
        chmod 000 etc/empty; chmod 0 var/spool/deep
        find . -exec touch -h -d '2001-02-03 04:05:06.123456789' {} +
        touch -d '1969-12-31 23:59:58.5' etc/passwd; touch -d '2040-01-01' usr; touch -d '2100-01-01' etc/shadow
        ",
        root,
    );
    let folder = fs::File::open(root).unwrap();
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"; // cap_net_raw+ep
    for (path, attribute, value) in [
        (c"etc/passwd", c"user.comment", &b"some value"[..]),
        (c"var", c"user.dir", b"d"),
        (c"etc/shadow", c"trusted.binary", b"\0\xff\n=\0"),
        (c"usr/bin/setgid", c"security.capability", capability),
    ] {
        xattr::set_at(folder.as_fd(), path, attribute, value).unwrap();
    }
    fs::set_permissions(root, fs::Permissions::from_mode(0o750)).unwrap();
}
