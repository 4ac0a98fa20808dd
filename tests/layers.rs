//! Layers: what is unpacked is what GNU tar unpacks, and what overlayfs shows; hostile archives change nothing.

mod index;
pub mod tree;

use crate::support::hostile_tars::{Tar, hostile_layers};
use shanty::archive::{Limits, PackOptions, erofs, pack, unpack};
use shanty::context::Context;
use shanty::error::{Error, ErrorKind};
use shanty::sys::xattr;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tree::{assert_same, describe, rich_tree, scratch, sh};

#[test]
fn unpacking_gives_what_gnu_tar_packed() {
    let scratch = scratch();
    let (tree, out) = (scratch.path().join("tree"), scratch.path().join("out"));
    fs::create_dir(&tree).unwrap();
    rich_tree(&tree);
    for (format, compress) in [("pax", "gzip -1"), ("pax", "zstd -q"), ("pax", "cat"), ("gnu", "cat")] {
        let archive = scratch.path().join("layer");
        let attributes = if format == "pax" { "--xattrs --xattrs-include='*'" } else { "" };
        sh(&format!("tar --format={format} {attributes} -C tree -cf - . | {compress} > layer"), scratch.path());
        fs::create_dir(&out).unwrap();
        let unpacked =
            unpack(fs::File::open(&archive).unwrap(), &out, &Limits::default(), &Context::background()).unwrap();
        // What this format can keep is what GNU tar itself gets out of it.
        sh(
            &format!(
                "mkdir gnu; {{ {} layer; }} | tar --numeric-owner {attributes} -C gnu -xpf -",
                match compress {
                    "cat" => "cat",
                    "gzip -1" => "gzip -dc",
                    _ => "zstd -qdc",
                }
            ),
            scratch.path(),
        );
        assert_same(&out, &scratch.path().join("gnu"));
        if format == "pax" {
            assert_same(&out, &tree);
        }
        assert_eq!(unpacked.entries as usize, describe(&tree).len(), "{format}");
        fs::remove_dir_all(&out).unwrap();
        fs::remove_dir_all(scratch.path().join("gnu")).unwrap();
    }
}

#[test]
fn packing_and_unpacking_gives_the_same_tree_and_always_the_same_bytes() {
    let scratch = scratch();
    let (tree, out) = (scratch.path().join("tree"), scratch.path().join("out"));
    fs::create_dir(&tree).unwrap();
    fs::create_dir(&out).unwrap();
    rich_tree(&tree);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    pack(&tree, &PackOptions::default(), &mut first).unwrap();
    unpack(&first[..], &out, &Limits::default(), &Context::background()).unwrap();
    pack(&out, &PackOptions::default(), &mut second).unwrap();
    assert!(first == second, "packing what was unpacked gives other bytes");
    // The root itself is the caller's.
    fs::set_permissions(&out, fs::Permissions::from_mode(0o750)).unwrap();
    sh("touch -r tree out", scratch.path());
    assert_same(&out, &tree);
}

/// Whether this kernel can mount EROFS from files.
fn has_indexes() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6, 15)
        && fs::read_to_string("/proc/filesystems").unwrap().contains("erofs")
}

/// Unpacks beside a folder of valuables, and checks that those and the host are as they were.
fn attack(archive: &[u8], limits: &Limits) -> (TempDir, Result<(), ErrorKind>) {
    let scratch = scratch();
    let outside = scratch.path().join("outside");
    fs::create_dir_all(outside.join("dir")).unwrap();
    fs::write(outside.join("secret"), "valuable").unwrap();
    let before = describe(&outside);
    let root = scratch.path().join("root");
    fs::create_dir(&root).unwrap();
    let result = unpack(archive, &root, limits, &Context::background());
    // The other form of a layer takes and refuses the same.
    let kept = erofs::keep(archive, &tempfile::tempfile().unwrap(), limits, &Context::background());
    let kinds =
        (kept.as_ref().map(|(unpacked, _)| unpacked).map_err(Error::kind), result.as_ref().map_err(Error::kind));
    assert_eq!(kinds.0, kinds.1);
    assert_eq!(describe(&outside), before, "something outside was touched");
    let mut names: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["outside", "root"], "something was made outside");
    (scratch, result.map(drop).map_err(|error| error.kind()))
}

#[test]
fn hostile_archives_are_corrupt_and_touch_nothing_outside() {
    for (what, archive) in hostile_layers() {
        let (_scratch, result) = attack(&archive, &Limits::default());
        assert_eq!(result, Err(ErrorKind::Corrupt), "{what}");
    }
}

