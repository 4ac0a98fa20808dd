//! A backup that is damaged, or a part of one, never becomes a volume; and what an archive says stays inside the volume.

use super::{data, fill};
use crate::support::busybox::with_busybox;
use crate::support::{Shanty, require};
use serde_json::json;
use std::collections::BTreeSet;

/// Restores these bytes over `kept`, which must fail and touch nothing.
#[track_caller]
fn refused(shanty: &Shanty, what: &str, bytes: &[u8]) {
    std::fs::write(shanty.work().join("broken"), bytes).unwrap();
    let output = shanty.eval(r#"volume("kept").restore("broken", #{ replace: true })"#).output();
    assert!(output.code == 1 && output.stderr.contains("error[corrupt]"), "{what}: {output}");
    assert_eq!(std::fs::read_to_string(data(shanty, "kept").join("file")).unwrap(), "kept", "{what}");
}

fn prepared() -> Result<Shanty, crate::support::fixtures::Missing> {
    let shanty = with_busybox()?;
    shanty.eval(r#"create_volume("kept")"#).ok();
    std::fs::write(data(&shanty, "kept").join("file"), "kept").unwrap();
    Ok(shanty)
}

#[test]
fn every_part_and_every_change_of_a_backup_is_told() {
    let shanty = require!(prepared());
    fill(&shanty, "data");
    shanty.eval(r#"for name in ["x.tar", "x.tar.gz", "x.tar.zst"] { volume("data").backup(name) }"#).ok();
    let read = |name: &str| std::fs::read(shanty.work().join(name)).unwrap();
    let plain = read("x.tar");
    // Behind the end record are the padding and two blocks of zeros, which say nothing.
    let end = plain.len() - 1024;
    for length in [0, 1, 511, 512, 10_240, end / 2 / 512 * 512, end - 1024, end - 512] {
        refused(&shanty, &format!("the first {length} bytes"), &plain[..length]);
    }
    let record = end - 1024;
    for at in [3, 600, record / 2, record - 600, record + 520, record + 560] {
        let mut changed = plain.clone();
        changed[at] ^= 1;
        refused(&shanty, &format!("byte {at} changed"), &changed);
    }
    for name in ["x.tar.gz", "x.tar.zst"] {
        let packed = read(name);
        for length in [10, packed.len() / 2, packed.len() - 1] {
            refused(&shanty, &format!("{name}: the first {length} bytes"), &packed[..length]);
        }
        let mut changed = packed.clone();
        changed[packed.len() / 2] ^= 0x10;
        refused(&shanty, &format!("{name} changed"), &changed);
    }
    // A member that was added behind its end.
    let mut more = plain[..end].to_vec();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(1);
    builder.append_data(&mut header, "more", &b"x"[..]).unwrap();
    more.extend(builder.into_inner().unwrap());
    refused(&shanty, "a member behind the end", &more);
    let names: BTreeSet<_> =
        std::fs::read_dir(shanty.root().join("volumes")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn hostile_archives_stay_inside() {
    let shanty = require!(with_busybox());
    let outside = shanty.work().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |kind: tar::EntryType, name: &str, link: &str, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        builder.append(&header, content).unwrap();
    };
    add(tar::EntryType::Symlink, "out", &outside.display().to_string(), b"");
    add(tar::EntryType::Regular, "out/file", "", b"hostile");
    add(tar::EntryType::Symlink, "up", "../../../../../../../../tmp", b"");
    add(tar::EntryType::Regular, "up/shanty-hostile", "", b"hostile");
    let bytes = builder.into_inner().unwrap();
    std::fs::write(shanty.work().join("hostile.tar"), bytes).unwrap();
    // Whether it is taken or refused: nothing is written outside.
    shanty.eval(r#"volume("data").restore("hostile.tar", #{ verify: false })"#).output();
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    assert!(!std::path::Path::new("/tmp/shanty-hostile").exists());
    for name in ["../up", "a/../../up"] {
        let mut header = tar::Header::new_ustar();
        header.set_size(1);
        header.set_mode(0o644);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, &b"x"[..]).unwrap();
        std::fs::write(shanty.work().join("up.tar"), builder.into_inner().unwrap()).unwrap();
        shanty.eval(r#"volume("up").restore("up.tar", #{ verify: false })"#).fails_with("corrupt");
    }
    assert_eq!(shanty.json(r#"volume("up").exists"#), json!(false));
}

#[test]
fn a_full_disk_leaves_no_backup_and_no_volume() {
    let shanty = require!(with_busybox());
    let code = r#"
        image("busybox:1").exec("dd if=/dev/urandom of=/d/big bs=1M count=4", #{ volumes: ["data:/d"], network: "none" });
        volume("data").backup("data.tar");"#;
    shanty.eval(code).ok();
    let small = shanty.work().join("small");
    std::fs::create_dir(&small).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(&small)
        .status()
        .unwrap();
    assert!(mounted.success());
    let output = shanty.eval(r#"volume("data").backup("small/x.tar", #{ pause: true })"#).output();
    let left = std::fs::read_dir(&small).unwrap().count();
    assert!(std::process::Command::new("umount").arg(&small).status().unwrap().success());
    assert!(output.stderr.contains("error[io]") && output.stderr.contains("no space left"), "{output}");
    assert_eq!(left, 0);
}

#[test]
fn a_volume_that_goes_away_while_it_is_read_gives_no_backup() {
    let shanty = require!(prepared());
    let root = data(&shanty, "kept");
    for number in 0..64 {
        std::fs::write(root.join(format!("f{number:02}")), vec![b'x'; 1 << 20]).unwrap();
    }
    for code in [r#"volume("kept").remove()"#, r#"volume("kept").restore("other.tar", #{ replace: true })"#] {
        shanty.eval(r#"create_volume("other"); volume("other").backup("other.tar"); create_volume("kept")"#).ok();
        if std::fs::read_dir(&root).unwrap().next().is_none() {
            (0..64).for_each(|number| std::fs::write(root.join(format!("f{number:02}")), vec![b'x'; 1 << 20]).unwrap());
        }
        // Nobody reads the pipe until the volume has changed.
        let mut command = shanty.call(&["eval", r#"volume("kept").backup("-", #{ compress: "none" })"#]).into_command();
        let mut child =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut first = [0; 1];
        std::io::Read::read_exact(&mut stdout, &mut first).unwrap();
        shanty.eval(code).ok();
        let mut archive = first.to_vec();
        std::io::Read::read_to_end(&mut stdout, &mut archive).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("error[conflict]") && stderr.contains("while it was read"), "{code}: {stderr}");
        std::fs::write(shanty.work().join("part.tar"), archive).unwrap();
        shanty.eval(r#"volume("part").restore("part.tar")"#).fails_with("corrupt");
    }
}
