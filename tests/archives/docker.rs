//! Docker reads what we write, and we read what it writes.

use super::{at, identity, text};
use crate::support::busybox::with_busybox;
use crate::support::docker::Docker;
use crate::support::require;
use crate::support::shanty::Shanty;
use serde_json::{Value, json};
use std::process::Stdio;

fn inspect(docker: &Docker, kind: &str, name: &str) -> Value {
    serde_json::from_str::<Value>(&docker.ok(&[kind, "inspect", name])).unwrap()[0].take()
}

#[test]
fn docker_loads_what_we_save_and_we_load_what_docker_saves() {
    let docker = require!(Docker::start());
    let shanty = require!(with_busybox());
    // Two layers that are the same: Docker writes the second as a link to the first.
    let script = r#"
        from("busybox:1").sh("echo a > /a").sh("true").write("/b", "b").write("/b", "c").write("/b", "b").tag("many:1");
        image("many:1").tag("localhost:5000/team/many:2");
        image("busybox:1").save("one.tar");
        save(["many:1", "localhost:5000/team/many:2", "busybox:1"], "several.tar");
    "#;
    shanty.eval(script).ok();
    let names = ["busybox:1", "many:1", "localhost:5000/team/many:2"];
    let ours: Vec<Value> =
        names.iter().map(|name| shanty.json(&format!("let i = image(`{name}`); [i.id, i.layers]"))).collect();

    docker.ok(&["load", "--input", &text(&at(&shanty, "one.tar"))]);
    docker.ok(&["load", "--input", &text(&at(&shanty, "several.tar"))]);
    for (name, ours) in names.iter().zip(&ours) {
        let theirs = inspect(&docker, "image", name);
        assert_eq!(&json!([theirs["Id"], theirs["RootFS"]["Layers"]]), ours, "{name}");
    }
    assert_eq!(docker.ok(&["run", "--rm", "--network=none", "many:1", "cat", "/a", "/b"]), "a\nb");

    let saved = at(&shanty, "docker.tar");
    docker.ok(&["save", "--output", &text(&saved), "many:1", "localhost:5000/team/many:2", "busybox:1"]);
    shanty.owns(&saved);
    let members = std::fs::File::open(&saved)
        .map(tar::Archive::new)
        .unwrap()
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().entry_type())
        })
        .collect::<Vec<_>>();
    assert!(members.iter().any(|(name, kind)| name.ends_with("/layer.tar") && kind.is_symlink()), "{members:?}");

    // Into an empty store, and into one that has them: there they keep the manifests that they had.
    let known: Vec<Value> = names.iter().map(|name| identity(&shanty, name)).collect();
    let other = Shanty::new();
    for shanty in [&shanty, &other] {
        let loaded = shanty.json(&format!("load(`{}`).map(|i| i.tags)", saved.display()));
        assert_eq!(loaded.as_array().unwrap().len(), 2, "{loaded}");
        for (name, ours) in names.iter().zip(&ours) {
            assert_eq!(&shanty.json(&format!("let i = image(`{name}`); [i.id, i.layers]")), ours, "{name}");
        }
    }
    assert_eq!(names.map(|name| identity(&shanty, name)).to_vec(), known);
    assert_eq!(other.json(r#"image("many:1").exec("cat /a /b").text"#), "a\nb");

    let mut save = docker.command(&["save", "busybox:1"]).stdout(Stdio::piped()).spawn().unwrap();
    let third = Shanty::new();
    let mut load = third.eval(r#"print(load("-").map(|i| i.id)[0])"#).into_command();
    let output = load.stdin(save.stdout.take().unwrap()).output().unwrap();
    assert!(save.wait().unwrap().success());
    assert_eq!(json!(String::from_utf8(output.stdout).unwrap().trim()), ours[0][0]);
}
