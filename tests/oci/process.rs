//! What a bundle says about the process and its surroundings, as the process itself finds it.

use super::bundle::{Bundle, LIMIT};
use crate::support::{require, wait_until};
use nix::sys::socket::MsgFlags;
use serde_json::{Value, json};
use shanty::sys::fd_passing::receive as receive_fds;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixListener;

#[test]
fn the_process_finds_what_the_bundle_says() {
    let bundle = require!(Bundle::new(&["true"]));
    fs::create_dir_all(bundle.rootfs().join("etc/deep")).unwrap();
    fs::write(bundle.rootfs().join("etc/deep/file"), "image").unwrap();
    let tmpfs =
        |options: &[&str]| json!({ "destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": options });
    let cases: Vec<(&str, Value, &str, &str)> = vec![
        ("/process/user", json!({ "uid": 5, "gid": 6, "additionalGids": [7, 8] }), "id", "uid=5 gid=6 groups=7,8"),
        ("/process/user", json!({ "uid": 0, "gid": 0, "umask": 0o27 }), "umask", "0027"),
        ("/process/cwd", json!("/made/for/it"), "pwd", "/made/for/it"),
        ("/process/env", json!(["PATH=/bin", "A=b c"]), "echo $A", "b c"),
        ("/process/noNewPrivileges", json!(true), "grep -c 'NoNewPrivs:.1' /proc/self/status", "1"),
        (
            "/process/rlimits",
            json!([{ "type": "RLIMIT_NOFILE", "soft": 99, "hard": 111 }]),
            "ulimit -n -S; ulimit -n -H",
            "99\n111",
        ),
        ("/process/oomScoreAdj", json!(777), "cat /proc/self/oom_score_adj", "777"),
        ("/process/ioPriority", json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 0 }), "ionice -p $$", "idle"),
        (
            "/process/scheduler",
            json!({ "policy": "SCHED_BATCH", "nice": 3 }),
            "cut -d' ' -f19,41 /proc/self/stat",
            "3 3",
        ),
        (
            "/process/capabilities",
            json!({ "bounding": ["CAP_KILL"] }),
            "grep -o 'CapBnd.*' /proc/self/status",
            "CapBnd:\t0000000000000020",
        ),
        ("/hostname", json!("its-name"), "hostname", "its-name"),
        ("/domainname", json!("its-domain"), "cat /proc/sys/kernel/domainname", "its-domain"),
        ("/root/readonly", json!(true), "touch /x 2>/dev/null || echo no", "no"),
        ("/linux/personality", json!({ "domain": "LINUX32" }), "uname -m", "i686"),
        ("/linux/sysctl", json!({ "net.ipv4.ip_default_ttl": "33" }), "cat /proc/sys/net/ipv4/ip_default_ttl", "33"),
        ("/linux/maskedPaths", json!(["/etc/deep"]), "ls /etc/deep", ""),
        ("/linux/readonlyPaths", json!(["/etc"]), "touch /etc/x 2>/dev/null || echo no", "no"),
        ("/linux/rootfsPropagation", json!("shared"), "grep -c 'rootfs / .* shared:' /proc/self/mountinfo", "1"),
        (
            "/linux/devices",
            json!([{ "path": "/dev/own", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 3, "gid": 4 }]),
            "ls -ln /dev/own | tr -s ' ' | cut -d' ' -f1-6",
            "crw-r----- 1 3 4 1, 5",
        ),
        (
            "/linux/devices",
            json!([{ "path": "/dev/full", "type": "c", "major": 1, "minor": 7, "fileMode": 0o600, "uid": 3, "gid": 4 }]),
            "ls -ln /dev/full | tr -s ' ' | cut -d' ' -f1-6",
            "crw------- 1 3 4 1, 7",
        ),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28 }] }),
            "mkdir /y 2>&1",
            "mkdir: can't create directory '/y': No space left on device",
        ),
        (
            "/mounts/-",
            tmpfs(&["tmpcopyup", "rprivate", "nosuid", "size=1m"]),
            "cat /etc/deep/file; touch /etc/new && echo new",
            "imagenew",
        ),
        ("/mounts/-", tmpfs(&["rshared", "size=1m"]), "grep -c ' /etc .* shared:' /proc/self/mountinfo", "1"),
        ("/mounts/-", tmpfs(&["rro", "nosymfollow", "size=1m"]), "ls /etc; touch /etc/x 2>/dev/null || echo no", "no"),
        (
            "/mounts/-",
            json!({ "destination": "/b", "type": "none", "source": "rootfs/etc", "options": ["rbind", "ro", "rprivate"] }),
            "cat /b/deep/file; touch /b/x 2>/dev/null || echo no",
            "imageno",
        ),
        (
            "/mounts/-",
            json!({ "destination": "/b", "type": "bind", "source": "rootfs/etc", "options": ["bind", "runbindable"] }),
            "grep -c ' /b .* unbindable' /proc/self/mountinfo",
            "1",
        ),
    ];
    let before = fs::read_to_string(bundle.file("config.json")).unwrap();
    let mut wrong = Vec::new();
    for (pointer, value, script, expected) in cases {
        bundle.change(|spec| {
            spec["process"]["args"] = json!(["sh", "-c", script]);
            match pointer.strip_suffix("/-") {
                Some(list) => spec.pointer_mut(list).unwrap().as_array_mut().unwrap().push(value),
                None => {
                    let (parent, key) = pointer.rsplit_once('/').unwrap();
                    let parent = if parent.is_empty() { spec } else { spec.pointer_mut(parent).unwrap() };
                    parent[key] = value;
                }
            }
        });
        let output = bundle.oci(&["run", "c1"]);
        if (output.stdout.trim(), output.stderr.as_str()) != (expected, "") {
            wrong.push(format!("{pointer}: {script}\n  expected {expected:?}, found {output:?}"));
        }
        fs::write(bundle.file("config.json"), &before).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn labels_that_this_machine_does_not_know_are_told() {
    let bundle = require!(Bundle::new(&["true"]));
    let apparmor = fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default();
    if apparmor.starts_with('Y') || std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        return crate::support::note_skip(&crate::support::fixtures::Missing(
            "a machine without AppArmor and SELinux".into(),
        ));
    }
    bundle.change(|spec| {
        spec["process"]["apparmorProfile"] = json!("some-profile");
        spec["process"]["selinuxLabel"] = json!("some-label");
        spec["linux"]["mountLabel"] = json!("some-context");
    });
    let output = bundle.oci(&["run", "c1"]);
    assert_eq!(output.code, 0);
    assert!(output.stderr.contains("`some-profile` has no effect"), "{output:?}");
    assert!(output.stderr.contains("`some-label` has no effect"), "{output:?}");
    assert!(output.stderr.contains("`some-context` of the mounts has no effect"), "{output:?}");
}