#[test]
fn archives_that_only_look_hostile_are_taken_inside() {
    let cases = [
        ("an absolute name", Tar::default().file("/etc/passwd", "mine"), "etc/passwd"),
        (
            "below an absolute link",
            Tar::default().folder("etc").link("l", "/etc").file("l/passwd", "mine"),
            "etc/passwd",
        ),
        (
            "below a link with `..`",
            Tar::default().folder("etc").link("l", "../../../etc").file("l/passwd", "mine"),
            "etc/passwd",
        ),
        ("a file in place of a link", Tar::default().link("f", "/etc/passwd").file("f", "mine"), "f"),
        ("a file in place of a device", Tar::default().add(b'4', "f", "", b"").file("f", "mine"), "f"),
        ("a file in place of a pipe", Tar::default().add(b'6', "f", "", b"").file("f", "mine"), "f"),
        ("a file in place of a folder", Tar::default().folder("f").file("f/x", "x").file("f", "mine"), "f"),
        ("a folder in place of a link", Tar::default().link("d", "../outside").folder("d").file("d/f", "mine"), "d/f"),
        ("a hard link to an absolute name inside", Tar::default().file("etc/f", "mine").hard("a", "/etc/f"), "a"),
        ("parents that no member made", Tar::default().file("a/b/c/f", "mine"), "a/b/c/f"),
        (
            "a file in place of a folder that was filled through a link",
            Tar::default().folder("a").link("l", "a").file("l/d/f", "x").file("a", "mine"),
            "a",
        ),
        ("a size on a link", Tar::default().link("l", "f").patch(124, b"00000001000").file("f", "mine"), "f"),
    ];
    for (what, archive, path) in cases {
        let (scratch, result) = attack(&archive.end(), &Limits::default());
        assert_eq!(result, Ok(()), "{what}");
        let path = scratch.path().join("root").join(path);
        assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{what}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine", "{what}");
    }
}

#[test]
fn a_later_member_wins_and_its_other_names_keep_what_they_had() {
    let archive = Tar::default()
        .folder("d")
        .file("d/old", "x")
        .file("f", "first")
        .hard("h", "f")
        .file("f", "second")
        .link("d", "f")
        .file("twice", "a much longer text")
        .file("twice", "short")
        .end();
    let (scratch, result) = attack(&archive, &Limits::default());
    assert_eq!(result, Ok(()));
    let root = scratch.path().join("root");
    assert_eq!(fs::read_to_string(root.join("h")).unwrap(), "first");
    assert_eq!(fs::read_to_string(root.join("f")).unwrap(), "second");
    assert_eq!(fs::read_to_string(root.join("twice")).unwrap(), "short");
    assert_eq!(fs::read_link(root.join("d")).unwrap(), Path::new("f"));
}

#[test]
fn archives_beyond_the_limits_are_corrupt() {
    let archive = Tar::default().file("aa", "12345").file("bb", "12345").end();
    let limits = Limits { entries: 2, bytes: 10, name_bytes: 4 };
    assert_eq!(attack(&archive, &limits).1, Ok(()));
    for tight in [Limits { entries: 1, ..limits }, Limits { bytes: 9, ..limits }, Limits { name_bytes: 3, ..limits }] {
        assert_eq!(attack(&archive, &tight).1, Err(ErrorKind::Corrupt), "{tight:?}");
    }
}

#[test]
fn sparse_files_are_unsupported_and_say_what_to_do() {
    let old = Tar::default().add(b'S', "a", "", b"").end();
    let new = Tar::default().pax(&[("GNU.sparse.major", "1")]).file("a", "x").end();
    for archive in [old, new] {
        assert_eq!(attack(&archive, &Limits::default()).1, Err(ErrorKind::Unsupported));
    }
}

#[test]
fn attributes_of_overlayfs_are_not_the_archives_to_set() {
    let archive = Tar::default()
        .pax(&[("SCHILY.xattr.trusted.overlay.redirect", "/etc"), ("SCHILY.xattr.user.mine", "yes")])
        .file("f", "x")
        .end();
    let (scratch, result) = attack(&archive, &Limits::default());
    assert_eq!(result, Ok(()));
    let attributes = xattr::list(&scratch.path().join("root/f")).unwrap();
    assert_eq!(attributes, [(c"user.mine".to_owned(), b"yes".to_vec())]);
}

