//! User namespaces with ids of their own for a user with ranges: on copies of layers.

use super::Person;
use super::ranges::FIRST;
use crate::support::require;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// An image with links, a pipe, a folder of somebody else, what hides something below, and owners that are few.
const LAYERS: &str = r#"
    from("busybox:1")
        .sh("mkdir /a /b /c && echo one > /a/one && echo two > /b/two && echo gone > /c/gone && chown 33:34 /a /a/one && chmod 4755 /a/one")
        .sh("rm -r /b && mkdir /b && echo three > /b/three && rm /c/gone && ln /a/one /a/again && ln -s /etc/passwd /a/link && chown -h 5:6 /a/link && mkfifo -m 622 /a/pipe && chown 9:9 /a/pipe")
        .sh("echo far > /far && chown 20000:1 /far")
        .tag("layers:1");"#;

impl Person {
    fn json(&self, code: &str) -> Value {
        serde_json::from_str(&self.eval(&format!("print(to_json({code}))"))).unwrap()
    }

    /// The copies of layers.
    fn copies(&self) -> Vec<PathBuf> {
        let of = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        of(self.folder.path().join("root/layers")).flat_map(|layer| of(layer.join("maps"))).collect()
    }
}

const LOOK: &str = r#"id -u; id -g; stat -c '%n %u %g %a %h' / /a /a/one /a/again /a/link /a/pipe /far /etc/hosts; cat /a/one; ls /b /c"#;