#[test]
fn namespaces_are_new_or_joined_or_the_callers() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    bundle.create("first", &[]);
    let pid = bundle.state("first")["pid"].clone();
    let of = |pid: &str, kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
    bundle.change(|spec| {
        spec["hostname"] = Value::Null;
        spec["linux"]["cgroupsPath"] = json!(format!("/shanty-oci/second-of-{pid}"));
        spec["linux"]["namespaces"] = json!([
            { "type": "mount" },
            { "type": "pid" },
            { "type": "ipc", "path": format!("/proc/{pid}/ns/ipc") },
            { "type": "network", "path": format!("/proc/{pid}/ns/net") },
        ]);
    });
    bundle.create("second", &[]);
    bundle.ok(&["start", "second"]);
    let (first, second) = (pid.to_string(), bundle.state("second")["pid"].to_string());
    for kind in ["ipc", "net"] {
        assert_eq!(of(&second, kind), of(&first, kind), "{kind}");
    }
    for kind in ["uts", "user"] {
        assert_eq!(of(&second, kind), of("self", kind), "{kind}");
    }
    for kind in ["mnt", "pid"] {
        assert!(of(&second, kind) != of(&first, kind) && of(&second, kind) != of("self", kind), "{kind}");
    }
    // A program beside it is where it is.
    let inside =
        bundle.ok(&["exec", "second", "sh", "-c", "for n in ipc net uts pid mnt; do readlink /proc/self/ns/$n; done"]);
    let expected: Vec<String> =
        ["ipc", "net", "uts", "pid", "mnt"].map(|kind| of(&second, kind).display().to_string()).into();
    assert_eq!(inside.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn without_a_pid_namespace_kill_ends_all_of_its_processes() {
    let bundle = require!(Bundle::new(&["sh", "-c", "sleep 1000 & echo $!; exec sleep 1000"]));
    bundle.change(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "pid");
    });
    bundle.create("c1", &[]);
    bundle.ok(&["start", "c1"]);
    wait_until(LIMIT, || bundle.output().ends_with('\n'));
    let child: i32 = bundle.output().trim().parse().unwrap();
    bundle.ok(&["kill", "c1", "KILL"]);
    let is_gone =
        || fs::read_to_string(format!("/proc/{child}/status")).map_or(true, |text| text.contains("State:\tZ"));
    wait_until(LIMIT, is_gone);
}