#[test]
fn unpacking_stops_when_it_is_cancelled() {
    let archive = Tar::default().file("a", "x").end();
    let scratch = scratch();
    let cx = Context::background();
    cx.cancel.cancel();
    let error = unpack(&archive[..], scratch.path(), &Limits::default(), &cx).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

/// Mounts layers (topmost first) over each other; unmounted when dropped.
struct Overlay(PathBuf);

impl Overlay {
    fn mount(layers: &[&Path], at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        let lower = layers.iter().map(|layer| layer.to_str().unwrap()).collect::<Vec<_>>().join(":");
        let status = Command::new("mount")
            .args(["-t", "overlay", "overlay", "-o", &format!("ro,lowerdir={lower}")])
            .arg(at)
            .status()
            .unwrap();
        assert!(status.success());
        Self(at.to_owned())
    }
    fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.0.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn an_overlay_of_layers_hides_what_whiteouts_and_opaque_folders_say() {
    let scratch = scratch();
    let lower = Tar::default()
        .file("gone", "x")
        .file("kept", "x")
        .folder("dir")
        .file("dir/gone", "x")
        .file("dir/kept", "x")
        .folder("opaque")
        .file("opaque/old", "x")
        .folder("replaced")
        .file("replaced/old", "x")
        .folder("late")
        .file("late/old", "x")
        .file("both", "old")
        .end();
    let upper = Tar::default()
        .file(".wh.gone", "")
        .file("dir/.wh.gone", "")
        .folder("opaque")
        .file("opaque/new", "x")
        .file("opaque/.wh..wh..opq", "")
        .file(".wh.replaced", "")
        .folder("replaced")
        .file("replaced/new", "x")
        .folder("late")
        .file("late/new", "x")
        .file(".wh.late", "")
        .file("both", "new")
        .file(".wh.both", "")
        .file(".wh..wh.plnk", "")
        .end();
    let (low, up) = (scratch.path().join("lower"), scratch.path().join("upper"));
    for (folder, archive) in [(&low, &lower), (&up, &upper)] {
        fs::create_dir(folder).unwrap();
        unpack(&archive[..], folder, &Limits::default(), &Context::background()).unwrap();
    }
    assert!(fs::symlink_metadata(up.join("gone")).unwrap().file_type().is_char_device());
    let overlay = Overlay::mount(&[&up, &low], &scratch.path().join("merged"));
    assert_eq!(overlay.names(""), ["both", "dir", "kept", "late", "opaque", "replaced"]);
    assert_eq!(overlay.names("dir"), ["kept"]);
    for folder in ["opaque", "replaced", "late"] {
        assert_eq!(overlay.names(folder), ["new"], "{folder}");
    }
    assert_eq!(fs::read_to_string(overlay.0.join("both")).unwrap(), "new");
    drop(overlay);

    // And back: the upper folder becomes a layer that says the same.
    let (mut packed, again) = (Vec::new(), scratch.path().join("again"));
    pack(&up, &PackOptions { whiteouts: true, mtime: Some(Default::default()), ..PackOptions::default() }, &mut packed)
        .unwrap();
    fs::create_dir(&again).unwrap();
    unpack(&packed[..], &again, &Limits::default(), &Context::background()).unwrap();
    let overlay = Overlay::mount(&[&again, &low], &scratch.path().join("merged"));
    assert_eq!(overlay.names(""), ["both", "dir", "kept", "late", "opaque", "replaced"]);
    assert_eq!((overlay.names("dir"), overlay.names("opaque")), (vec!["kept".to_owned()], vec!["new".to_owned()]));
}

#[test]
fn a_link_on_the_root_itself_is_not_followed_for_owners() {
    // chown, chmod and times of a link must not reach what it points to.
    let scratch = scratch();
    let target = scratch.path().join("target");
    fs::write(&target, "x").unwrap();
    let before = describe(&target);
    let root = scratch.path().join("root");
    fs::create_dir(&root).unwrap();
    let archive = Tar::default().pax(&[("uid", "77"), ("mtime", "1.5")]).link("l", target.to_str().unwrap()).end();
    unpack(&archive[..], &root, &Limits::default(), &Context::background()).unwrap();
    assert_eq!(describe(&target), before);
    assert_eq!(fs::symlink_metadata(root.join("l")).unwrap().uid(), 77);
    symlink("x", root.join("m")).unwrap();
}

#[test]
#[ignore = "a measurement: SHANTY_LAYER names an archive"]
fn measure_unpacking() {
    let archive = std::env::var("SHANTY_LAYER").unwrap();
    let scratch = scratch();
    let start = std::time::Instant::now();
    let unpacked =
        unpack(fs::File::open(archive).unwrap(), scratch.path(), &Limits::default(), &Context::background()).unwrap();
    println!("{:?} {} members, {} bytes", start.elapsed(), unpacked.entries, unpacked.size);
}
