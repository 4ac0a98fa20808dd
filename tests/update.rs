//! Changing limits and policies of containers, as the kernel has them, and running out of memory.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::{wait_for, wait_until};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// What a control file of the container of this process holds: `v1` or, where the controller is cgroup2's, `v2`.
fn control(pid: i64, controller: &str, v1: &str, v2: &str) -> String {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = |name: &str| {
        groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            (controllers.split(',').any(|it| it == name)).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    let file: PathBuf = match path(controller) {
        Some(path) => Path::new("/sys/fs/cgroup").join(controller).join(path).join(v1),
        None => Path::new("/sys/fs/cgroup").join(path("").unwrap()).join(v2),
    };
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).trim().to_owned()
}

fn is_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

fn sleeper(shanty: &Shanty, name: &str, options: &str) -> i64 {
    let code =
        format!(r#"image("busybox:1").run(["sleep", "1000"], #{{ name: "{name}", network: "none", {options} }}).pid"#);
    shanty.json(&code).as_i64().unwrap()
}

#[test]
fn a_running_container_has_new_limits_at_once() {
    let shanty = require!(with_busybox());
    let pid = sleeper(&shanty, "limited", "memory: `64m`");
    let memory = || control(pid, "memory", "memory.limit_in_bytes", "memory.max");
    let swap = || control(pid, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
    let mib = |count: u64| (count << 20).to_string();
    // On v2 swap is counted alone.
    let both = |memory: u64, both: u64| if is_v2() { mib(both - memory) } else { mib(both) };
    let unlimited = if is_v2() { "max" } else { "9223372036854771712" };
    // (change, limit of memory, of memory and swap), one after the other: up and down, in either order of the files.
    let cases = [
        ("memory: `128m`", mib(128), both(128, 256)),
        ("memory: `32m`", mib(32), both(32, 64)),
        ("memory: `300m`, memory_swap: `300m`", mib(300), both(300, 300)),
        ("memory_swap: `400m`", mib(300), both(300, 400)),
        ("memory: `20m`, memory_swap: -1", mib(20), unlimited.to_owned()),
        ("memory: 0", unlimited.to_owned(), unlimited.to_owned()),
    ];
    for (change, limit, both) in cases {
        shanty.eval(&format!(r#"container("limited").update(#{{ {change} }})"#)).ok();
        assert_eq!((memory(), swap()), (limit, both), "{change}");
    }
    let others = r#"container("limited").update(#{ cpus: 0.5, cpu_shares: 512, cpuset: "0", pids: 50, memory_reservation: "16m" })"#;
    shanty.eval(others).ok();
    let files = [
        control(pid, "cpu", "cpu.cfs_quota_us", "cpu.max"),
        control(pid, "cpu", "cpu.shares", "cpu.weight"),
        control(pid, "cpuset", "cpuset.cpus", "cpuset.cpus"),
        control(pid, "pids", "pids.max", "pids.max"),
        control(pid, "memory", "memory.soft_limit_in_bytes", "memory.low"),
    ];
    let (quota, weight) = if is_v2() { ("50000 100000", "59") } else { ("50000", "512") };
    assert_eq!(files, [quota, weight, "0", "50", "16777216"]);
    let shown = shanty.json(
        r#"let h = container("limited").inspect().HostConfig; [h.NanoCpus, h.CpuShares, h.CpusetCpus, h.PidsLimit]"#,
    );
    assert_eq!(shown, json!([500_000_000, 512, "0", 50]));
    shanty.eval(r#"container("limited").update(#{ cpus: 0, pids: 0 })"#).ok();
    assert_eq!(control(pid, "pids", "pids.max", "pids.max"), "max");
    let none = control(pid, "cpu", "cpu.cfs_quota_us", "cpu.max");
    assert!(none == "-1" || none == "max 100000", "{none}");
}

#[test]
fn limits_stay_over_restarts_and_starts() {
    let shanty = require!(with_busybox());
    let pid = sleeper(&shanty, "again", "restart: `always`");
    shanty.eval(r#"container("again").update(#{ memory: "48m", pids: 40 })"#).ok();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL).unwrap();
    let other = wait_for(LIMIT, || shanty.json(r#"container("again").pid"#).as_i64().filter(|new| *new != pid));
    let limits = |pid| {
        (control(pid, "memory", "memory.limit_in_bytes", "memory.max"), control(pid, "pids", "pids.max", "pids.max"))
    };
    assert_eq!(limits(other), ("50331648".into(), "40".into()));
    // A stopped one has them at its next start.
    let stopped =
        r#"let c = container("again"); c.stop(#{ timeout: "0s" }); c.update(#{ memory: "24m" }); c.start(); c.pid"#;
    assert_eq!(limits(shanty.json(stopped).as_i64().unwrap()), ("25165824".into(), "40".into()));
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let shanty = require!(with_busybox());
    let code = r#"
        let c = image("busybox:1").run(["sh", "-c", "head -c 30000000 /dev/zero > /dev/shm/full; echo full; sleep 1000"],
            #{ name: "full", network: "none", memory: "100m" });
        c.wait_for(#{ log: "full" }); c.pid"#;
    let pid = shanty.json(code).as_i64().unwrap();
    let cases = [
        ("memory: `10m`", "conflict"),
        ("memory: `1m`", "invalid"),
        ("cpuset: `999`", "invalid"),
        ("memory_swap: `50m`", "invalid"),
    ];
    for (change, kind) in cases {
        shanty.eval(&format!(r#"container("full").update(#{{ {change} }})"#)).fails_with(kind);
    }
    assert_eq!(control(pid, "memory", "memory.limit_in_bytes", "memory.max"), (100u64 << 20).to_string());
    assert_eq!(
        shanty.json(r#"let c = container("full"); [c.inspect().HostConfig.Memory, c.status]"#),
        json!([100u64 << 20, "running"])
    );
    shanty
        .eval(r#"image("busybox:1").run(["sleep", "9"], #{ remove: true, network: "none" }).update(#{ restart: "always" })"#)
        .fails_with("conflict");
}

#[test]
fn the_policy_of_a_running_container_changes() {
    let shanty = require!(with_busybox());
    let pid = sleeper(&shanty, "policy", "");
    shanty.eval(r#"container("policy").update(#{ restart: "on-failure:1" })"#).ok();
    let kill = |pid: i64| {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL).unwrap()
    };
    kill(pid);
    let again = wait_for(LIMIT, || shanty.json(r#"container("policy").pid"#).as_i64().filter(|new| *new != pid));
    shanty.eval(r#"container("policy").update(#{ restart: "no" })"#).ok();
    kill(again);
    wait_until(LIMIT, || shanty.json(r#"let c = container("policy"); [c.status, c.restarts]"#) == json!(["exited", 1]));
}

#[test]
fn running_out_of_memory_is_seen() {
    let shanty = require!(with_busybox());
    // It offers itself: else the kernel may take the shell, while it waits for the memory of the child that it has killed.
    let eat = "(echo 1000 > /proc/self/oom_score_adj; exec tail /dev/zero)";
    // A child that was killed counts, as in Docker, while the container goes on and in the end.
    let code = format!(
        r#"let c = image("busybox:1").run(["sh", "-c", "{eat}; echo survived; read line; exit 3"],
               #{{ name: "child", network: "none", memory: "32m", memory_swap: "32m", stdin: true }});
           c.wait_for(#{{ log: "survived" }}); eventually(|| c.oom_killed);
           let seen = [c.status, c.oom_killed, c.inspect().State.OOMKilled]; c.kill("HUP"); c.stop(#{{ timeout: "0s" }}); seen + [c.oom_killed]"#
    );
    assert_eq!(shanty.json(&code), json!(["running", true, true, true]));
    let own = r#"let c = image("busybox:1").run(["sh", "-c", "exec tail /dev/zero"], #{ name: "own", network: "none", memory: "32m", memory_swap: "32m" });
           [c.wait(), c.oom_killed]"#.to_string();
    assert_eq!(shanty.json(&own), json!([137, true]));
    let waiting = r#"container("own").start().wait_for(#{ port: 80 })"#;
    let failed = shanty.eval(waiting).fails_with("exit");
    assert!(failed.stderr.contains("killed for want of memory") && failed.stderr.contains("`memory`"), "{failed}");
    assert_eq!(shanty.json(r#"image("busybox:1").run(["true"], #{ name: "well", network: "none", memory: "32m" }).wait(); container("well").oom_killed"#), false);
}
