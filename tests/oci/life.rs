//! The life of a container, command by command.

use super::bundle::{Bundle, LIMIT};
use crate::support::{require, wait_until};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_container_goes_through_the_states_of_the_specification() {
    let bundle = require!(Bundle::new(&["sh", "-c", "trap 'exit 3' TERM; echo begun; while :; do sleep 0.05; done"]));
    bundle.change(|spec| spec["annotations"] = json!({ "a": "b" }));
    let pid_file = bundle.file("pid");
    bundle.create("c1", &["--pid-file", pid_file.to_str().unwrap()]);
    let state = bundle.state("c1");
    assert_eq!(
        (&state["status"], &state["id"], &state["annotations"], &state["bundle"]),
        (&json!("created"), &json!("c1"), &json!({ "a": "b" }), &json!(bundle.path()))
    );
    assert_eq!(state["ociVersion"], "1.2.0");
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), state["pid"].to_string());
    assert_eq!(bundle.output(), "", "the program must not run before `start`");
    bundle.fails(&["create", "c1"], "exists");

    // What is changed in the bundle now does not count.
    bundle.change(|spec| spec["process"]["args"] = json!(["false"]));
    bundle.ok(&["start", "c1"]);
    assert_eq!(bundle.state("c1")["status"], "running");
    wait_until(LIMIT, || bundle.output() == "begun\n");
    bundle.fails(&["start", "c1"], "cannot start a container that is running");
    bundle.fails(&["delete", "c1"], "is not stopped");
    assert!(bundle.cgroup("pids").join("cgroup.procs").exists());

    bundle.ok(&["kill", "c1"]);
    bundle.wait_for_status("c1", "stopped");
    assert_eq!(bundle.state("c1")["pid"], 0);
    bundle.fails(&["kill", "c1", "KILL"], "container not running");
    bundle.fails(&["exec", "c1", "true"], "container not running");
    bundle.fails(&["start", "c1"], "has stopped");
    bundle.ok(&["delete", "c1"]);
    bundle.fails(&["state", "c1"], "does not exist");
    bundle.fails(&["delete", "c1"], "does not exist");
    bundle.ok(&["delete", "--force", "c1"]);
}

#[test]
fn one_that_was_never_started_can_be_killed_and_deleted() {
    let bundle = require!(Bundle::new(&["true"]));
    bundle.create("killed", &[]);
    bundle.ok(&["kill", "killed", "9"]);
    bundle.wait_for_status("killed", "stopped");
    bundle.fails(&["start", "killed"], "has stopped");
    bundle.ok(&["delete", "killed"]);
    bundle.create("deleted", &[]);
    bundle.ok(&["delete", "deleted"]);
    bundle.fails(&["state", "deleted"], "does not exist");
}

#[test]
fn what_cannot_be_is_told_and_leaves_nothing() {
    let bundle = require!(Bundle::new(&["true"]));
    let cases: [(&str, Value, &str); 14] = [
        ("/linux/namespaces", json!([{ "type": "mount" }, { "type": "user" }]), "user namespace"),
        ("/process/args", json!(["nothing-such"]), "exec: \"nothing-such\": executable file not found in $PATH"),
        ("/process/args", json!(["/proc"]), "exec: \"/proc\": is a directory"),
        ("/process/args", json!([]), "no command"),
        ("/process/cwd", json!("relative"), "not absolute"),
        ("/process/terminal", json!(true), "--console-socket"),
        ("/root/path", json!("nowhere"), "cannot find the root"),
        ("/linux/cgroupsPath", json!("../../x"), "leads upwards"),
        ("/linux/intelRdt", json!({ "closID": "x" }), "`linux.intelRdt`"),
        ("/linux/rootfsPropagation", json!("sharde"), "`linux.rootfsPropagation` has no `sharde`"),
        ("/linux/personality", json!({ "domain": "LINUX", "flags": ["x"] }), "`linux.personality.flags`"),
        ("/process/execCPUAffinity", json!({ "initial": "0" }), "`process.execCPUAffinity`"),
        ("/vm", json!({ "kernel": { "path": "/k" } }), "`vm`"),
        ("/linux/namespaces", json!([{ "type": "mount" }, { "type": "network", "path": "/nowhere" }]), "is gone"),
    ];
    let before = fs::read_to_string(bundle.file("config.json")).unwrap();
    for (pointer, value, words) in cases {
        bundle.change(|spec| {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            spec.pointer_mut(parent).unwrap()[key] = value;
        });
        bundle.fails(&["create", "c1"], words);
        assert_eq!(bundle.ok(&["list", "--quiet"]), "", "{pointer}");
        fs::write(bundle.file("config.json"), &before).unwrap();
    }
    bundle.fails(&["create", "../c1"], "cannot be the id");
    bundle.fails(&["--systemd-cgroup", "create", "c1"], "--systemd-cgroup");
    bundle.fails(&["create", "--console-socket", "/nowhere/x", "c1"], "without a terminal");
}