#[test]
fn automatic_ids_are_nobody_elses_and_layers_are_shown_with_them() {
    let person = require!(Person::with_ranges());
    person.eval(LAYERS);
    let seen = person.eval(&format!(
        r#"for name in ["one", "two"] {{ image("layers:1").run("sleep 1000", #{{ name: name, userns: "auto", network: "none" }}); }}
        print(container("one").sh("{LOOK}").text);"#
    ));
    let expected = "0\n0\n/ 0 0 755 1\n/a 33 34 755 2\n/a/one 33 34 4755 2\n/a/again 33 34 4755 2\n/a/link 5 6 777 1\n\
                    /a/pipe 9 9 622 1\n/far 65534 65534 644 1\n/etc/hosts 0 0 644 1\none\n/b:\nthree\n\n/c:\n";
    // The number of names of a folder differs from file system to file system.
    let fixed = |text: &str| {
        let lines = text.lines().map(|line| match line.strip_prefix("/ ").or(line.strip_prefix("/a ")) {
            Some(_) => line.rsplit_once(' ').unwrap().0.to_owned(),
            None => line.to_owned(),
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(fixed(seen.trim_end()), fixed(expected.trim_end()));
    let range = |name: &str| {
        let pid = person.json(&format!(r#"container("{name}").pid"#));
        let map = fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
        map.lines().next().unwrap().split_whitespace().map(|it| it.parse::<u32>().unwrap()).collect::<Vec<_>>()
    };
    // A sixteenth each, without the four that come last; and the user itself is nobody there.
    assert_eq!((range("one"), range("two")), (vec![0, FIRST, 4092], vec![0, FIRST + 4096, 4092]));
    let copies = person.copies().len();
    assert_eq!(copies % 2, 0);
    // What one leaves is the next one's.
    person.eval(
        r#"container("one").remove(#{ force: true });
        image("layers:1").run("sleep 1000", #{ name: "one", userns: "auto", network: "none" });"#,
    );
    assert_eq!((range("one"), person.copies().len()), (vec![0, FIRST, 4092], copies));
    person.eval(r#"for c in containers() { c.remove(#{ force: true }) }"#);
    person.wait_for_nobody();
}

#[test]
fn what_such_a_container_changes_has_the_owners_that_it_sees() {
    let person = require!(Person::with_ranges());
    person.eval(LAYERS);
    let host = person.folder.path();
    let code = format!(
        r#"let c = image("layers:1").run("sleep 1000", #{{ name: "changed", network: "none", userns: #{{ uid: ["0:1000:100", "1000:2000:5"], gid: ["0:3000:100"] }} }});
        c.sh("echo new > /new && chown 1000:7 /new && echo more >> /a/one && chown 0:34 /b && touch -d @0 /b && mkdir /d && chown 1001 /d");
        fs::write("given", "x");
        c.copy_to("{0}/given", "/given", #{{ owner: "1002:3" }});
        c.kill(); c.wait();
        c.copy_to("{0}/given", "/later", #{{ owner: "1003:4" }});
        c.start();
        let seen = c.sh("stat -c '%n %u %g' /new /a/one /b /d /given /later").lines;
        c.kill(); c.wait();
        c.export_tar("export.tar");
        let diff = [];
        for change in c.diff() {{ diff.push(change.path) }}
        c.commit("changed:1");
        [seen, diff, image("changed:1").sh("stat -c '%n %u %g' /new /a/one /b /d /given /later", #{{ network: "none" }}).lines]"#,
        host.display()
    );
    let found = person.json(&format!("({{ {code} }})"));
    let owners = ["/new 1000 7", "/a/one 33 34", "/b 0 34", "/d 1001 0", "/given 1002 3", "/later 1003 4"];
    assert_eq!(found[0], serde_json::json!(owners));
    assert_eq!(found[1], serde_json::json!(["/a", "/a/one", "/b", "/d", "/given", "/later", "/new"]));
    assert_eq!(found[2], serde_json::json!(owners));
    let listing = std::process::Command::new("tar")
        .args(["--numeric-owner", "-tvf", "export.tar", "new", "a/one", "a/link", "far", "bin/busybox"])
        .current_dir(host)
        .output()
        .unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    let listed: Vec<_> = listing.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(listed, ["5/6", "33/34", "0/0", "20000/1", "1000/7"], "{listing}");
    // On the disk they are the container's.
    let containers = fs::read_dir(host.join("root/containers")).unwrap().next().unwrap().unwrap().path();
    let new = fs::metadata(containers.join("upper/new")).unwrap();
    assert_eq!((new.uid(), new.gid()), (FIRST + 1999, FIRST + 3006));
    person.eval(r#"for c in containers() { c.remove(#{ force: true }) }"#);
    person.wait_for_nobody();
}

#[test]
fn volumes_belong_to_the_container_that_they_were_made_for() {
    let person = require!(Person::with_ranges());
    person.eval(LAYERS);
    const OWN: &str = r#"userns: #{ uid: ["0:20000:100"], gid: ["0:20000:100"] }, network: "none""#;
    let code = format!(
        r#"print(image("layers:1").sh("stat -c '%u %g' /a /a/one /empty; echo x > /empty/x", #{{ {OWN}, volumes: ["filled:/a", "empty:/empty"] }}).text);
        print(image("layers:1").sh("cat /empty/x; stat -c %u /empty/x", #{{ {OWN}, volumes: ["empty:/empty"] }}).text);
        print(image("layers:1").sh("cat /empty/x", #{{ userns: "auto", network: "none", volumes: ["empty:/empty:ro"] }}).text);"#
    );
    assert_eq!(person.eval(&code), "33 34\n33 34\n0 0\nx\n0\nx\n");
    let output = person
        .try_eval(r#"image("layers:1").sh("true", #{ userns: "auto", network: "none", volumes: ["empty:/empty"] })"#);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("belongs to other ids") && said.contains("hint:"), "{said}");
    person.wait_for_nobody();
}

#[test]
fn copies_are_counted_checked_and_go_when_no_container_has_them() {
    let person = require!(Person::with_ranges());
    let before = person.json("disk_usage().images.size").as_u64().unwrap();
    person.eval(r#"image("busybox:1").run("sleep 1000", #{ name: "kept", userns: "auto", network: "none" })"#);
    let copy = person.copies().pop().unwrap();
    let usage = |field: &str| person.json(&format!("disk_usage().images.{field}")).as_u64().unwrap();
    assert!(usage("size") > before && usage("reclaimable") == 0);
    let prune = r#"prune(#{ build_cache: false }).items.map(|item| item.kind)"#;
    assert_eq!(person.json(prune), serde_json::json!([]));
    assert_eq!(person.json("check_store().findings.len()"), 0);
    person.eval(r#"container("kept").remove(#{ force: true })"#);
    assert!(usage("reclaimable") > 0);
    fs::write(copy.join("fs/bin/busybox"), "other").unwrap();
    assert_eq!(person.json("check_store(#{ repair: true }).findings[0].kind"), "layer_damaged");
    assert!(person.copies().is_empty());
    // Made again when it is needed, and gone with the image.
    person.eval(r#"image("busybox:1").run("true", #{ userns: "auto", network: "none" })"#);
    assert_eq!(person.copies().len(), 1);
    person.eval(r#"for c in containers(#{ all: true }) { c.remove() }"#);
    assert_eq!(person.json(prune), serde_json::json!(["mapped_layer"]));
    assert!(person.copies().is_empty());
    person.wait_for_nobody();
}

#[test]
fn ids_that_the_user_does_not_have_are_refused_in_words() {
    let person = require!(Person::with_ranges());
    for (option, words) in [
        (r#"userns: #{ uid: ["0:60000:10000"] }"#, "you have no `uid` 60000 to 69999"),
        (r#"userns: "auto", mounts: [#{ source: ".", target: "/x", idmap: true }]"#, "`idmap` needs root"),
    ] {
        let output = person.try_eval(&format!(r#"image("busybox:1").sh("true", #{{ network: "none", {option} }})"#));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(words) && said.contains("hint:"), "{option}: {said}");
    }
    person.wait_for_nobody();
}
