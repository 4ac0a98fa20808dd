//! Whose files are whose without root.

use super::Person;
use crate::support::require;
use shanty::sys::xattr::set_at;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

#[test]
fn with_keep_id_the_user_has_its_own_number_inside_and_owns_what_it_makes() {
    let person = require!(Person::new());
    let share = person.folder.path().join("share");
    let code = format!(
        r#"let options = #{{ userns: "keep-id", network: "none", mounts: [#{{ source: "{}", target: "/share", create: true }}] }};
        print(image("busybox:1").exec(["sh", "-c", "id -u; echo x > /share/new; stat -c %u /share/new"], options).lines)"#,
        share.display()
    );
    let uid = person.uid;
    assert_eq!(person.eval(&code).trim(), format!(r#"["{uid}", "{uid}"]"#));
    assert_eq!(fs::metadata(share.join("new")).unwrap().uid(), uid);
    person.wait_for_nobody();
}

#[test]
fn programs_of_the_machine_run_as_the_user() {
    let person = require!(Person::new());
    assert_eq!(person.eval("print(host(`id -u`).text)").trim(), person.uid.to_string());
    // A user namespace is not left, so one that is called so cannot be where the others are.
    let nested = person.try_eval(&format!("print(host(`{} ps`).text)", env!("CARGO_BIN_EXE_shanty")));
    let said = String::from_utf8_lossy(&nested.stderr);
    assert!(!nested.status.success() && said.contains("root outside") && said.contains("`import`"), "{said}");
    // What containers made is the user's on the machine, whoever they are inside.
    assert_eq!(
        person.eval(r#"fs::write("made", "x"); print(host("stat -c %u made").text)"#).trim(),
        person.uid.to_string()
    );
    person.wait_for_nobody();
}

#[test]
fn ids_that_nobody_has_are_refused_in_words() {
    let person = require!(Person::new());
    for (option, words) in [
        (r#"user: "1000""#, "there is no group"),
        (r#"userns: "auto""#, "needs more ids"),
        (r#"userns: #{ uid: ["0:1000:1"] }"#, "needs more ids"),
    ] {
        let output =
            person.try_eval(&format!(r#"image("busybox:1").exec(["true"], #{{ network: "none", {option} }})"#));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(words) && said.contains("hint:"), "{option}: {said}");
    }
    person.wait_for_nobody();
}

#[test]
fn owners_of_a_layer_are_kept_although_nobody_can_have_them() {
    let person = require!(Person::new());
    person.eval(
        r#"fs::write("theirs", "x");
        from("busybox:1").copy("theirs", "/theirs", #{ owner: "33:34" }).tag("owned:1");
        let again = image("owned:1").run(#{ command: ["sh", "-c", "echo y >> /theirs"], network: "none", name: "again" });
        again.wait();
        again.commit("again:1");
        again.remove();
        image("again:1").save("again.tar");"#,
    );
    let listing = Command::new("sh")
        .args(["-c", "mkdir again && tar -C again -xf again.tar && for blob in again/blobs/sha256/*; do tar --numeric-owner -tvf $blob 2>/dev/null; done"])
        .current_dir(person.folder.path())
        .uid(person.uid)
        .output()
        .unwrap();
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    let of_theirs = listing.lines().filter(|line| line.ends_with("theirs") && line.contains("33/34")).count();
    // In the layer that was built, and in the one that was committed after a change.
    assert_eq!(of_theirs, 2, "{listing}");
    person.wait_for_nobody();
}

#[test]
fn a_file_with_a_capability_for_somebody_elses_root_is_copied_without_it() {
    let person = require!(Person::new());
    let file = person.folder.path().join("theirs");
    fs::write(&file, "x").unwrap();
    std::os::unix::fs::chown(&file, Some(person.uid), Some(person.uid)).unwrap();
    let capability = [&[1, 0, 0, 3, 0, 0x20, 0, 0][..], &[0; 12], &700_000u32.to_le_bytes()].concat();
    let folder = fs::File::open(person.folder.path()).unwrap();
    set_at(folder.as_fd(), c"theirs", c"security.capability", &capability).unwrap();
    person.eval(
        r#"let c = image("busybox:1").run(["sleep", "1000"], #{ network: "none", stop_timeout: 0 });
        c.copy_to("theirs", "/theirs").copy_from("/theirs", "back");
        c.remove(#{ force: true })"#,
    );
    assert_eq!(fs::read_to_string(person.folder.path().join("back")).unwrap(), "x");
    person.wait_for_nobody();
}

#[test]
fn a_root_of_another_user_is_neither_read_nor_used() {
    let (one, other) = (require!(Person::new()), require!(Person::new()));
    let root = one.folder.path().join("root");
    let output = other.try_eval_at(&root, "images()");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("permission denied") && said.contains("somebody else's"), "{said}");
    // Root of the machine could read it, and says why it does not.
    let output = Command::new(env!("CARGO_BIN_EXE_shanty"))
        .args(["--root"])
        .arg(&root)
        .args(["eval", "images()"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("by a user with a single id"));
    let base = one.base();
    for path in [&root, &base] {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn processes_and_namespaces_of_another_user_are_out_of_reach() {
    let (one, other) = (require!(Person::new()), require!(Person::new()));
    let code = r#"create_network("front"); image("busybox:1").run(["sleep", "1000"], #{ network: "front", name: "web", stop_timeout: 0 });"#;
    one.eval(code);
    let processes = one.processes("");
    // The program, its monitor, and the uplink of the network.
    assert!(processes.len() >= 3, "{processes:?}");
    for pid in processes {
        for try_it in [
            format!("kill -0 {pid}"),
            format!("kill -KILL {pid}"),
            format!("ls /proc/{pid}/root/"),
            format!("ls /proc/{pid}/fd/"),
            format!("nsenter --target {pid} --user true"),
            format!("nsenter --target {pid} --net true"),
        ] {
            let mut command = Command::new("sh");
            let output = command.args(["-c", &try_it]).uid(other.uid).gid(other.uid).output().unwrap();
            assert!(!output.status.success(), "{try_it}");
        }
    }
    assert_eq!(other.eval("print(containers(#{ all: true }).len() + networks().len())").trim(), "3");
    assert_eq!(
        one.eval(r#"let c = container("web"); print(c.status); c.remove(#{ force: true }); prune_networks();"#).trim(),
        "running"
    );
    one.wait_for_nobody();
}
