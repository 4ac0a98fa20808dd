//! An image without a registry: Debian's static busybox, its applets, and two users.

use super::fixtures::{Missing, program};
use super::shanty::Shanty;
use std::path::Path;
use std::process::Command;

/// Name of the image that [`with_busybox`] leaves in the root.
pub const BUSYBOX: &str = "busybox:1";

/// A `shanty` whose root holds the image [`BUSYBOX`].
pub fn with_busybox() -> Result<Shanty, Missing> {
    let busybox = program("busybox")?;
    let shanty = Shanty::new();
    let tar = shanty.work().join("busybox.tar");
    write_rootfs(&busybox, &tar);
    let code =
        format!(r#"from("scratch").layer_from("{}").env("PATH", "/bin").cmd(["sh"]).tag("{BUSYBOX}")"#, tar.display());
    shanty.eval(&code).ok();
    Ok(shanty)
}

/// Writes its root file system as a tar.
pub fn write_rootfs(busybox: &Path, tar: &Path) {
    let mut builder = tar::Builder::new(std::fs::File::create(tar).unwrap());
    let mut add = |path: &str, mode: u32, kind: tar::EntryType, content: &[u8], link: &str| {
        let mut header = tar::Header::new_ustar();
        header.set_mode(mode);
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mtime(0);
        if kind.is_symlink() {
            builder.append_link(&mut header, path, link).unwrap();
        } else {
            builder.append_data(&mut header, path, content).unwrap();
        }
    };
    for (path, mode) in [("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("root", 0o700), ("home", 0o755)] {
        add(path, mode, tar::EntryType::Directory, b"", "");
    }
    add("bin/busybox", 0o755, tar::EntryType::Regular, &std::fs::read(busybox).unwrap(), "");
    let applets = Command::new(busybox).arg("--list").output().unwrap().stdout;
    for applet in String::from_utf8(applets).unwrap().lines().filter(|applet| *applet != "busybox") {
        add(&format!("bin/{applet}"), 0o777, tar::EntryType::Symlink, b"", "busybox");
    }
    let passwd = b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:User:/home/user:/bin/sh\n";
    add("etc/passwd", 0o644, tar::EntryType::Regular, passwd, "");
    add("etc/group", 0o644, tar::EntryType::Regular, b"root:x:0:\nuser:x:1000:\nextra:x:2000:user\n", "");
    add("etc/not-executable", 0o644, tar::EntryType::Regular, b"data", "");
    builder.finish().unwrap();
}
