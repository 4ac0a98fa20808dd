//! A user namespace of its own: ids inside, ids on the host, and what its root cannot do.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::wait::wait_until;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

const MAPS: &str = r#"#{ uid: ["0:700000:1000", "1000:710000:64536"], gid: ["0:720000:65536"] }"#;

/// The fields of the lines of a map (user_namespaces(7)).
fn map(text: &str) -> Vec<Vec<u32>> {
    text.lines().map(|line| line.split_whitespace().map(|number| number.parse().unwrap()).collect()).collect()
}

#[test]
fn ids_inside_are_others_on_the_host() {
    let shanty = require!(with_busybox());
    let code = format!(
        r#"let c = image("busybox:1").run("sleep 1000", #{{ name: "own", network: "none", userns: {MAPS}, memory: "64m" }});
        let parts = [];
        parts.push(c.sh("id -u; id -g; ls -lnd / /etc/hosts /dev/null | awk '{{ print $3, $4 }}'").text);
        parts.push(c.exec(["id", "-u"], #{{ user: "user" }}).text);
        parts.push(c.sh("echo x > /file; chown 1000:7 /file; ls -ln /file | awk '{{ print $3, $4 }}'").text);
        parts.push(c.exec(["readlink", "/proc/self/ns/user"]).text);
        parts.push(c.exec(["tty"], #{{ tty: true }}).text);
        parts.push(c.pid.to_string());
        parts"#
    );
    let parts = shanty.json(&code);
    let part = |index: usize| parts[index].as_str().unwrap();
    assert_eq!(part(0), "0\n0\n0 0\n0 0\n0 0");
    assert_eq!((part(1), part(2), part(4).trim()), ("1000", "1000 7", "/dev/pts/0"));
    let pid = part(5);
    // The kernel's word, from the host.
    let proc = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    assert_eq!(map(&proc("uid_map")), [vec![0, 700_000, 1000], vec![1000, 710_000, 64_536]]);
    assert_eq!(map(&proc("gid_map")), [vec![0, 720_000, 65_536]]);
    let status = proc("status");
    assert!(status.contains("\nUid:\t700000\t700000\t700000\t700000\n"), "{status}");
    assert!(status.contains("\nGid:\t720000\t720000\t720000\t720000\n"), "{status}");
    let link = |path: String| std::fs::read_link(path).unwrap().display().to_string();
    assert_eq!(link(format!("/proc/{pid}/ns/user")), part(3), "an exec is in the same one");
    assert_ne!(link(format!("/proc/{pid}/ns/user")), link("/proc/self/ns/user".to_owned()));
    // Stored as the image has it.
    let stored = std::fs::read_dir(shanty.root().join("containers")).unwrap().next().unwrap().unwrap().path();
    let stored = std::fs::metadata(stored.join("upper/file")).unwrap();
    assert_eq!((stored.uid(), stored.gid()), (1000, 7));
    shanty
        .eval(r#"for change in container("own").diff() { if change.path == "/file" { print(change.kind) } }"#)
        .prints("added\n");
    // From outside the files of one that runs have the host's owners; those of one that does not run, their own.
    shanty.eval(r#"container("own").write("/new", "x")"#).fails_with("unsupported");
    shanty.eval(r#"let c = container("own"); print(c.read("/file")); c.kill(); c.wait(); c.write("/new", "y"); c.start(); print(c.sh("ls -ln /new | awk '{ print $3, $4 }'").text)"#).prints("x\n\n0 0\n");
    shanty.eval(r#"container("own").remove(#{ force: true })"#).ok();
}

#[test]
fn its_root_has_no_rights_outside() {
    let shanty = require!(with_busybox());
    let secret = shanty.work().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let code = format!(
        r#"print(image("busybox:1").sh(`
            cat /secret 2>/dev/null || echo unread
            echo x 2>/dev/null > /secret || echo unwritten
            chown 0 /secret 2>/dev/null || echo unowned
            mknod /null c 1 3 2>/dev/null || echo unmade
            mount -t tmpfs t /tmp 2>/dev/null || echo unmounted
            cp /bin/busybox /su && chown 1000 /su && chmod 4755 /su && echo setuid
            echo opened > /dev/stdout
            echo x > /dev/null && head -c 3 /dev/zero | wc -c
        `, #{{ userns: {MAPS}, volumes: "{}:/secret", cap_add: ["MKNOD"] }}).text)"#,
        secret.display()
    );
    shanty.eval(&code).prints("unread\nunwritten\nunowned\nunmade\nunmounted\nsetuid\nopened\n3\n");
    assert_eq!(std::fs::read_to_string(secret).unwrap(), "secret");
}

#[test]
fn automatic_ids_are_nobody_elses_and_outlive_a_restart() {
    let shanty = require!(with_busybox());
    let code = r#"for name in ["one", "two"] { image("busybox:1").run("sleep 1000", #{ name: name, userns: "auto", restart: "always" }); }"#;
    shanty.eval(code).ok();
    let pid = |name: &str| shanty.json(&format!(r#"container("{name}").pid"#)).to_string();
    let range = |pid: &str| map(&std::fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap()).remove(0);
    let (first, other) = (pid("one"), pid("two"));
    let (one, two) = (range(&first), range(&other));
    assert_eq!((one[0], one[2], two[2]), (0, 65_536, 65_536));
    assert!(one[1].abs_diff(two[1]) >= 65_536 && one[1] >= 1 << 29, "{one:?} {two:?}");
    // The network namespace is the same, and its owner can still use it.
    let link = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    let network = link(&first);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(first.parse().unwrap()), Some(nix::sys::signal::Signal::SIGKILL))
        .unwrap();
    wait_until(Duration::from_secs(30), || {
        let again =
            shanty.json(r#"let c = container("one"); if c.status == "running" { c.pid } else { 0 }"#).to_string();
        again != "0" && again != first
    });
    shanty.eval(r#"let c = container("one"); print(c.sh("ip addr add 10.99.0.1/32 dev lo && echo own || echo no; ping -c 1 127.0.0.1 | grep -c '1 packets received'").text)"#).prints("no\n1\n");
    let again = pid("one");
    assert_ne!(first, again);
    assert_eq!((range(&again), link(&again)), (one, network));
    shanty.eval(r#"for c in containers() { c.remove(#{ force: true }) }"#).ok();
}

#[test]
fn what_does_not_go_with_a_user_namespace_is_said() {
    let shanty = require!(with_busybox());
    for (options, says) in [
        ("privileged: true", "`privileged: true`"),
        (r#"network: "host""#, "`network: \"host\"`"),
        (r#"pid: "host""#, "`pid: \"host\"`"),
        (r#"ipc: "host""#, "`ipc: \"host\"`"),
    ] {
        let code = format!(r#"image("busybox:1").run("true", #{{ userns: "auto", {options} }})"#);
        let output = shanty.eval(&code).fails_with("invalid");
        assert!(output.stderr.contains(says), "{options}: {output}");
    }
}
