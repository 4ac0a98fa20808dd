//! Layers that are not unpacked: mounted once for all containers, and only while there are some.

use crate::support::busybox::with_busybox;
use crate::support::{Shanty, require, wait_until};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Where the root's layers are mounted.
fn mounts(shanty: &Shanty) -> Vec<PathBuf> {
    let folder = PathBuf::from(format!("/run/shanty/{}/layers", shanty.id8().unwrap()));
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let points = table.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    points.filter(|point| point.starts_with(&folder)).collect()
}

/// The forms of the root's layers.
fn forms(shanty: &Shanty) -> BTreeSet<&'static str> {
    let layers = std::fs::read_dir(shanty.root().join("layers")).unwrap().flatten().map(|layer| layer.path());
    let layers = layers.filter(|layer| !layer.ends_with("tmp"));
    layers.map(|layer| if layer.join("layer.erofs").exists() { "erofs" } else { "folder" }).collect()
}

/// Whether this machine does not unpack layers.
fn is_indexed(shanty: &Shanty) -> bool {
    forms(shanty).contains("erofs")
}

#[test]
fn a_layer_is_mounted_once_for_all_containers_and_goes_with_the_last() {
    let shanty = require!(with_busybox());
    if !is_indexed(&shanty) {
        return;
    }
    let start = |name: &str| {
        let code = r#"image("busybox:1").run(["sleep", "1000"], #{ network: "none", name: "#;
        shanty.eval(&format!(r#"{code}"{name}" }})"#)).ok();
    };
    start("first");
    assert_eq!(mounts(&shanty).len(), 1);
    start("second");
    assert_eq!(mounts(&shanty).len(), 1, "one mount for both");
    shanty.eval(r#"container("first").remove(#{ force: true })"#).ok();
    // What cleans up has looked when it has gone; then the layer is still there.
    shanty.eval(r#"image("busybox:1").exec("true", #{ network: "none" })"#).ok();
    assert_eq!(shanty.json(r#"container("second").exec("echo on").text"#), "on");
    assert_eq!(mounts(&shanty).len(), 1);
    shanty.eval(r#"container("second").remove(#{ force: true })"#).ok();
    wait_until(Duration::from_secs(30), || mounts(&shanty).is_empty());
    shanty.assert_nothing_left();
}

#[test]
fn removing_an_image_lets_go_of_its_files_at_once() {
    let shanty = require!(with_busybox());
    if !is_indexed(&shanty) {
        return;
    }
    // In one script: the mount is there when the image goes.
    shanty.eval(r#"prune(#{ build_cache: true }); image("busybox:1").exec("true", #{ network: "none" }); image("busybox:1").remove()"#).ok();
    wait_until(Duration::from_secs(30), || mounts(&shanty).is_empty());
    let left = std::fs::read_dir(shanty.root().join("layers")).unwrap().count();
    assert_eq!(left, 1, "only the folder for new ones");
}

#[test]
fn the_setting_chooses_the_form_and_a_store_holds_both() {
    let shanty = require!(with_busybox());
    if !is_indexed(&shanty) {
        return;
    }
    let build = r#"from("busybox:1").write("/new", "of a folder").tag("mixed:1")"#;
    shanty.eval(build).env("SHANTY_LAYERS", "folder").ok();
    assert_eq!(forms(&shanty), BTreeSet::from(["erofs", "folder"]));
    let read =
        r#"image("mixed:1").sh("cat /new; busybox echo -n '' && stat -c %d /new /bin/busybox | uniq | wc -l").lines"#;
    // Both show the same device: programs that stay on one file system see all of it.
    assert_eq!(shanty.json(read), serde_json::json!(["of a folder1"]));
    let wrong =
        shanty.eval(r#"from("busybox:1").write("/x", "1").tag("x")"#).env("SHANTY_LAYERS", "zfs").fails_with("invalid");
    assert!(wrong.stderr.contains("`auto`, `erofs` and `folder`"), "{wrong}");
}

#[test]
fn files_of_a_layer_are_changed_as_in_any_container() {
    let shanty = require!(with_busybox());
    let steps = r#".write("/d/file", "old").sh("cp /bin/busybox /su && chmod 4755 /su && ln /su /d/su")"#;
    shanty.eval(&format!(r#"from("busybox:1"){steps}.tag("files:1")"#)).ok();
    // The number of a file and its device stay when it is changed.
    let script = r#"
        cd /d; before=$(stat -c '%d %i' file); echo new >> file; after=$(stat -c '%d %i' file)
        [ "$before" = "$after" ] && echo same; cat file
        stat -c '%a %h' /su file; rm -r /d; mkdir /d; ls -A /d | wc -l"#;
    let found = shanty.json(&format!("image(\"files:1\").sh({script:?}, #{{ network: \"none\" }}).lines"));
    assert_eq!(found, serde_json::json!(["same", "oldnew", "4755 2", "644 1", "0"]), "{found}");
}

#[test]
fn a_container_with_a_user_namespace_has_mapped_owners() {
    let shanty = require!(with_busybox());
    let owners = shanty.json(
        r#"
        let c = image("busybox:1").run(["sleep", "1000"], #{ userns: "auto", network: "none", name: "mapped" });
        let owners = c.sh("stat -c '%u:%g' /bin/busybox /etc; touch /etc/new && stat -c %u /etc/new").lines;
        c.restart(#{ timeout: 0 });
        owners += c.sh("stat -c '%u:%g' /bin/busybox").lines;
        c.remove(#{ force: true });
        owners
        "#,
    );
    assert_eq!(owners, serde_json::json!(["0:0", "0:0", "0", "0:0"]));
}
