//! What a container changed, its files as a tar, and images made of it.

use super::idle;
use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::wait_until;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use shanty::sys::xattr::{list, set_at};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// Changes of every kind, made inside.
const CHANGES: &str = r#"
    rm /etc/not-executable; rm -r /home; mkdir /home; echo x > /home/new
    echo changed >> /etc/group; chmod 750 /root; mkdir -p /new/sub; echo y > /new/sub/file; ln /new/sub/file /new/same
    ln -s /nowhere /new/link; mkfifo /new/pipe; mknod /new/null c 1 3; chown 1000:1000 /new/sub/file; chmod 4755 /new/sub/file
    rm -r /tmp; touch "/new/with
newline"; ln -s busybox /bin/another
"#;

fn changed(shanty: &Shanty) {
    idle(shanty);
    shanty.write("changes.sh", CHANGES);
    shanty
        .eval(r#"let c = container("box"); c.copy_to("changes.sh", "/dev/shm/"); c.exec(["sh", "-e", "/dev/shm/changes.sh"])"#)
        .ok();
}

#[test]
fn diff_tells_what_was_added_changed_and_deleted() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    assert_eq!(shanty.json(r#"container("box").diff()"#), json!([]), "what the runtime makes is no change");
    changed(&shanty);
    let expected = [
        ("changed", "/bin"),
        ("added", "/bin/another"),
        ("changed", "/etc"),
        ("changed", "/etc/group"),
        ("deleted", "/etc/not-executable"),
        ("changed", "/home"),
        ("added", "/home/new"),
        ("added", "/new"),
        ("added", "/new/link"),
        ("added", "/new/null"),
        ("added", "/new/pipe"),
        ("added", "/new/same"),
        ("added", "/new/sub"),
        ("added", "/new/sub/file"),
        ("added", "/new/with\nnewline"),
        ("changed", "/root"),
        ("deleted", "/tmp"),
    ];
    let expected: Vec<Value> = expected.iter().map(|(kind, path)| json!({ "kind": kind, "path": path })).collect();
    assert_eq!(shanty.json(r#"container("box").diff()"#), json!(expected));
    assert_eq!(shanty.json(r#"let c = container("box"); c.stop(); c.diff()"#), json!(expected));
    // A folder that was replaced: what it had is deleted.
    let replaced = r#"let c = container("box"); c.start(); c.sh("rm -r /etc; mkdir /etc; touch /etc/group");
        c.diff().filter(|it| it.path.starts_with("/etc")).map(|it| it.kind + it.path)"#;
    let expected = ["changed/etc", "changed/etc/group", "deleted/etc/not-executable", "deleted/etc/passwd"];
    assert_eq!(shanty.json(replaced), json!(expected));
}

/// One line for each file of a tar, by GNU tar: kind, mode, owner, size, name and link target; and its content's sum.
fn listing(shanty: &Shanty, tar: &str) -> String {
    let path = shanty.work().join(tar);
    let folder = shanty.work().join(format!("{tar}.d"));
    std::fs::create_dir(&folder).unwrap();
    let run = |program: &str, args: &[&str], cwd: &Path| {
        let output = Command::new(program).args(args).current_dir(cwd).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run("tar", &["-xpf", path.to_str().unwrap(), "--numeric-owner", "--xattrs"], &folder);
    let sums = r"find . ! -path './etc/host*' ! -path './etc/resolv.conf' ! -path './etc' ! -path './proc' ! -path './sys' ! -path './dev' ! -path . -printf '%P %y %#m %U:%G %n %l %T@\n' | sort; find . -type f ! -path './etc/host*' ! -path './etc/resolv.conf' -exec sha256sum {} + | sort";
    run("sh", &["-c", sums], &folder)
}

#[test]
fn an_image_of_a_container_has_the_same_tree_and_its_tar_the_same_bytes() {
    let shanty = require!(with_busybox());
    require!(crate::support::program("tar"));
    changed(&shanty);
    let made = shanty.json(
        r#"let c = container("box");
           c.export_tar("running.tar").export_tar("again.tar");
           let image = c.commit("made:1", #{ author: "me", message: "why", changes: ["CMD [\"cat\", \"/home/new\"]", "ENV A=1 B=$A-", "EXPOSE 80", "ONBUILD RUN x"] });
           let status = c.status;
           c.stop(); c.export_tar("stopped.tar");
           let run = image.run(#{ network: "none" }); run.wait();
           image.create(#{ name: "copy", network: "none" }).export_tar("copy.tar");
           let config = image.inspect().Config;
           [image.tags, status, run.logs(), config.Env, config.ExposedPorts, config.OnBuild, image.inspect().Author, image.layers.len()]"#,
    );
    let expected = json!([
        ["made:1"], "running", "x\n", ["PATH=/bin", "A=1", "B=-"], { "80/tcp": {} }, ["RUN x"], "me", 2
    ]);
    assert_eq!(made, expected);
    let read = |name: &str| std::fs::read(shanty.work().join(name)).unwrap();
    assert!(read("running.tar") == read("again.tar"), "two exports differ");
    let tree = listing(&shanty, "running.tar");
    for (name, other) in [("stopped", listing(&shanty, "stopped.tar")), ("of the image", listing(&shanty, "copy.tar"))]
    {
        assert_eq!(other, tree, "the tree {name}");
    }
    for line in ["new/sub/file f 04755 1000:1000 2", "new/null c 0644", "new/pipe p 0644", "new/link l 0777"] {
        assert!(tree.contains(line), "no `{line}` in\n{tree}");
    }
    assert!(!tree.contains("not-executable") && !tree.contains("\ntmp "), "{tree}");

    let history = shanty.json(
        r#"let config = (); for line in events(#{ filter: #{ event: "commit" } }) { config = line.attributes } config"#,
    );
    assert_eq!((&history["comment"], &history["imageRef"]), (&json!("why"), &json!("made:1")));
    let piped = shanty.eval(r#"container("box").export_tar("-")"#).into_command().output().unwrap();
    assert!(piped.stdout == read("stopped.tar"), "standard output has another tar");
}

#[test]
fn a_commit_pauses_only_what_runs_and_makes_nothing_when_it_fails() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    shanty.eval(r#"container("box").commit("x:1", #{ changes: ["RUN x"] })"#).fails_with("invalid");
    shanty.eval(r#"container("box").sh("truncate -s 2199023255552 /big")"#).ok();
    let failed = shanty.eval(r#"container("box").commit("x:1")"#).fails_with("invalid");
    assert!(failed.stderr.contains("sparse"), "{failed}");
    let seen = r#"let c = container("box"); [c.status, image("x:1").exists()]"#;
    assert_eq!(shanty.json(seen), json!(["running", false]));
    let states = r#"
        let c = container("box"); c.sh("rm /big");
        let own = c.commit(); c.pause(); let paused = c.commit("x:2", #{ pause: false }); let seen = [c.status];
        c.commit("x:3"); seen.push(c.status); c.unpause();
        seen + [own.tags, paused.sh("echo works").text]"#;
    assert_eq!(shanty.json(states), json!(["paused", "paused", [], "works"]));
    // What a container was asked to run with becomes the image's.
    let config = r#"
        let c = image("busybox:1").create("echo hi", #{ network: "none", env: ["X=1"], workdir: "/etc", user: "user", labels: #{ a: "b" }, stop_signal: "USR1", expose: [] });
        let config = c.commit("y:1", #{ changes: "WORKDIR sub" }).inspect().Config;
        [config.Cmd, config.Env, config.WorkingDir, config.User, config.Labels, config.StopSignal]"#;
    let expected = json!([["echo", "hi"], ["PATH=/bin", "X=1"], "/etc/sub", "user", { "a": "b" }, "USR1"]);
    assert_eq!(shanty.json(config), expected);
}

#[test]
fn a_script_that_is_killed_while_it_commits_leaves_no_image_and_no_frozen_container() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    // Long enough to be seen: what is in it does not compress.
    shanty.eval(r#"container("box").sh("dd if=/dev/urandom of=/big bs=1M count=256 2>/dev/null")"#).ok();
    let script = shanty.eval(r#"container("box").commit("half:1")"#).spawn();
    let status = r#"container("box").status"#;
    wait_until(LIMIT, || shanty.json(status) == "paused");
    script.signal(Signal::SIGKILL);
    wait_until(LIMIT, || shanty.json(status) == "running");
    assert_eq!(
        shanty.json(r#"let c = container("box"); [image("half:1").exists(), c.sh("echo on").text]"#),
        json!([false, "on"])
    );
    let again = r#"let c = container("box"); c.sh("rm /big"); c.commit("half:1").sh("echo whole").text"#;
    assert_eq!(shanty.json(again), "whole");
}

#[test]
fn capabilities_and_attributes_of_files_come_into_the_image() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    let tree = shanty.work().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("ping"), "").unwrap();
    let folder = std::fs::File::open(&tree).unwrap();
    // cap_net_raw=ep, as `struct vfs_cap_data` of version 2 has it.
    let capability = [[1, 0, 0, 2], [0, 0x20, 0, 0], [0; 4], [0; 4], [0; 4]].concat();
    set_at(folder.as_fd(), c"ping", c"security.capability", &capability).unwrap();
    set_at(folder.as_fd(), c"ping", c"user.note", b"kept").unwrap();
    // The same of version 3, as somebody in a user namespace sets it: for the root that has the id 700000 here.
    std::fs::write(tree.join("theirs"), "").unwrap();
    let of_theirs = [&[1, 0, 0, 3], &capability[4..], &700_000u32.to_le_bytes()].concat();
    set_at(folder.as_fd(), c"theirs", c"security.capability", &of_theirs).unwrap();
    shanty
        .eval(r#"let c = container("box"); c.copy_to("tree", "/tree"); c.commit("with:1").create(#{ name: "made", network: "none" }).copy_from("/tree", "back")"#)
        .ok();
    let mut attributes = list(&shanty.work().join("back/ping")).unwrap();
    attributes.sort();
    let expected = [(c"security.capability".to_owned(), capability), (c"user.note".to_owned(), b"kept".to_vec())];
    assert_eq!(attributes, expected);
    // In an image it is for whoever is root in a container of it.
    assert_eq!(list(&shanty.work().join("back/theirs")).unwrap(), expected[..1]);
}