#[test]
fn errors_are_the_last_line_of_the_log() {
    let bundle = require!(Bundle::new(&["nothing-such"]));
    let log = bundle.file("log.json");
    bundle.fails(&["--log", log.to_str().unwrap(), "--log-format", "json", "create", "c1"], "nothing-such");
    let text = fs::read_to_string(log).unwrap();
    let line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(line["level"], "error");
    assert!(line["msg"].as_str().unwrap().contains("executable file not found in $PATH"), "{line}");
    assert!(line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
}

#[test]
fn run_waits_for_the_end_with_the_callers_input_and_output() {
    let bundle = require!(Bundle::new(&["sh", "-c", "read line; echo got $line; exit 9"]));
    let output = bundle.oci_with(&["run", "r1"], "this\n");
    assert_eq!((output.code, output.stdout.as_str()), (9, "got this\n"), "{output:?}");
    bundle.fails(&["state", "r1"], "does not exist");
    assert_eq!(bundle.oci(&["run", "--keep", "r2"]).code, 9);
    assert_eq!(bundle.state("r2")["status"], "stopped");
}

#[test]
fn run_hands_signals_on() {
    let bundle = require!(Bundle::new(&["sh", "-c", "trap 'exit 4' USR1; echo ready; while :; do sleep 0.05; done"]));
    let mut run = bundle.command(&["run", "r1"]).stdout(fs::File::create(bundle.file("out")).unwrap()).spawn().unwrap();
    wait_until(LIMIT, || bundle.output() == "ready\n");
    let pid = nix::unistd::Pid::from_raw(run.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGUSR1).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(4));
}

#[test]
fn processes_stand_still_and_go_on() {
    let bundle = require!(Bundle::new(&["sh", "-c", "sleep 1000 & exec sleep 1000"]));
    bundle.create("c1", &[]);
    bundle.fails(&["resume", "c1"], "not paused");
    bundle.ok(&["start", "c1"]);
    wait_until(LIMIT, || {
        let pids: Vec<i32> = serde_json::from_str(&bundle.ok(&["ps", "--format", "json", "c1"])).unwrap();
        pids.len() == 2 && bundle.state("c1")["pid"].as_i64().is_some_and(|pid| pids.contains(&(pid as i32)))
    });
    assert!(bundle.ok(&["ps", "c1"]).lines().count() == 3, "a heading and two processes");
    bundle.ok(&["pause", "c1"]);
    assert_eq!(bundle.state("c1")["status"], "paused");
    bundle.fails(&["exec", "c1", "true"], "paused");
    bundle.ok(&["resume", "c1"]);
    assert_eq!(bundle.state("c1")["status"], "running");
    bundle.ok(&["pause", "c1"]);
    // Also what stands still can be killed, with what it has begun.
    bundle.ok(&["kill", "c1", "SIGKILL"]);
    bundle.wait_for_status("c1", "stopped");
}

