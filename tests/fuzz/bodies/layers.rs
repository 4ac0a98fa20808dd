//! Layers: in both forms the same is taken, refused and shown, and nothing outside is touched.

use super::super::hostile_tars::Tar;
use super::super::tree::describe;
use super::scratch;
use shanty::archive::{Limits, compare, erofs, unpack};
use shanty::context::Context;
use shanty::error::Error;
use shanty::sys;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

const LIMITS: Limits = Limits { entries: 200, bytes: 1 << 20, name_bytes: 1 << 16 };
const BLOCK: usize = 512;

/// Names that meet: files below files, through links, whiteouts of what is there.
const NAMES: &[&str] = &[
    "a",
    "b",
    "l",
    "a/b",
    "a/c",
    "b/a",
    "a/b/c",
    "l/a",
    "l/b/c",
    "./a",
    "/b",
    "d/e/f",
    "",
    ".wh.a",
    ".wh.b",
    ".wh.l",
    "a/.wh.b",
    "a/b/.wh.c",
    "l/.wh.a",
    ".wh..wh..opq",
    "a/.wh..wh..opq",
    "l/.wh..wh..opq",
    "d/e/.wh..wh..opq",
    ".wh..wh.plnk",
    ".wh.d",
    "d/.wh.e",
];
/// Where links lead to, beside those.
const ELSEWHERE: &[&str] = &["..", "../a", "/", "/a/b", ".", "a/..", "../outside", "../../outside/secret", "l/l", "/l"];

/// Any bytes as a layer.
pub fn layer(data: &[u8]) {
    let scratch = scratch();
    let outside = scratch.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "valuable").unwrap();
    let before = describe(&outside);
    let root = scratch.path().join("root");
    fs::create_dir(&root).unwrap();
    let cx = Context::background();
    let unpacked = unpack(data, &root, &LIMITS, &cx);
    let tar = scratch.path().join("layer.tar");
    let kept = erofs::keep(data, &File::create(&tar).unwrap(), &LIMITS, &cx);
    let of_index = kept.as_ref().map(|(unpacked, _)| unpacked).map_err(Error::kind);
    assert_eq!(of_index, unpacked.as_ref().map_err(Error::kind), "{unpacked:?}, {:?}", kept.as_ref().err());
    assert_eq!(describe(&outside), before, "something outside was touched");
    let mut names: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["layer.tar", "outside", "root"], "something was made outside");
    let (Ok(_), Ok((_, Some(index)))) = (unpacked, kept) else { return };

    let mut image = Vec::new();
    index.write([7; 16], &mut image).unwrap();
    let again = erofs::keep(File::open(&tar).unwrap(), &tempfile::tempfile_in(scratch.path()).unwrap(), &LIMITS, &cx);
    let mut second = Vec::new();
    again.unwrap().1.unwrap().write([7; 16], &mut second).unwrap();
    assert!(image == second, "the same tar has two indexes");
    assert_same_as_archive(data, &root, &cx);
    let at = scratch.path().join("layer.erofs");
    fs::write(&at, &image).unwrap();
    if !has_indexes() {
        return;
    }
    let mounted = sys::erofs::mount(&at, &tar).unwrap();
    let mounted = PathBuf::from(format!("/proc/self/fd/{}/.", mounted.as_raw_fd()));
    let (found, wanted) = (describe(&mounted), describe(&root));
    assert_eq!(found, wanted, "the two forms differ");
    assert_same_as_archive(data, &mounted, &cx);
}

/// What checks a store finds nothing in a layer that was just made.
fn assert_same_as_archive(data: &[u8], folder: &Path, cx: &Context) {
    let compared = compare(data, folder, cx).unwrap();
    assert!(compared.differences.is_empty(), "{:?}", compared.differences);
}

/// Whether this kernel can mount EROFS from files, on this file system.
fn has_indexes() -> bool {
    use std::sync::OnceLock;
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let scratch = scratch();
        let [tar, image] = ["layer.tar", "layer.erofs"].map(|name| scratch.path().join(name));
        let archive = Tar::default().file("a", "x").end();
        let file = File::create(&tar).unwrap();
        let (_, index) = erofs::keep(&archive[..], &file, &LIMITS, &Context::background()).unwrap();
        index.unwrap().write([7; 16], File::create(&image).unwrap()).unwrap();
        sys::erofs::mount(&image, &tar).is_ok()
    })
}

/// A layer of members that four bytes each describe: what random bytes seldom are.
pub fn members(data: &[u8]) {
    let mut tar = Tar::default();
    for it in data.chunks_exact(4).take(40) {
        tar = member(tar, it[0], NAMES[usize::from(it[1]) % NAMES.len()], it[2], it[3]);
    }
    layer(&tar.end());
}

fn member(mut tar: Tar, kind: u8, name: &str, target: u8, attributes: u8) -> Tar {
    let target = usize::from(target) % (NAMES.len() + ELSEWHERE.len());
    let target = NAMES.get(target).unwrap_or_else(|| &ELSEWHERE[target - NAMES.len()]);
    match attributes >> 5 {
        5 => tar = tar.pax(&[("SCHILY.xattr.trusted.x", "y")]),
        6 => tar = tar.pax(&[("SCHILY.xattr.trusted.overlay.opaque", "y")]),
        7 => tar = tar.pax(&[("mtime", "-1.5"), ("SCHILY.xattr.security.x", "y")]),
        _ => {}
    }
    let mode: &[u8] = [b"0000644", b"0004755", b"0001777", b"0000000"][usize::from(attributes & 3)];
    let owner = [b'0' + (attributes >> 2 & 7)];
    // Regular files are what most members are.
    let typeflag = [b'0', b'5', b'2', b'1', b'5', b'3', b'6', b'0'][usize::from(kind & 7)];
    let size = if typeflag == b'0' { usize::from(kind >> 3) * 40 } else { 0 };
    tar.raw(typeflag, name.as_bytes(), target.as_bytes(), b"", size as u64);
    tar = tar.patch(100, mode).patch(114, &owner).patch(146, &owner);
    tar.0.extend((0..size).map(|at| at as u8 ^ attributes));
    tar.0.resize(tar.0.len().next_multiple_of(BLOCK), 0);
    tar
}
