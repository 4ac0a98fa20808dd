//! `kill -9` of anything: nothing is lost, nothing stays, and the state is true.

use crate::support::busybox::with_busybox;
use crate::support::wait::{wait_for, wait_until};
use crate::support::{require, shanty::Shanty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// The monitor of a container: the parent of its first process.
fn monitor_of(shanty: &Shanty, name: &str) -> Pid {
    let pid = shanty.json(&format!(r#"container("{name}").pid"#)).as_i64().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let parent = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap();
    Pid::from_raw(parent.parse().unwrap())
}

#[test]
fn containers_of_a_killed_script_stop_within_a_second_and_go_with_the_next_command() {
    let shanty = require!(with_busybox());
    let script = shanty
        .eval(
            r#"
            scope(|| {
                let c = image("busybox:1").run(["sleep", "1000"], #{ name: "owned", network: "none" });
                image("busybox:1").create(["true"], #{ name: "waiting" });
                print(c.pid);
                sleep("1h");
            })
            "#,
        )
        .spawn();
    let pid: i32 = wait_for(LIMIT, || script.stdout().trim().parse().ok());
    script.signal(Signal::SIGKILL);
    let alive = || std::fs::exists(format!("/proc/{pid}")).unwrap();
    wait_until(Duration::from_secs(2), || !alive());
    assert_eq!(shanty.json("containers(#{ all: true }).map(|c| c.name)"), serde_json::json!([]));
    shanty.assert_nothing_left();
}

#[test]
fn a_container_whose_monitor_was_killed_is_reported_truthfully_and_cleaned_up() {
    let shanty = require!(with_busybox());
    shanty.eval(r#"image("busybox:1").run(["sleep", "1000"], #{ name: "orphan", ports: ["127.0.0.1::80"] })"#).ok();
    let pid = shanty.json(r#"container("orphan").pid"#).as_i64().unwrap();
    kill(monitor_of(&shanty, "orphan"), Signal::SIGKILL).unwrap();
    wait_until(LIMIT, || !std::fs::exists(format!("/proc/{pid}")).unwrap());
    let state = shanty.json(r#"let c = container("orphan"); [c.status, c.exit_code, c.pid, c.ip]"#);
    assert_eq!(state, serde_json::json!(["exited", 137, null, null]));
    shanty.eval(r#"container("orphan").start()"#).ok();
    assert_eq!(shanty.json(r#"container("orphan").exec("echo again").text"#), "again");
    shanty.eval(r#"container("orphan").remove(#{ force: true })"#).ok();
    shanty.assert_nothing_left();
}

#[test]
fn scripts_killed_at_any_moment_of_a_run_or_a_removal_leave_nothing() {
    let shanty = require!(with_busybox());
    let code = r#"
        scope(|| loop {
            let c = image("busybox:1").run(["sh", "-c", "echo hi; sleep 100"], #{ ports: ["127.0.0.1::80"] });
            image("busybox:1").exec(["true"], #{ network: "none" });
            c.remove(#{ force: true });
        })
    "#;
    // Different moments without a random number: the time from the start of the script grows by a prime.
    for round in 0..25u64 {
        let script = shanty.eval(code).spawn();
        let moment = Duration::from_micros(3_000 + round * 1_709);
        let started = std::time::Instant::now();
        wait_until(LIMIT, || started.elapsed() >= moment);
        script.signal(Signal::SIGKILL);
        script.wait(LIMIT);
    }
    // Containers end by themselves; the next command sweeps what the database knows and what it does not.
    wait_until(LIMIT, || shanty.json("containers(#{ all: true }).len()") == 0);
    shanty.assert_nothing_left();
    let folders = || std::fs::read_dir(shanty.root().join("containers")).unwrap().count();
    wait_until(LIMIT, || shanty.eval("containers()").ok().code == 0 && folders() == 0);
}

#[test]
fn scripts_killed_at_any_moment_of_making_and_changing_networks_leave_nothing() {
    let shanty = require!(with_busybox());
    let code = r#"
        scope(|| loop {
            let front = create_network("front", #{ ipv6: true });
            let back = create_network("back");
            let c = image("busybox:1").run(["sleep", "100"], #{ networks: ["front"], ports: ["127.0.0.1::80"] });
            back.connect(c);
            front.disconnect(c);
            c.remove(#{ force: true });
            front.remove();
            back.remove();
        })
    "#;
    for round in 0..20u64 {
        let script = shanty.eval(code).spawn();
        let moment = Duration::from_micros(5_000 + round * 6_101);
        let started = std::time::Instant::now();
        wait_until(LIMIT, || started.elapsed() >= moment);
        script.signal(Signal::SIGKILL);
        script.wait(LIMIT);
        // What the next one does is not in the way of what is left.
        let works =
            r#"scope(|| { create_network("front"); image("busybox:1").exec(["true"], #{ network: "front" }).code })"#;
        assert_eq!(shanty.json(works), 0, "after {moment:?}");
    }
    wait_until(LIMIT, || shanty.json("containers(#{ all: true }).len()") == 0);
    assert_eq!(shanty.json("networks().map(|n| n.name)"), serde_json::json!(["bridge", "host", "none"]));
    shanty.assert_nothing_left();
}

#[test]
fn ctrl_c_ends_a_command_in_a_container_at_once_and_removes_it() {
    let shanty = require!(with_busybox());
    let script =
        shanty.eval(r#"print("go"); image("busybox:1").exec(["sleep", "1000"], #{ network: "none" })"#).spawn();
    script.wait_for_stdout("go");
    wait_until(LIMIT, || shanty.json("containers().len()") == 1);
    script.signal(Signal::SIGINT);
    assert_eq!(script.wait(Duration::from_secs(5)).code, 130);
    assert_eq!(shanty.json("containers(#{ all: true }).len()"), 0);
    shanty.assert_nothing_left();
}

#[test]
fn nothing_on_the_way_from_exec_to_its_result_waits_for_the_disk() {
    let shanty = require!(with_busybox());
    let strace = require!(crate::support::fixtures::program("strace"));
    let trace = shanty.work().join("trace");
    let code = r#"for i in 0..5 { image("busybox:1").exec(["true"], #{ network: "none" }) }"#;
    let call = shanty.eval(code).into_command();
    let status = std::process::Command::new(strace)
        .args(["-f", "-qq", "-e", "trace=fsync,fdatasync,sync,syncfs,sync_file_range,msync", "-o"])
        .arg(&trace)
        .arg(call.get_program())
        .args(call.get_args())
        .envs(call.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .status()
        .unwrap();
    assert!(status.success());
    let syncs = std::fs::read_to_string(&trace).unwrap();
    assert!(!syncs.contains("sync("), "{syncs}");
}
