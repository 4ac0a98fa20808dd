//! Compared with Docker itself.

use crate::support::busybox::with_busybox;
use crate::support::docker::Docker;
use crate::support::require;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn volumes_are_filled_and_shown_as_docker_does() {
    let (shanty, docker) = require!(with_busybox(), Docker::start());
    shanty
        .eval(
            r#"from("busybox:1")
                   .sh("mkdir -p /data/sub /real && echo one > /data/file && ln /data/file /data/same && ln -s /etc/passwd /data/link; mkfifo /data/pipe; chown -R 1000:7 /data; chmod 2750 /data; chmod 4711 /data/file; touch /real/r; ln -s /real /linked")
                   .volume("/data").volume("/linked").tag("filled:1");
               save(["filled:1"], "filled.tar");"#,
        )
        .ok();
    docker.ok(&["load", "--input", &shanty.work().join("filled.tar").display().to_string()]);
    let list = "cd /data; stat -c '%n %a %u:%g %h %F' . file same sub pipe; readlink link; ls -A /linked/ /new; stat -c '%a %u:%g' /new";
    docker.ok(&[
        "create",
        "--name",
        "both",
        "--volume",
        "named:/data",
        "--volume",
        "new:/new:ro",
        "--network",
        "none",
        "filled:1",
        "sh",
        "-c",
        list,
    ]);
    let theirs: Value = serde_json::from_str(&docker.ok(&["inspect", "both"])).unwrap();
    let theirs_of_volume: Value = serde_json::from_str(&docker.ok(&["volume", "inspect", "named"])).unwrap();
    let printed = docker.ok(&["start", "--attach", "both"]);
    let code = format!(
        r#"let c = image("filled:1").create(["sh", "-c", "{list}"], #{{ name: "both", volumes: ["named:/data", "new:/new:ro"], network: "none" }});
           let i = c.inspect();
           c.start(); c.wait();
           [c.logs(), i, volume("named").inspect()]"#
    );
    let ours = shanty.json(&code);
    assert_eq!(ours[0], json!(printed));
    assert_eq!(comparable(&ours[1]["Mounts"]), comparable(&theirs[0]["Mounts"]));
    // Docker's client sends them in any order.
    let binds = |inspected: &Value| {
        let binds = inspected["HostConfig"]["Binds"].as_array().unwrap().iter();
        binds.map(ToString::to_string).collect::<BTreeSet<_>>()
    };
    assert_eq!(binds(&ours[1]), binds(&theirs[0]));
    assert_eq!(ours[1]["HostConfig"]["Mounts"], theirs[0]["HostConfig"]["Mounts"]);
    assert_eq!(ours[1]["Config"]["Volumes"], theirs[0]["Config"]["Volumes"]);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&ours[2]), keys(&theirs_of_volume[0]));
    for key in ["Driver", "Labels", "Name", "Options", "Scope"] {
        assert_eq!(ours[2][key], theirs_of_volume[0][key], "{key}");
    }
    docker.ok(&["rm", "--volumes", "both"]);
    shanty.eval(r#"container("both").remove(#{ volumes: true })"#).ok();
    let theirs: Vec<String> = docker.ok(&["volume", "ls", "--quiet"]).lines().map(str::to_owned).collect();
    assert_eq!(shanty.json("volumes().map(|v| v.name)"), json!(theirs));
}

#[test]
fn the_same_volumes_are_pruned_as_by_docker() {
    let (shanty, docker) = require!(with_busybox(), Docker::start());
    shanty.eval(r#"from("busybox:1").volume("/data").tag("filled:1"); save(["filled:1"], "filled.tar")"#).ok();
    docker.ok(&["load", "--input", &shanty.work().join("filled.tar").display().to_string()]);
    for name in ["free", "used", "labelled"] {
        docker.ok(&["volume", "create", "--label", if name == "labelled" { "keep" } else { "x" }, name]);
    }
    docker.ok(&["create", "--name", "user", "--volume", "used:/x", "--network", "none", "filled:1", "true"]);
    docker.ok(&["volume", "create"]);
    docker.ok(&["volume", "prune", "--force", "--filter", "label!=keep"]);
    let theirs = docker.ok(&["volume", "ls", "--quiet"]);
    let code = r#"
        for name in ["free", "used", "labelled"] { create_volume(name, #{ labels: if name == "labelled" { "keep" } else { "x" } }) }
        image("filled:1").create("true", #{ name: "user", volumes: ["used:/x"], network: "none" });
        create_volume();
        // Docker 20.10 takes those with a name, too.
        prune_volumes(#{ all: true, "label!": "keep" });
        volumes().map(|v| v.name)"#;
    let named = |name: &str| if name.len() == 64 { "an anonymous one".to_owned() } else { name.to_owned() };
    let theirs: BTreeSet<_> = theirs.lines().map(named).collect();
    let ours = shanty.json(code);
    let ours: BTreeSet<_> = ours.as_array().unwrap().iter().map(|name| named(name.as_str().unwrap())).collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 3);
}

/// Mounts in an order, without made-up names and folders of this machine.
fn comparable(mounts: &Value) -> Vec<Value> {
    let mut mounts = mounts.as_array().unwrap().clone();
    for mount in &mut mounts {
        assert!(
            mount["Source"].as_str().unwrap().ends_with(&format!("/volumes/{}/_data", mount["Name"].as_str().unwrap()))
        );
        mount["Source"] = Value::Null;
        if mount["Name"].as_str().unwrap().len() == 64 {
            mount["Name"] = Value::Null;
        }
    }
    mounts.sort_by_key(|mount| mount["Destination"].to_string());
    mounts
}
