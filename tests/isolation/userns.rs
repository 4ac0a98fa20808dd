//! A user namespace of its own: ids inside, ids on the host, and what its root cannot do.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::wait::wait_until;
use serde_json::json;
use shanty::sys::xattr::{list, set_at};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
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

/// Owner and group of a file.
fn owner(path: &std::path::Path) -> (u32, u32) {
    let stat = std::fs::symlink_metadata(path).unwrap();
    (stat.uid(), stat.gid())
}

#[test]
fn files_keep_their_owners_on_the_way_in_and_out_whether_it_runs_or_not() {
    let shanty = require!(with_busybox());
    let host = shanty.work().join("tree");
    std::fs::create_dir_all(host.join("folder")).unwrap();
    std::fs::write(host.join("folder/file"), "x").unwrap();
    std::os::unix::fs::symlink("file", host.join("folder/link")).unwrap();
    std::os::unix::fs::chown(host.join("folder"), Some(1000), Some(7)).unwrap();
    std::os::unix::fs::chown(host.join("folder/file"), Some(33), Some(44)).unwrap();
    std::os::unix::fs::lchown(host.join("folder/link"), Some(5), Some(6)).unwrap();
    // A program that may make raw sockets, whoever starts it.
    std::fs::copy("/bin/busybox", host.join("folder/cat")).unwrap();
    let capability = [[1, 0, 0, 2], [0, 0x20, 0, 0], [0; 4], [0; 4], [0; 4]].concat();
    let folder = std::fs::File::open(host.join("folder")).unwrap();
    set_at(folder.as_fd(), c"cat", c"security.capability", &capability).unwrap();
    shanty
        .eval(&format!(r#"image("busybox:1").run("sleep 1000", #{{ name: "own", network: "none", userns: {MAPS} }})"#))
        .ok();
    for state in ["running", "stopped"] {
        if state == "stopped" {
            shanty.eval(r#"let c = container("own"); c.kill(); c.wait();"#).ok();
        }
        let code = format!(
            r#"let c = container("own");
            c.copy_to("{host}/folder", "/{state}");
            c.copy_to("{host}/folder/file", "/{state}/given", #{{ owner: "user" }});
            c.write("/{state}/written", "w");
            c.write("/{state}/written", "more", #{{ append: true }});
            c.write("/{state}/file", "kept");
            c.copy_from("/{state}", "{host}/{state}");
            c.copy_from("/{state}/file", "{host}/{state}-mine", #{{ owner: "0:0" }});
            c.export_tar("{host}/{state}.tar");
            c.read("/{state}/written")"#,
            host = host.display()
        );
        assert_eq!(shanty.json(&code), "wmore", "{state}");
        let attributes = list(&host.join(state).join("cat")).unwrap();
        assert_eq!(attributes, [(c"security.capability".to_owned(), capability.clone())], "{state}");
        let copied = host.join(state);
        assert_eq!(owner(&copied), (1000, 7), "{state}");
        assert_eq!(owner(&copied.join("file")), (33, 44), "{state}: replacing what it holds keeps its owner");
        assert_eq!(owner(&copied.join("link")), (5, 6), "{state}");
        assert_eq!(owner(&copied.join("given")), (1000, 1000), "{state}");
        assert_eq!(owner(&copied.join("written")), (0, 0), "{state}");
        assert_eq!(owner(&host.join(format!("{state}-mine"))), (0, 0), "{state}");
        let mut tar = Command::new("tar");
        tar.arg("--numeric-owner").arg("-tvf").arg(host.join(format!("{state}.tar")));
        let tar = String::from_utf8(tar.output().unwrap().stdout).unwrap();
        for (name, ids) in [("file", "33/44"), ("written", "0/0"), ("given", "1000/1000")] {
            let line = tar.lines().find(|line| line.ends_with(&format!("{state}/{name}"))).unwrap();
            assert!(line.contains(&format!(" {ids} ")), "{state}: {line}");
        }
    }
    // What the container itself sees of the first copy, and an id that it does not have.
    let seen = shanty.json(
        r#"let c = container("own"); c.start(); c.sh("ls -ln /running | awk 'NR > 1 { print $3, $4, $9 }' | sort").text"#,
    );
    assert_eq!(seen, "0 0 cat\n0 0 written\n1000 1000 given\n33 44 file\n5 6 link");
    for state in ["running", "stopped"] {
        let effective =
            format!(r#"container("own").exec(["/{state}/cat", "/proc/self/status"], #{{ user: "user" }}).text"#);
        let status = shanty.json(&effective);
        assert!(status.as_str().unwrap().contains("CapEff:\t0000000000002000\n"), "{state}: {status}");
    }
    let refused = shanty.eval(r#"container("own").write("/nobody", "", #{ owner: "70000:0" })"#).fails_with("invalid");
    assert!(refused.stderr.contains("70000:0") && refused.stderr.contains("hint"), "{refused}");
    shanty.eval(r#"container("own").remove(#{ force: true })"#).ok();
    shanty.assert_nothing_left();
}

#[test]
fn owners_in_a_bind_are_mapped_when_that_is_asked_for() {
    let shanty = require!(with_busybox());
    let folder = shanty.work().join("data");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("mine"), "").unwrap();
    std::os::unix::fs::chown(folder.join("mine"), Some(1000), Some(7)).unwrap();
    for mount in [
        format!(r#"volumes: "{}:/data:idmap""#, folder.display()),
        format!(r#"mounts: [#{{ source: "{}", target: "/data", idmap: true }}]"#, folder.display()),
    ] {
        let code = format!(
            r#"print(image("busybox:1").sh("ls -ln /data/mine | awk '{{ print $3, $4 }}'; touch /data/new; chown 5:6 /data/new", #{{ userns: {MAPS}, {mount} }}).text)"#
        );
        shanty.eval(&code).prints("1000 7\n");
        assert_eq!(owner(&folder.join("new")), (5, 6));
    }
    // Without it the owner is nobody inside, and still keeps what is written from outside.
    let bind = |option: &str| format!(r#""{}:/data{option}""#, folder.display());
    let code = format!(
        r#"let c = image("busybox:1").run("sleep 1000", #{{ userns: {MAPS}, network: "none", volumes: {} }});
        c.write("/data/mine", "x");
        let seen = c.sh("ls -ln /data/mine | awk '{{ print $3, $4 }}'").text;
        c.remove(#{{ force: true }});
        let mapped = image("busybox:1").create(#{{ userns: {MAPS}, network: "none", volumes: {} }});
        let binds = mapped.inspect().HostConfig.Binds;
        mapped.remove();
        [seen, binds]"#,
        bind(""),
        bind(":idmap"),
    );
    let binds = json!([format!("{}:/data:idmap", folder.display())]);
    assert_eq!(shanty.json(&code), json!(["65534 65534", binds]));
    assert_eq!(owner(&folder.join("mine")), (1000, 7));
    let code = format!(r#"image("busybox:1").sh("true", #{{ volumes: {} }})"#, bind(":idmap"));
    let refused = shanty.eval(&code).fails_with("invalid");
    assert!(refused.stderr.contains("/data") && refused.stderr.contains("userns"), "{refused}");
    shanty.eval(r#"image("busybox:1").sh("true", #{ volumes: "data:/data:idmap" })"#).fails_with("invalid");
}

#[test]
fn the_rest_of_a_containers_life_works_in_a_user_namespace() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let c = image("busybox:1").run(["sh", "-c", "tty; httpd -p 80 -h /etc; while :; do sleep 1; done"], #{
            userns: "auto", init: true, tty: true, ports: ["127.0.0.1::80"], devices: ["/dev/zero:/dev/mine"], memory: "64m", pids: 50,
            tmpfs: ["/memory"], ulimits: #{ nofile: 512 }, sysctls: #{ "net.ipv4.ip_forward": "1" },
            healthcheck: #{ test: "test -e /memory/fine", interval: "50ms", retries: 1 },
        });
        eventually(|| c.health == "unhealthy");
        c.sh("touch /memory/fine");
        c.wait_for(#{ healthy: true });
        let seen = #{
            page: http::get("http://127.0.0.1:" + c.port(80).host_port + "/hostname").text.len(),
            tty: c.logs().contains("/dev/pts/0"), device: c.sh("stat -c '%F %u' /dev/mine").text,
            limits: c.sh("ulimit -n; cat /proc/sys/net/ipv4/ip_forward").text,
        };
        c.pause(); seen.paused = c.status; c.unpause();
        c.update(#{ memory: "32m" });
        seen.memory = c.stats().memory_limit;
        seen.top = c.top().len() > 0;
        c.restart();
        seen.again = c.sh("echo up; cat /proc/self/uid_map | awk '{ print $1, $3 }'").text;
        c.remove(#{ force: true });
        seen
        "#,
    );
    assert_eq!(
        value,
        json!({
            "page": 13, "tty": true, "device": "character special file 0", "limits": "512\n1", "paused": "paused",
            "memory": 32 << 20, "top": true, "again": "up\n0 65536",
        })
    );
    shanty.assert_nothing_left();
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
