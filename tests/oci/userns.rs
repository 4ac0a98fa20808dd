//! User namespaces of bundles: new ones, joined ones, and those that only map the owners in a mount.

use super::bundle::Bundle;
use crate::support::require;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, lchown};
use std::path::Path;

/// The container's root on the host.
const ROOT: u32 = 700_000;

fn maps(spec: &mut Value) {
    let map = json!([{ "containerID": 0, "hostID": ROOT, "size": 65_536 }]);
    (spec["linux"]["uidMappings"], spec["linux"]["gidMappings"]) = (map.clone(), map);
}

/// Gives a tree to the container's root, as an engine does.
fn give(path: &Path) {
    lchown(path, Some(ROOT), Some(ROOT)).unwrap();
    for entry in fs::read_dir(path).into_iter().flatten() {
        let entry = entry.unwrap();
        lchown(entry.path(), Some(ROOT), Some(ROOT)).unwrap();
        if entry.file_type().unwrap().is_dir() {
            give(&entry.path());
        }
    }
}

#[test]
fn a_user_namespace_is_made_and_joined() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    give(&bundle.rootfs());
    bundle.change(|spec| {
        maps(spec);
        spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
        spec["linux"]["devices"] = json!([{ "type": "c", "path": "/dev/mine", "major": 1, "minor": 3, "uid": 5 }]);
    });
    bundle.create("first", &[]);
    bundle.ok(&["start", "first"]);
    let first = bundle.state("first")["pid"].to_string();
    let words = |path: String| -> Vec<String> {
        fs::read_to_string(path).unwrap().split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(words(format!("/proc/{first}/uid_map")), ["0", "700000", "65536"]);
    let seen = "id -u; echo x > /made; ls -lnd /made /dev/null /dev/mine | awk '{ print $3, $4 }'; echo x > /dev/null";
    assert_eq!(bundle.ok(&["exec", "first", "sh", "-c", seen]), "0\n5 0\n0 0\n0 0\n");
    assert_eq!(fs::metadata(bundle.rootfs().join("made")).unwrap().uid(), ROOT);
    bundle.fails(&["exec", "first", "mount", "-t", "tmpfs", "none", "/tmp"], "");

    // Another one in the same: it need not say the maps again.
    bundle.change(|spec| {
        spec["hostname"] = Value::Null;
        spec["linux"]["cgroupsPath"] = json!(format!("/shanty-oci/second-of-{first}"));
        for map in ["uidMappings", "gidMappings"] {
            spec["linux"].as_object_mut().unwrap().remove(map);
        }
        spec["linux"]["namespaces"] = json!([
            { "type": "mount" },
            { "type": "pid" },
            { "type": "ipc" },
            { "type": "user", "path": format!("/proc/{first}/ns/user") },
            { "type": "network", "path": format!("/proc/{first}/ns/net") },
            { "type": "uts", "path": format!("/proc/{first}/ns/uts") },
        ]);
    });
    bundle.create("second", &[]);
    bundle.ok(&["start", "second"]);
    let second = bundle.state("second")["pid"].to_string();
    let of = |pid: &str, kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
    for kind in ["user", "net", "uts"] {
        assert_eq!(of(&second, kind), of(&first, kind), "{kind}");
    }
    assert_eq!(bundle.ok(&["exec", "second", "sh", "-c", seen]), "0\n5 0\n0 0\n0 0\n");
    for id in ["first", "second"] {
        bundle.ok(&["delete", "--force", id]);
    }
}

#[test]
fn owners_in_a_mount_are_mapped_by_its_own_maps_or_the_containers() {
    let bundle = require!(Bundle::new(&[
        "sh",
        "-c",
        "ls -ln /data | awk 'NR > 1 { print $3, $4, $9 }'; touch /data/new 2>/dev/null || true"
    ]));
    let data = bundle.file("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("mine"), "").unwrap();
    chown(data.join("mine"), Some(1000), Some(7)).unwrap();
    let mount = |options: &[&str], map: Value| {
        json!({ "destination": "/data", "type": "bind", "source": data, "options": options,
            "uidMappings": map, "gidMappings": map })
    };
    let of_its_own = json!([{ "containerID": 0, "hostID": 500, "size": 2000 }]);
    let spec = fs::read_to_string(bundle.file("config.json")).unwrap();
    let with = |mount: Value| {
        fs::write(bundle.file("config.json"), &spec).unwrap();
        bundle.change(|spec| spec["mounts"].as_array_mut().unwrap().push(mount));
    };
    // What is 1000 on disk is 1500 in the container, which has the host's ids; the specification's `idmap` goes without saying.
    for options in [&["rbind", "idmap"][..], &["rbind", "ridmap"], &["bind"]] {
        with(mount(options, of_its_own.clone()));
        assert_eq!(bundle.ok(&["run", "one"]), "1500 507 mine\n", "{options:?}");
        bundle.oci(&["delete", "--force", "one"]);
        // Its root has no id on that disk.
        assert!(!data.join("new").exists());
    }
    // The container's.
    give(&bundle.rootfs());
    with(mount(&["rbind", "idmap"], Value::Null));
    bundle.change(|spec| {
        maps(spec);
        spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    });
    assert_eq!(bundle.ok(&["run", "two"]), "1000 7 mine\n");
    assert_eq!(fs::metadata(data.join("new")).unwrap().uid(), 0);
}

#[test]
fn what_cannot_be_mapped_is_told_and_leaves_nothing() {
    let bundle = require!(Bundle::new(&["true"]));
    let spec = fs::read_to_string(bundle.file("config.json")).unwrap();
    let user = |spec: &mut Value| spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    let data =
        |options: &[&str]| json!({ "destination": "/data", "type": "bind", "source": "/tmp", "options": options });
    for (change, words) in [
        (Box::new(user) as Box<dyn Fn(&mut Value)>, "`uidMappings` is empty"),
        (Box::new(|spec| spec["mounts"].as_array_mut().unwrap().push(data(&["rbind", "idmap"]))), "no user namespace"),
        (
            Box::new(|spec| {
                spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user", "path": "/nowhere" }));
            }),
            "is gone",
        ),
        (
            Box::new(|spec| {
                let map = json!([{ "containerID": 0, "hostID": 1000, "size": 10 }]);
                spec["mounts"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({ "destination": "/m", "type": "tmpfs", "source": "m",
                    "options": [], "uidMappings": map, "gidMappings": map }));
            }),
            "it is no bind",
        ),
    ] {
        fs::write(bundle.file("config.json"), &spec).unwrap();
        bundle.change(change);
        bundle.fails(&["create", "bad"], words);
        assert_eq!(bundle.oci(&["list", "--quiet"]).stdout, "");
    }
}