#[test]
fn exec_takes_a_process_file_or_words() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    bundle.change(|spec| spec["process"]["oomScoreAdj"] = json!(777));
    bundle.create("c1", &[]);
    bundle.ok(&["start", "c1"]);
    let output = bundle.oci_with(&["exec", "c1", "sh", "-c", "cat; echo $A >&2; exit 7"], "input");
    assert_eq!((output.code, output.stdout.as_str()), (7, "input"), "{output:?}");
    let words =
        ["exec", "--cwd", "/tmp", "--env", "A=b", "--user", "5:6", "-g", "7", "c1", "sh", "-c", "pwd; echo $A; id"];
    assert_eq!(bundle.ok(&words), "/tmp\nb\nuid=5 gid=6 groups=7\n");
    let file = bundle.file("process.json");
    let process = json!({
        "user": { "uid": 9, "gid": 9, "umask": 0o77 }, "args": ["sh", "-c", "id -u; umask; grep CapBnd /proc/self/status; cat /proc/self/oom_score_adj"],
        "env": ["PATH=/bin"], "cwd": "/", "capabilities": { "bounding": ["CAP_CHOWN"] },
    });
    fs::write(&file, process.to_string()).unwrap();
    assert_eq!(
        bundle.ok(&["exec", "--process", file.to_str().unwrap(), "c1"]),
        "9\n0077\nCapBnd:\t0000000000000001\n777\n"
    );
    let output = bundle.oci(&["exec", "c1", "nothing-such"]);
    assert!(output.code == 255 && output.stderr.contains("executable file not found in $PATH"), "{output:?}");

    let pid_file = bundle.file("exec-pid");
    bundle.ok(&["exec", "--detach", "--pid-file", pid_file.to_str().unwrap(), "c1", "sleep", "2000"]);
    let pid = fs::read_to_string(pid_file).unwrap();
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap(), "sleep\x002000\0");
    let pids: Vec<i32> = serde_json::from_str(&bundle.ok(&["ps", "-f", "json", "c1"])).unwrap();
    assert!(pids.contains(&pid.parse().unwrap()), "{pids:?}");
}

#[test]
fn the_master_of_a_terminal_goes_to_the_console_socket() {
    let bundle = require!(Bundle::new(&[
        "sh",
        "-c",
        "tty; stty size; ls -l /dev/console | cut -c1; read x; echo got $x; sleep 1000"
    ]));
    bundle.change(|spec| {
        spec["process"]["terminal"] = json!(true);
        spec["process"]["consoleSize"] = json!({ "height": 33, "width": 77 });
    });
    // Longer than the address of a socket may be.
    let folder = bundle.path().join("d".repeat(100));
    fs::create_dir(&folder).unwrap();
    let place = File::open(&folder).unwrap();
    let listener = UnixListener::bind(format!("/proc/self/fd/{}/console", place.as_raw_fd())).unwrap();
    bundle.create("c1", &["--console-socket", folder.join("console").to_str().unwrap()]);
    let (mut master, name) = receive(&listener);
    assert!(name.contains("ptmx"), "{name}");
    bundle.ok(&["start", "c1"]);
    read_until(&mut master, "/dev/pts/0\r\n33 77\r\nc\r\n");
    master.write_all(b"typed\n").unwrap();
    read_until(&mut master, "got typed");

    let socket = folder.join("console");
    let exec = [
        "exec",
        "--detach",
        "--tty",
        "--console-socket",
        socket.to_str().unwrap(),
        "c1",
        "sh",
        "-c",
        "tty; sleep 1000",
    ];
    bundle.ok(&exec);
    read_until(&mut receive(&listener).0, "/dev/pts/1\r\n");
}

fn receive(listener: &UnixListener) -> (File, String) {
    let (connection, _) = listener.accept().unwrap();
    let (mut text, mut fds) = ([0u8; 256], Vec::new());
    let length = receive_fds(connection.as_fd(), &mut text, &mut fds, MsgFlags::empty()).unwrap();
    (fds.pop().expect("no descriptor came").into(), String::from_utf8_lossy(&text[..length]).into_owned())
}

fn read_until(terminal: &mut File, expected: &str) {
    let mut seen = String::new();
    while !seen.contains(expected) {
        let mut buffer = [0u8; 256];
        let length = terminal.read(&mut buffer).unwrap_or(0);
        assert!(length > 0, "the terminal ended after {seen:?}, without {expected:?}");
        seen += &String::from_utf8_lossy(&buffer[..length]);
    }
}

#[test]
fn descriptors_are_handed_on_and_no_others() {
    let bundle = require!(Bundle::new(&["sh", "-c", "ls /proc/self/fd; cat <&3"]));
    fs::write(bundle.file("three"), "content").unwrap();
    // The shell opens them: what the test opens itself is closed by its exec.
    let run = |options: &str| {
        let command = bundle.command(&["run"]);
        let words: Vec<String> = [command.get_program()]
            .into_iter()
            .chain(command.get_args())
            .map(|word| word.to_str().unwrap().into())
            .collect();
        let line = format!("exec 3<three 4</etc/passwd; exec {} {options} c1", words.join(" "));
        let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(bundle.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // The last one is that of `ls` itself.
    assert_eq!(run("--preserve-fds 1"), "0\n1\n2\n3\n4\ncontent");
    assert_eq!(run("").lines().next_back(), Some("3"));
    bundle.fails(&["create", "--preserve-fds", "200", "c1"], "is not open");
}

#[test]
fn the_root_is_changed_without_pivot_root_too() {
    let bundle = require!(Bundle::new(&[
        "sh",
        "-c",
        "ls /; mount | grep -c ' on /proc '; ls /proc/1/root/; grep -c 'rootfs / .* shared:' /proc/self/mountinfo"
    ]));
    bundle.change(|spec| spec["linux"]["rootfsPropagation"] = json!("rshared"));
    let output = bundle.oci(&["run", "--no-pivot", "c1"]);
    let names = "bin\ndev\nproc\nsys\ntmp\n";
    assert_eq!((output.code, output.stdout), (0, format!("{names}1\n{names}1\n")), "{}", output.stderr);
}
