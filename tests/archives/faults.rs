//! What goes wrong in the middle: a full disk, a killed script, Ctrl-C. The store is whole, and nothing stays.

use super::{at, left_over, stored};
use crate::support::fixtures::program;
use crate::support::hostile_tars::Tar;
use crate::support::registry::Image;
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::wait_until;
use nix::sys::signal::Signal;
use serde_json::json;
use sha2::Digest as _;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

/// A Docker archive of one layer with one file.
fn archive(content: &[u8]) -> Vec<u8> {
    let image = Image::of_files(&[("data", content)]);
    let manifest = json!([{ "Config": "c.json", "RepoTags": ["x:1"], "Layers": ["layer.tar"] }]).to_string();
    Tar::default()
        .add(b'0', "c.json", "", &image.config)
        .add(b'0', "layer.tar", "", &image.layers[0])
        .file("manifest.json", &manifest)
        .end()
}

/// Bytes that do not compress.
fn noise(count: u32) -> Vec<u8> {
    (0..count / 32).flat_map(|number| sha2::Sha256::digest(number.to_le_bytes())).collect()
}

fn tmpfs(mount: &Path, at: &Path, size: &str) {
    let options = format!("size={size}");
    assert!(Command::new(mount).args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).status().unwrap().success());
}

#[test]
fn a_full_disk_and_a_bomb_are_said_and_leave_nothing() {
    let mount = require!(program("mount"));
    let shanty = Shanty::new();
    // Some 60 KiB that become 60 MiB.
    let bomb = archive(&vec![0; 60 << 20]);
    assert!(bomb.len() < 1 << 20);
    for (name, bytes) in [("large", archive(&noise(9 << 20))), ("bomb", bomb), ("small", archive(b"x"))] {
        std::fs::write(at(&shanty, &format!("{name}.tar")), bytes).unwrap();
    }
    std::fs::write(at(&shanty, "rootfs.tar"), Tar::default().add(b'0', "data", "", &noise(9 << 20)).end()).unwrap();
    tmpfs(&mount, &shanty.root(), "8m");
    for call in ["load(`large.tar`)", "load(`bomb.tar`)", "image_from_tar(`rootfs.tar`)"] {
        let full = shanty.eval(call).fails_with("io");
        assert!(full.stderr.contains("no space left") && full.stderr.contains("free some space"), "{call}: {full}");
        assert_eq!((left_over(&shanty), stored(&shanty)), (Vec::new(), Vec::new()), "{call}");
    }
    shanty.eval("load(`small.tar`)").ok();

    let folder = at(&shanty, "full");
    std::fs::create_dir(&folder).unwrap();
    tmpfs(&mount, &folder, "64k");
    std::fs::write(folder.join("x.tar"), "as it was").unwrap();
    let other = r#"image_from_tar("rootfs.tar", #{ tag: "large:1" })"#;
    nix::mount::umount(&shanty.root()).unwrap();
    shanty.eval(other).ok();
    for options in [r#""full/x.tar""#, r#""full/y.tar", #{ format: "oci" }"#, r#""full/layout", #{ format: "layout" }"#]
    {
        let full = shanty.eval(&format!(r#"image("large:1").save({options})"#)).fails_with("io");
        assert!(full.stderr.contains("no space left") && full.stderr.contains("free some space"), "{options}: {full}");
        let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["x.tar"], "{options}");
        assert_eq!(std::fs::read_to_string(folder.join("x.tar")).unwrap(), "as it was", "{options}");
    }
    nix::mount::umount(&folder).unwrap();
}

#[test]
fn a_load_that_is_killed_or_stopped_while_it_waits_for_a_pipe_leaves_nothing() {
    let shanty = Shanty::new();
    let bytes = archive(&noise(1 << 20));
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let mut command = shanty.eval(r#"load("-")"#).into_command();
        let mut script = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdin = script.stdin.take().unwrap();
        stdin.write_all(&bytes[..bytes.len() / 2]).unwrap();
        wait_until(LIMIT, || !left_over(&shanty).is_empty());
        let asked = Instant::now();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(script.id().cast_signed()), signal).unwrap();
        let code = script.wait().unwrap().code();
        if signal == Signal::SIGINT {
            assert_eq!(code, Some(130));
            assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
            assert_eq!(left_over(&shanty), Vec::<String>::new());
        }
    }
    // The next command takes away what the killed one has left.
    wait_until(LIMIT, || shanty.json("images().len()") == 0 && left_over(&shanty).is_empty());
    assert_eq!(stored(&shanty), Vec::<String>::new());
}