#[test]
fn limits_are_changed_and_use_is_told() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    bundle.change(|spec| spec["linux"]["resources"]["pids"] = json!({ "limit": 44 }));
    bundle.create("c1", &[]);
    bundle.ok(&["start", "c1"]);
    let limit = || fs::read_to_string(bundle.cgroup("pids").join("pids.max")).unwrap();
    assert_eq!(limit(), "44\n");
    bundle.ok(&["update", "--pids-limit", "55", "c1"]);
    assert_eq!(limit(), "55\n");
    // As Docker sends it: what is 0 stays.
    let resources = json!({ "pids": { "limit": 66 }, "memory": { "limit": 0 }, "cpu": { "cpus": "" } });
    assert_eq!(bundle.oci_with(&["update", "--resources", "-", "c1"], &resources.to_string()).code, 0);
    assert_eq!(limit(), "66\n");
    let event: Value = serde_json::from_str(&bundle.ok(&["events", "--stats", "c1"])).unwrap();
    assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!("c1")));
    assert_eq!(event["data"]["pids"], json!({ "current": 1, "limit": 66 }));
}

#[test]
fn containers_are_listed_for_people_and_programs() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    bundle.create("b", &[]);
    let states: Value = serde_json::from_str(&bundle.ok(&["list", "--format", "json"])).unwrap();
    assert_eq!((&states[0]["id"], &states[0]["status"]), (&json!("b"), &json!("created")));
    assert_eq!(states[0]["rootfs"], json!(bundle.rootfs()));
    assert_eq!(bundle.ok(&["list", "-q"]), "b\n");
    let table = bundle.ok(&["list"]);
    assert!(table.starts_with("ID   PID") && table.contains("created"), "{table}");
}

#[test]
fn features_are_those_of_the_specification() {
    let bundle = require!(Bundle::new(&["true"]));
    let text = bundle.ok(&["features"]);
    let features: oci_spec::runtime::Features = serde_json::from_str(&text).unwrap();
    assert_eq!(features.oci_version_max(), "1.2.0");
    assert_eq!(features.hooks().as_ref().unwrap().len(), 6);
    let options = features.mount_options().as_ref().unwrap();
    assert!(options.iter().any(|option| option == "tmpcopyup") && options.is_sorted(), "{options:?}");
}

#[test]
fn the_binary_is_the_runtime_when_it_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("shanty-oci");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_shanty"), &link).unwrap();
    let version = std::process::Command::new(&link).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    assert!(version.starts_with("shanty oci ") && version.contains("\nspec: 1.2.0"), "{version}");
}

#[test]
fn what_happens_is_told_until_the_container_ends() {
    let bundle =
        require!(Bundle::new(&["sh", "-c", "read x </tmp/go; x=$(head -c 100000000 /dev/zero | tail); sleep 1000"]));
    let go = bundle.rootfs().join("tmp/go");
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).unwrap();
    bundle.change(|spec| spec["linux"]["resources"]["memory"] = json!({ "limit": 16_000_000, "swap": 16_000_000 }));
    bundle.create("c1", &[]);
    bundle.ok(&["start", "c1"]);
    let events = fs::File::create(bundle.file("events")).unwrap();
    let mut telling = bundle.command(&["events", "--interval", "50ms", "c1"]).stdout(events).spawn().unwrap();
    let told = |kind: &str| {
        let text = fs::read_to_string(bundle.file("events")).unwrap();
        text.lines().any(|line| line.contains(&format!("{{\"type\":\"{kind}\",\"id\":\"c1\"")))
    };
    wait_until(LIMIT, || told("stats"));
    fs::write(go, "go\n").unwrap();
    wait_until(LIMIT, || told("oom"));
    bundle.ok(&["kill", "c1", "KILL"]);
    assert_eq!(telling.wait().unwrap().code(), Some(0));
}

/// CVE-2019-5736: what waits in the container is still this program, and a container could reach it through its link.
#[test]
fn the_runtimes_binary_cannot_be_written_through_the_processes_that_it_makes() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    bundle.create("c1", &[]);
    let exe = format!("/proc/{}/exe", bundle.state("c1")["pid"]);
    let error = fs::File::options().write(true).open(&exe).unwrap_err();
    let is_copy = fs::read_link(&exe).unwrap().display().to_string().contains("memfd:");
    assert!(is_copy || error.kind() == std::io::ErrorKind::ReadOnlyFilesystem, "{error}");
}
