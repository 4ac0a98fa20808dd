//! The files of containers: copied, read, written, compared, exported, made an image.

mod hostile;
mod image;
mod rules;

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

/// A container that does nothing.
const IDLE: &str = r#"let c = image("busybox:1").run(["sleep", "1000"], #{ name: "box", network: "none", stop_timeout: 0, replace: true });"#;

fn idle(shanty: &Shanty) {
    shanty.eval(IDLE).ok();
}

#[test]
fn files_are_read_and_written_running_and_stopped() {
    let shanty = require!(with_busybox());
    fs::create_dir(shanty.work().join("volume")).unwrap();
    shanty
        .eval(
            r#"image("busybox:1").run(["sleep", "1000"], #{ name: "box", network: "none", stop_timeout: 0, volumes: ["./volume:/data"], tmpfs: ["/scratch"] })"#,
        )
        .ok();
    let running = shanty.json(
        r#"let c = container("box");
           c.write("/etc/new", "one\n", #{ owner: "user:extra", mode: 0o640 }).write("/etc/new", "two\n", #{ append: true });
           c.write("/scratch/x", "in memory").write("/data/x", "in the volume");
           c.write("/etc/hosts", "127.0.0.1 mine\n");
           c.write("/etc/passwd", c.read("/etc/passwd") + "new:x:5:6::/:\n").write("/tmp/x", "", #{ owner: "new" });
           [c.sh("stat -c %u:%g:%a /etc/new; cat /etc/new; cat /scratch/x /data/x; stat -c %u:%g:%a /tmp/x; stat -c %a /etc/passwd").lines,
            c.read("/scratch/x"), c.read_bytes("/data/x").len(), c.sh("cat /etc/hosts").text]"#,
    );
    let seen = ["1000:2000:640", "one", "two", "in memoryin the volume5:6:644", "644"];
    assert_eq!(running, json!([seen, "in memory", 13, "127.0.0.1 mine"]));
    assert_eq!(fs::read(shanty.work().join("volume/x")).unwrap(), b"in the volume");

    let stopped = shanty.json(
        r#"let c = container("box"); c.stop();
           c.write("/data/y", "also stopped").write("/etc/y", "y", #{ owner: 1000 });
           let missing = (); try { c.read("/scratch/x") } catch (e) { missing = e.kind }
           let seen = [c.read("/data/x"), c.read("/etc/new"), missing];
           c.start(); seen + [c.sh("cat /data/y; stat -c %u:%g /etc/y").lines]"#,
    );
    assert_eq!(stopped, json!(["in the volume", "one\ntwo\n", "not_found", ["also stopped1000:1000"]]));
    // Nothing of the look at the stopped one is left where the host could see it.
    shanty.eval(r#"container("box").stop()"#).ok();
    shanty.assert_nothing_left();

    let created = r#"
        let c = image("busybox:1").create(["cat", "/data/z", "/etc/z"], #{ name: "made", network: "none", volumes: ["./volume:/data"] });
        c.write("/data/z", "z1").write("/etc/z", "z2"); c.start(); c.wait(); c.logs()"#;
    assert_eq!(shanty.json(created), "z1z2\n");
}

#[test]
fn what_cannot_be_read_or_written_is_said() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    shanty
        .eval(r#"container("box").sh("mkfifo /fifo; mknod /null c 1 3; ln -s loop /loop; truncate -s 3298534883328 /big; mkdir /d; printf '\\377' > /binary")"#)
        .ok();
    for (call, kind, text) in [
        (r#"read("/none")"#, "not_found", "no `/none`"),
        (r#"read("/etc")"#, "invalid", "is a folder"),
        (r#"read("/fifo")"#, "invalid", "no regular file"),
        (r#"read("/null")"#, "invalid", "no regular file"),
        (r#"read("/loop")"#, "invalid", "links"),
        (r#"read("/big")"#, "invalid", "larger than"),
        (r#"read("/binary")"#, "invalid", "read_bytes"),
        (r#"read("/etc/passwd/x")"#, "invalid", "no folder"),
        (r#"write("/none/x", "")"#, "not_found", "no `/none"),
        (r#"write("/d", "")"#, "invalid", "is a folder"),
        (r#"write("/new/", "")"#, "invalid", "slash"),
        (r#"write("/fifo", "")"#, "invalid", "no regular file"),
        (r#"write("/null", "x", #{ append: true })"#, "invalid", "no regular file"),
        (r#"write("/x", "", #{ owner: "nobody" })"#, "not_found", "nobody"),
        (r#"write("/x", 1)"#, "invalid", "string or blob"),
        (r#"copy_to("none", "/")"#, "not_found", "on this machine"),
        (r#"copy_to("*.none", "/")"#, "not_found", "nothing matches"),
        (r#"copy_from("/etc/*", "file")"#, "invalid", "no folder"),
    ] {
        let output = shanty.eval(&format!("container(`box`).{call}")).fails_with(kind);
        assert!(output.stderr.contains(text), "{call}: {output}");
    }
    let read_only = |then: &str| {
        let code = format!(
            r#"let c = image("busybox:1").run(["sleep", "1000"], #{{ read_only: true, network: "none", stop_timeout: 0, volumes: [".:/data"] }});
               {then}; c.write("/data/in-a-volume", "x"); c.write("/x", "")"#
        );
        shanty.eval(&code)
    };
    read_only("c.stop()").fails_with("io");
    assert!(shanty.work().join("in-a-volume").exists());
    let read_only = read_only("");
    read_only.fails_with("io");
    assert_eq!(
        shanty.json(
            r#"container("box").sh("ls /x /new 2>/dev/null | wc -l; ls -a / | grep -c shanty", #{ check: false }).lines"#
        ),
        json!(["0", "0"])
    );
}

#[test]
fn attributes_times_links_and_holes_survive_a_copy_both_ways() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    let tree = shanty.work().join("tree");
    fs::create_dir_all(tree.join("sub/line\nbreak")).unwrap();
    fs::write(tree.join("file"), "content").unwrap();
    fs::hard_link(tree.join("file"), tree.join("sub/same")).unwrap();
    symlink("../file", tree.join("sub/link")).unwrap();
    symlink("/etc/passwd", tree.join("out")).unwrap();
    nix::unistd::mkfifo(&tree.join("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o620)).unwrap();
    let sparse = fs::File::create(tree.join("sparse")).unwrap();
    sparse.set_len(2 << 40).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", 1 << 40).unwrap();
    fs::set_permissions(tree.join("file"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::set_permissions(tree.join("sub"), fs::Permissions::from_mode(0o2500)).unwrap();
    std::os::unix::fs::chown(tree.join("file"), Some(1234), Some(4321)).unwrap();
    fs::set_permissions(tree.join("file"), fs::Permissions::from_mode(0o4751)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789);
    fs::File::open(tree.join("file")).unwrap().set_modified(time).unwrap();
    fs::File::open(tree.join("sub")).unwrap().set_modified(time).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();

    shanty.eval(r#"container("box").copy_to("tree", "/in").copy_from("/in", "back")"#).ok();
    drop(listener);
    let back = shanty.work().join("back");
    for name in ["file", "sub/same", "sub", "sub/link", "out", "pipe", "sparse", "sub/line\nbreak"] {
        let look = |root: &std::path::Path| {
            let found = root.join(name).symlink_metadata().unwrap();
            let target = fs::read_link(root.join(name)).ok();
            let time = (found.mtime(), found.mtime_nsec());
            (found.mode(), found.uid(), found.gid(), found.is_dir() || found.nlink() > 1, time, target)
        };
        assert_eq!(look(&back), look(&tree), "{name}");
    }
    let inode = |path: &str| back.join(path).metadata().unwrap().ino();
    assert_eq!(inode("file"), inode("sub/same"), "two names of one file became two files");
    let copy = back.join("sparse").metadata().unwrap();
    assert!(copy.len() == 2 << 40 && copy.blocks() < 1000, "{} blocks", copy.blocks());
    let mut end = [0; 3];
    std::os::unix::fs::FileExt::read_exact_at(&fs::File::open(back.join("sparse")).unwrap(), &mut end, 1 << 40)
        .unwrap();
    assert_eq!((&end, back.join("socket").exists()), (b"end", false));

    let given = r#"
        fs::write(fs::temp_dir() + "/x", "");
        let c = container("box");
        c.copy_to("tree/file", "/given", #{ owner: "user", mode: 0o600 }).copy_to("tree/sub/link", "/followed", #{ follow_links: true });
        c.copy_to("tree/[fp]*", "/tmp/");
        c.sh("stat -c %u:%g:%a /given; stat -c %F:%s /followed; ls /tmp").lines"#;
    assert_eq!(shanty.json(given), json!(["1000:1000:600", "regular file:7", "file", "pipe"]));
}

#[test]
fn a_stopped_script_leaves_no_file_that_looks_whole() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    shanty.eval(r#"container("box").sh("mkdir /d; dd if=/dev/zero of=/d/big bs=1M count=64 2>/dev/null")"#).ok();
    let cut = r#"let kind = "none"; try { timeout("0.02s", || container("box").copy_from("/d", ".")) } catch (e) { kind = e.kind } kind"#;
    let kind = shanty.json(cut);
    let left: Vec<_> = fs::read_dir(shanty.work().join("d")).map(|list| list.flatten().collect()).unwrap_or_default();
    if kind == "timeout" {
        assert!(left.is_empty(), "{left:?}");
    } else {
        // The machine was faster: then it is whole.
        assert_eq!(left[0].metadata().unwrap().len(), 64 << 20);
    }
}
