//! Namespaces of other containers, and of the host.

use crate::support::busybox::with_busybox;
use crate::support::require;

#[test]
fn a_container_joins_the_namespaces_of_another() {
    let shanty = require!(with_busybox());
    let code = r#"
        let a = image("busybox:1").run("sleep 1000", #{ name: "one", ipc: "shareable", hostname: "ahost" });
        let ns = |c, kind| c.exec(["readlink", "/proc/self/ns/" + kind]).text;
        let b = image("busybox:1").run("sleep 1000",
            #{ name: "two", network: "container:one", pid: "container:" + a.id, ipc: "container:one" });
        for kind in ["net", "pid", "ipc"] { print(ns.call(a, kind) == ns.call(b, kind)); }
        for kind in ["mnt", "uts"] { print(ns.call(a, kind) == ns.call(b, kind)); }
        // Addresses, names and files are the other's.
        print(a.exec(["ip", "-4", "addr"]).text == b.exec(["ip", "-4", "addr"]).text);
        print(b.exec("hostname").text + " " + b.exec(["cat", "/etc/hostname"]).text);
        print(a.exec(["cat", "/etc/hosts"]).text == b.exec(["cat", "/etc/hosts"]).text);
        a.exec(["sh", "-c", "echo 10.9.9.9 later >> /etc/hosts"]);
        print(b.exec(["grep", "-c", "later", "/etc/hosts"]).text);
        // Shared memory is one.
        a.exec(["sh", "-c", "echo shared > /dev/shm/x"]);
        print(b.exec(["cat", "/dev/shm/x"]).text);
        // Processes are seen.
        print(b.exec(["sh", "-c", "ps -o args | grep -c '[s]leep 1000'"]).text);
        b.remove(#{ force: true });
        print(a.status);
        a.remove(#{ force: true });"#;
    shanty.eval(code).prints("true\ntrue\ntrue\nfalse\nfalse\ntrue\nahost ahost\ntrue\n1\nshared\n2\nrunning\n");
}

#[test]
fn what_cannot_be_shared_is_said() {
    let shanty = require!(with_busybox());
    shanty.eval(r#"image("busybox:1").run("sleep 1000", #{ name: "private", network: "none" }); image("busybox:1").create("true", #{ name: "stopped" })"#).ok();
    for (options, kind, says) in [
        (r#"ipc: "container:private""#, "invalid", "`ipc: \"shareable\"`"),
        (r#"network: "container:stopped""#, "conflict", "is not running"),
        (r#"pid: "container:stopped""#, "conflict", "is not running"),
        (r#"network: "container:nobody""#, "not_found", "nobody"),
        (r#"network: "container:private", hostname: "h""#, "invalid", "`hostname` cannot be set"),
        (r#"network: "container:private", ports: [80]"#, "invalid", "`ports` cannot be set"),
    ] {
        let output = shanty.eval(&format!(r#"image("busybox:1").run("true", #{{ {options} }})"#)).fails_with(kind);
        assert!(output.stderr.contains(says), "{options}: {output}");
    }
}

#[test]
fn the_hosts_namespaces_are_shared_when_asked_for() {
    let shanty = require!(with_busybox());
    let of_host = |kind: &str| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string();
    for (options, kind, shared) in [
        ("pid: \"host\"", "pid", true),
        ("ipc: \"host\"", "ipc", true),
        ("network: \"host\"", "net", true),
        ("network: \"none\"", "net", false),
        ("ipc: \"shareable\"", "ipc", false),
    ] {
        let code =
            format!(r#"print(image("busybox:1").exec(["readlink", "/proc/self/ns/{kind}"], #{{ {options} }}).text)"#);
        let inside = shanty.eval(&code).ok().stdout.trim().to_owned();
        assert_eq!(inside == of_host(kind), shared, "{options}");
    }
}

#[test]
fn mounts_spread_as_their_propagation_says() {
    let shanty = require!(with_busybox());
    // In a mount namespace of this test's thread, which the program inherits.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let script = format!(
        r#"set -e
        mount --make-rprivate /
        mount -t tmpfs t {path}; mkdir {path}/on
        "$0" eval 'image("busybox:1").run("true", #{{ volumes: "{path}:/m:rslave" }})' 2>&1 | grep -c "not shared or slave" || true
        mount --make-shared {path}
        "$0" eval 'image("busybox:1").run("sleep 1000", #{{ name: "slave", network: "none", volumes: "{path}:/m:rslave" }}); image("busybox:1").run("sleep 1000", #{{ name: "shared", network: "none", cap_add: "SYS_ADMIN", volumes: "{path}:/m:rshared" }}); image("busybox:1").run("sleep 1000", #{{ name: "private", network: "none", volumes: "{path}:/m" }})'
        mount -t tmpfs hosts {path}/on
        "$0" eval 'for name in ["slave", "shared", "private"] {{ print(name + " " + container(name).exec(["sh", "-c", "grep -c ^hosts /proc/self/mounts"], #{{ check: false }}).text) }}'
        umount {path}/on
        "$0" eval 'container("shared").exec(["mount", "-t", "tmpfs", "inside", "/m/on"])'
        grep -c ^inside /proc/self/mounts
        umount {path}/on
        "$0" eval 'for c in containers() {{ c.remove(#{{ force: true }}) }}'
        umount {path}"#
    );
    let output = std::process::Command::new("unshare")
        .args(["-m", "--propagation", "unchanged", "sh", "-c", &script, env!("CARGO_BIN_EXE_shanty")])
        .env("SHANTY_ROOT", shanty.root())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text, "1\nslave 1\nshared 1\nprivate 0\n1\n", "{}", String::from_utf8_lossy(&output.stderr));
}
