//! Layers: what is unpacked is what GNU tar unpacks, and what overlayfs shows; hostile archives change nothing.

mod tree;

use shanty::archive::{Limits, PackOptions, pack, unpack};
use shanty::context::Context;
use shanty::error::ErrorKind;
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

/// A tar written byte by byte, so that it can say anything.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn add(mut self, typeflag: u8, name: &str, link: &str, data: &[u8]) -> Self {
        self.raw(typeflag, name.as_bytes(), link.as_bytes(), data, data.len() as u64);
        self
    }
    fn file(self, name: &str, data: &str) -> Self {
        self.add(b'0', name, "", data.as_bytes())
    }
    fn folder(self, name: &str) -> Self {
        self.add(b'5', name, "", b"")
    }
    fn link(self, name: &str, target: &str) -> Self {
        self.add(b'2', name, target, b"")
    }
    fn hard(self, name: &str, target: &str) -> Self {
        self.add(b'1', name, target, b"")
    }
    fn pax(self, records: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest + 1..).find(|length| rest + length.to_string().len() == *length).unwrap();
            text += &format!("{length} {key}={value}\n");
        }
        self.add(b'x', "pax", "", text.as_bytes())
    }
    fn raw(&mut self, typeflag: u8, name: &[u8], link: &[u8], data: &[u8], size: u64) {
        let mut header = [0u8; 512];
        header[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        header[157..157 + link.len().min(100)].copy_from_slice(&link[..link.len().min(100)]);
        header[100..107].copy_from_slice(if typeflag == b'5' { b"0000755" } else { b"0000644" });
        for field in [108, 116] {
            header[field..field + 7].copy_from_slice(b"0000000");
        }
        header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[156] = typeflag;
        header[257..265].copy_from_slice(b"ustar\x0000");
        Self::seal(&mut header);
        self.0.extend(header);
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }
    fn seal(header: &mut [u8]) {
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
    /// Changes the header of the last member, which has no data.
    fn patch(mut self, at: usize, bytes: &[u8]) -> Self {
        let start = self.0.len() - 512;
        self.0[start + at..start + at + bytes.len()].copy_from_slice(bytes);
        Self::seal(&mut self.0[start..]);
        self
    }
    fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
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
    assert_eq!(describe(&outside), before, "something outside was touched");
    let mut names: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["outside", "root"], "something was made outside");
    (scratch, result.map(drop).map_err(|error| error.kind()))
}

#[test]
fn hostile_archives_are_corrupt_and_touch_nothing_outside() {
    let long = "x".repeat(300);
    let deep = "a/".repeat(2048);
    let mut cut = Tar::default().file("a", &"data".repeat(400)).end();
    cut.truncate(1000);
    let mut header_cut = Tar::default().file("a", "x").end();
    header_cut.truncate(100);
    let mut damaged = Tar::default().file("a", "x").end();
    damaged[0] = b'b';
    let mut huge = Tar::default();
    huge.raw(b'0', b"a", b"", b"x", 0o77_777_777_777);
    let mut huge_header = Tar::default();
    huge_header.raw(b'x', b"pax", b"", b"x", 1 << 30);
    let mut hidden = Tar::default().file("inner", "x").0;
    hidden.resize(1024, 0);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a name with `..`", Tar::default().file("../outside/new", "x").end()),
        ("a name with `..` inside", Tar::default().folder("a").file("a/../../outside/new", "x").end()),
        ("a folder named `..`", Tar::default().folder("..").end()),
        ("a PAX name with `..`", Tar::default().pax(&[("path", "../outside/new")]).file("a", "x").end()),
        (
            "a GNU long name with `..`",
            Tar::default().add(b'L', "././@LongLink", "", b"../outside/new\0").file("a", "x").end(),
        ),
        ("a hard link to `..`", Tar::default().hard("a", "../outside/secret").end()),
        ("a hard link to an absolute name", Tar::default().hard("a", "/etc/passwd").end()),
        ("a hard link through a link", Tar::default().link("l", "../outside").hard("a", "l/secret").end()),
        ("a hard link through a link to the root", Tar::default().link("l", "/").hard("a", "l/etc/passwd").end()),
        ("a hard link to a folder", Tar::default().folder("d").hard("a", "d").end()),
        ("a hard link to the root", Tar::default().hard("a", "/").end()),
        ("a hard link to itself", Tar::default().file("a", "x").hard("a", "a").end()),
        ("a hard link to nothing", Tar::default().hard("a", "b").end()),
        ("a file below a dangling link", Tar::default().link("l", "../outside/nothing").file("l/new", "x").end()),
        ("a file below a looping link", Tar::default().link("l", "l").file("l/new", "x").end()),
        ("a file below a file", Tar::default().file("f", "x").file("f/new", "x").end()),
        ("a file below a device", Tar::default().add(b'3', "d", "", b"").file("d/new", "x").end()),
        ("a whiteout of `..`", Tar::default().folder("d").file("d/.wh...", "").end()),
        ("a whiteout of nothing", Tar::default().file(".wh.", "").end()),
        ("a whiteout as a folder", Tar::default().file(".wh.d/new", "x").end()),
        ("a root that is a file", Tar::default().file("./", "").add(b'2', "/", "../outside", b"").end()),
        ("a name that is too long", Tar::default().pax(&[("path", &long)]).file("a", "x").end()),
        ("a path that is too long", Tar::default().pax(&[("path", &deep)]).file("a", "x").end()),
        ("an empty link", Tar::default().link("l", "").end()),
        ("an unknown type", Tar::default().add(b'Z', "a", "", b"").end()),
        ("owner -1", Tar::default().pax(&[("uid", "4294967295")]).file("a", "x").end()),
        ("an owner beyond 32 bits", Tar::default().pax(&[("gid", "4294967296")]).file("a", "x").end()),
        ("an attribute with a zero byte", Tar::default().pax(&[("SCHILY.xattr.user.a\0b", "x")]).file("a", "x").end()),
        (
            "an attribute of no namespace",
            Tar::default().pax(&[("SCHILY.xattr.security.capability", "xx")]).file("a", "x").end(),
        ),
        ("a file cut short", cut),
        ("a header cut short", header_cut),
        ("a header with a wrong checksum", damaged),
        ("a file larger than the archive", huge.end()),
        ("an extended header beyond the limit", huge_header.end()),
        ("a member after a block of zeros", [vec![0; 512], Tar::default().file("a", "x").end()].concat()),
        ("an extended header at the end", Tar::default().pax(&[("path", "a")]).end()),
        ("two extended headers", Tar::default().pax(&[("size", "1")]).pax(&[("path", "b")]).file("a", "x").end()),
        // Readers that apply the size to the long name see `inner`, others do not (tar-rs issue 454).
        (
            "a size before a long name",
            Tar::default().pax(&[("size", "1024")]).add(b'L', "x", "", b"name\0").add(b'0', "a", "", &hidden).end(),
        ),
        ("a global size", Tar::default().add(b'g', "g", "", b"11 size=512\n").file("a", "x").end()),
        ("a PAX record that runs over", Tar::default().add(b'x', "p", "", b"99 path=a\n").file("a", "x").end()),
        (
            "a negative size",
            Tar::default().file("a", "").patch(124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").end(),
        ),
        ("a damaged number", Tar::default().file("a", "").patch(124, b"0000000000z").end()),
        ("damaged gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\0garbage".to_vec()),
        ("damaged zstd", b"\x28\xb5\x2f\xfdgarbage".to_vec()),
        ("no archive at all", b"<html>not found</html>".repeat(50)),
    ];
    for (what, archive) in cases {
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
