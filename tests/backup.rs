//! Backups of volumes: whole or not there, restored as they were.

mod crashes;
mod damage;
mod quiet;

use crate::support::busybox::with_busybox;
use crate::support::fixtures::program;
use crate::support::{Shanty, require};
use serde_json::{Value, json};
use shanty::sys::xattr;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of a volume's files.
fn data(shanty: &Shanty, volume: &str) -> PathBuf {
    shanty.root().join("volumes").join(volume).join("_data")
}

/// Fills a volume with one of each: owners, modes, times, links, attributes, holes, a pipe, a device, odd names.
fn fill(shanty: &Shanty, volume: &str) {
    shanty.eval(&format!("create_volume(`{volume}`)")).ok();
    let root = data(shanty, volume);
    let path = |name: &str| root.join(name);
    std::fs::create_dir_all(path("folder/below")).unwrap();
    std::fs::write(path("folder/file"), "content").unwrap();
    std::fs::hard_link(path("folder/file"), path("same")).unwrap();
    symlink("../../../etc/passwd", path("link")).unwrap();
    std::fs::write(path(".wh.file"), "no whiteout").unwrap();
    std::fs::write(path("line\nend"), "x").unwrap();
    std::fs::write(path(&"n".repeat(200)), "long").unwrap();
    std::fs::write(path("empty"), "").unwrap();
    let sparse = File::create(path("sparse")).unwrap();
    sparse.write_all_at(b"begin", 0).unwrap();
    sparse.write_all_at(b"middle", 5 << 20).unwrap();
    sparse.set_len(64 << 20).unwrap();
    File::create(path("hole")).unwrap().set_len(1 << 20).unwrap();
    nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o640)).unwrap();
    let kind = nix::sys::stat::SFlag::S_IFCHR;
    nix::sys::stat::mknod(
        &path("null"),
        kind,
        nix::sys::stat::Mode::from_bits_truncate(0o666),
        nix::sys::stat::makedev(1, 3),
    )
    .unwrap();
    let folder = File::open(&root).unwrap();
    xattr::set_at(folder.as_fd(), c"folder", c"user.colour", b"blue").unwrap();
    xattr::set_at(folder.as_fd(), c"folder", c"trusted.overlay.opaque", b"y").unwrap();
    for (name, uid, gid, mode) in
        [("folder/file", 1000, 7, 0o4755), ("folder", 1000, 70_000, 0o2750), ("", 33, 33, 0o1770)]
    {
        std::os::unix::fs::chown(path(name), Some(uid), Some(gid)).unwrap();
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// What is in a folder, in the order of names: everything about each entry that a backup keeps.
fn described(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![root.to_owned()];
    while let Some(path) = todo.pop() {
        let stat = path.symlink_metadata().unwrap();
        let content = if stat.is_file() {
            format!(
                "{} {:?}",
                stat.len(),
                shanty::model::Digest::from_sha256(&<sha2::Sha256 as sha2::Digest>::digest(
                    std::fs::read(&path).unwrap()
                ))
            )
        } else if stat.is_symlink() {
            std::fs::read_link(&path).unwrap().display().to_string()
        } else {
            String::new()
        };
        let attributes = if stat.is_dir() { attributes(&path) } else { String::new() };
        let links = if stat.is_dir() { 0 } else { stat.nlink() };
        found.push(format!(
            "{:?} {:o} {}:{} {} {}.{:09} {:x} {content} {attributes}",
            path.strip_prefix(root).unwrap(),
            stat.mode(),
            stat.uid(),
            stat.gid(),
            links,
            stat.mtime(),
            stat.mtime_nsec(),
            stat.rdev()
        ));
        if stat.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found.sort();
    found
}

fn attributes(folder: &Path) -> String {
    let node = shanty::sys::node::Node::of(File::open(folder).unwrap().into()).unwrap();
    let mut attributes = node.xattrs().unwrap();
    attributes.sort();
    format!("{attributes:?}")
}

fn blocks(path: &Path) -> u64 {
    path.metadata().unwrap().blocks() * 512
}

#[test]
fn all_of_a_volume_comes_back_in_every_compression() {
    let shanty = require!(with_busybox());
    fill(&shanty, "data");
    let before = described(&data(&shanty, "data"));
    for name in ["data.tar", "data.tar.gz", "data.tar.zst"] {
        let code = format!(
            r#"let made = volume("data").backup("{name}"); volume("copy").restore("{name}", #{{ replace: true }}); made"#
        );
        let made = shanty.json(&code);
        assert_eq!(made["entries"], json!(before.len()), "{name}");
        assert_eq!(described(&data(&shanty, "copy")), before, "{name}");
    }
    let sparse = data(&shanty, "copy").join("sparse");
    assert!(blocks(&sparse) < 1 << 20, "{}", blocks(&sparse));
    let plain = shanty.work().join("data.tar");
    assert!(plain.metadata().unwrap().len() < 1 << 20, "holes take no space");
    assert_eq!(plain.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(shanty.json("volumes().map(|v| v.name)"), json!(["copy", "data"]));
}

#[test]
fn gnu_tar_reads_it_without_a_word() {
    let (shanty, tar) = require!(with_busybox(), program("tar"));
    fill(&shanty, "data");
    shanty.eval(r#"volume("data").backup("data.tar")"#).ok();
    let folder = shanty.work().join("unpacked");
    std::fs::create_dir(&folder).unwrap();
    let output = Command::new(tar)
        .args([
            "--extract",
            "--numeric-owner",
            "--same-permissions",
            "--same-owner",
            "--xattrs",
            "--xattrs-include=*",
            "--file",
        ])
        .arg(shanty.work().join("data.tar"))
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(described(&folder), described(&data(&shanty, "data")));
    assert!(blocks(&folder.join("sparse")) < 1 << 20);
}

#[test]
fn archives_of_gnu_tar_are_taken_when_that_is_said() {
    let (shanty, tar) = require!(with_busybox(), program("tar"));
    fill(&shanty, "data");
    let output = Command::new(tar)
        .args(["--create", "--format=posix", "--sparse", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--file"])
        .arg(shanty.work().join("theirs.tar"))
        .arg(".")
        .current_dir(data(&shanty, "data"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let refused = shanty.eval(r#"volume("copy").restore("theirs.tar")"#).fails_with("corrupt");
    assert!(refused.stderr.contains("verify: false"), "{refused}");
    assert_eq!(shanty.json(r#"volume("copy").exists"#), json!(false));
    shanty.eval(r#"volume("copy").restore("theirs.tar", #{ verify: false })"#).ok();
    // GNU tar writes names of hard links in the order of the folder.
    assert_eq!(described(&data(&shanty, "copy")), described(&data(&shanty, "data")));
}

#[test]
fn backups_go_through_pipes() {
    let shanty = require!(with_busybox());
    fill(&shanty, "data");
    let archive =
        shanty.call(&["eval", r#"volume("data").backup("-", #{ compress: "none" })"#]).into_command().output().unwrap();
    assert!(archive.status.success(), "{}", String::from_utf8_lossy(&archive.stderr));
    shanty.eval(r#"volume("copy").restore("-"); ()"#).stdin(archive.stdout).ok();
    assert_eq!(described(&data(&shanty, "copy")), described(&data(&shanty, "data")));
}

#[test]
fn what_is_excluded_is_left_out() {
    let shanty = require!(with_busybox());
    let code = r#"
        image("busybox:1").exec(["sh", "-c", "cd /d; mkdir -p cache/x keep/cache; touch a.log keep/b.log keep/c cache/x/y keep/cache/z"], #{ volumes: ["data:/d"], network: "none" });
        volume("data").backup("some.tar.zst", #{ exclude: ["*.log", "/cache"] });
        volume("some").restore("some.tar.zst");
        image("busybox:1").exec(["sh", "-c", "cd /d; find . | sort"], #{ volumes: ["some:/d"], network: "none" }).lines"#;
    assert_eq!(shanty.json(code), json!([".", "./keep", "./keep/c", "./keep/cache", "./keep/cache/z"]));
}

#[test]
fn a_clone_is_the_same_and_then_its_own() {
    let shanty = require!(with_busybox());
    fill(&shanty, "data");
    // Its copy has no attributes of overlayfs: the code that copies files of containers leaves them out.
    let folder = File::open(data(&shanty, "data").join("folder")).unwrap();
    nix::sys::stat::fstat(&folder).unwrap();
    let code = r#"
        create_volume("labelled", #{ labels: "a=b" });
        volume("data").clone("copy");
        [volume("labelled").clone("other").labels, volumes().map(|v| v.name)]"#;
    assert_eq!(shanty.json(code), json!([{ "a": "b" }, ["copy", "data", "labelled", "other"]]));
    let without = |volume: &str| -> Vec<String> {
        let lines = described(&data(&shanty, volume));
        lines.into_iter().map(|line| line.replace("(\"trusted.overlay.opaque\", [121]), ", "")).collect()
    };
    assert_eq!(without("copy"), without("data"));
    assert!(blocks(&data(&shanty, "copy").join("sparse")) < 1 << 20);
    shanty.eval(r#"image("busybox:1").exec("rm /d/same", #{ volumes: ["copy:/d"], network: "none" })"#).ok();
    assert!(data(&shanty, "data").join("same").exists());
    shanty.eval(r#"volume("data").clone("copy")"#).fails_with("conflict");
    shanty.eval(r#"volume("nothing").clone("x1")"#).fails_with("not_found");
    shanty.eval(r#"volume("data").clone("a b")"#).fails_with("invalid");
}

#[test]
fn only_an_unused_volume_is_replaced_and_only_when_that_is_said() {
    let shanty = require!(with_busybox());
    let code = r#"
        image("busybox:1").exec("touch /d/old", #{ volumes: ["data:/d"], network: "none" });
        volume("data").backup("data.tar.zst");
        image("busybox:1").exec("touch /d/new", #{ volumes: ["data:/d"], network: "none" });"#;
    shanty.eval(code).ok();
    let refused = shanty.eval(r#"volume("data").restore("data.tar.zst")"#).fails_with("conflict");
    assert!(refused.stderr.contains("replace: true"), "{refused}");
    shanty
        .eval(r#"image("busybox:1").run("sleep 1000", #{ name: "user", volumes: ["data:/d"], network: "none" })"#)
        .ok();
    let refused = shanty.eval(r#"volume("data").restore("data.tar.zst", #{ replace: true })"#).fails_with("conflict");
    assert!(refused.stderr.contains("container `user` runs"), "{refused}");
    let code = r#"
        container("user").stop(#{ timeout: 0 });
        volume("data").restore("data.tar.zst", #{ replace: true });
        container("user").start();
        let seen = container("user").exec("ls /d").lines;
        container("user").remove(#{ force: true });
        seen"#;
    assert_eq!(shanty.json(code), json!(["old"]));
    let left: Vec<Value> = shanty.json("volumes().map(|v| v.name)").as_array().unwrap().clone();
    assert_eq!(left, [json!("data")]);
    assert_eq!(std::fs::read_dir(shanty.root().join("volumes")).unwrap().count(), 1);
}
