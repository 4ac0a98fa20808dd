//! After a reboot, and after monitors were killed: what should run runs, and nothing stale is left.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::{wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

fn run(shanty: &Shanty, name: &str, policy: &str) -> i64 {
    let code = format!(
        r#"image("busybox:1").run(["sleep", "1000"], #{{ name: "{name}", network: "none", restart: "{policy}" }}).pid"#
    );
    shanty.json(&code).as_i64().unwrap()
}

fn monitor_of(pid: i64) -> Pid {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    Pid::from_raw(stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap())
}

/// Kills the monitor of the container with this process, and waits until both are gone.
fn crash(pid: i64) {
    kill(monitor_of(pid), Signal::SIGKILL).unwrap();
    wait_until(LIMIT, || !std::fs::exists(format!("/proc/{pid}")).unwrap());
}

fn status(shanty: &Shanty, name: &str) -> Value {
    shanty.json(&format!(r#"container("{name}").status"#))
}

/// What a reboot leaves: no process, nothing in `/run`, and files that tell of another boot.
fn reboot(shanty: &Shanty, pids: &[i64]) {
    for pid in pids {
        crash(*pid);
    }
    let now = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let then = "00000000-0000-0000-0000-000000000000";
    for folder in std::fs::read_dir(shanty.root().join("containers")).unwrap() {
        let file = folder.unwrap().path().join("state.json");
        if let Ok(text) = std::fs::read_to_string(&file) {
            assert!(text.contains(now.trim()), "{text}");
            std::fs::write(&file, text.replace(now.trim(), then)).unwrap();
        }
    }
    let database = rusqlite::Connection::open(shanty.root().join("shanty.db")).unwrap();
    assert_eq!(database.execute("UPDATE meta SET value = ?1 WHERE key = 'boot_id'", [then]).unwrap(), 1);
}

#[test]
fn a_container_whose_monitor_was_killed_is_started_again_by_the_next_command() {
    let shanty = require!(with_busybox());
    // (policy, whether it comes back)
    let cases = [("no", false), ("on-failure:2", true), ("always", true), ("unless-stopped", true)];
    for (index, (policy, comes_back)) in cases.into_iter().enumerate() {
        let name = format!("crashed{index}");
        let pid = run(&shanty, &name, policy);
        crash(pid);
        let expected = if comes_back { "running" } else { "exited" };
        wait_until(LIMIT, || status(&shanty, &name) == expected);
        let seen = shanty.json(&format!(r#"let c = container("{name}"); [c.pid, c.exit_code]"#));
        assert_eq!(seen[0].is_number(), comes_back, "{policy}: {seen}");
        assert_ne!(seen[0], json!(pid));
        if comes_back {
            assert_eq!(shanty.json(&format!(r#"container("{name}").exec("echo back").text"#)), "back");
        }
    }
    // What a script owns goes with the script instead.
    let script = shanty
        .eval(r#"scope(|| { let c = image("busybox:1").run(["sleep", "1000"], #{ name: "owned", network: "none", restart: "always" }); print(c.pid); sleep("1h") })"#)
        .spawn();
    let pid: i64 = wait_for(LIMIT, || script.stdout().trim().parse().ok());
    crash(pid);
    assert_eq!(status(&shanty, "owned"), "exited");
    script.signal(Signal::SIGKILL);
    script.wait(LIMIT);
    wait_until(LIMIT, || shanty.json(r#"container("owned").exists"#) == false);
}

#[test]
fn a_stop_is_remembered_also_when_the_monitor_is_gone() {
    let shanty = require!(with_busybox());
    let pid = run(&shanty, "stopped", "always");
    // Nobody else's command may come between: the next one is the stop itself.
    crash(pid);
    shanty.eval(r#"container("stopped").stop(#{ timeout: "0s" })"#).ok();
    for _ in 0..5 {
        assert_eq!(status(&shanty, "stopped"), "exited");
    }
}

#[test]
fn after_a_reboot_the_policies_say_what_runs() {
    let shanty = require!(with_busybox());
    // (name, policy, stopped by hand before the reboot, what it is after it)
    let cases = [
        ("plain", "no", false, "exited"),
        ("failing", "on-failure", false, "running"),
        ("always", "always", false, "running"),
        ("always-stopped", "always", true, "running"),
        ("unless", "unless-stopped", false, "running"),
        ("unless-stopped", "unless-stopped", true, "exited"),
    ];
    for how in ["recover", "first command"] {
        let mut pids = Vec::new();
        for (name, policy, stopped, _) in cases {
            shanty.eval(&format!(r#"container("{name}").remove(#{{ force: true, missing_ok: true }})"#)).ok();
            let pid = run(&shanty, name, policy);
            if stopped {
                shanty.eval(&format!(r#"container("{name}").stop(#{{ timeout: "0s" }})"#)).ok();
            } else {
                pids.push(pid);
            }
        }
        shanty.eval(r#"if !container("never").exists { image("busybox:1").create(["true"], #{ name: "never", restart: "always" }) }"#).ok();
        reboot(&shanty, &pids);
        if how == "recover" {
            let printed = shanty.call(&["recover"]).ok().stdout;
            let mut started: Vec<&str> = printed.lines().collect();
            started.sort_unstable();
            assert_eq!(started, ["started always", "started always-stopped", "started failing", "started unless"]);
            assert_eq!(shanty.call(&["recover"]).ok().stdout, "");
        }
        // With the first command everything is there at once.
        let all = shanty.json("let all = #{}; for c in containers(#{ all: true }) { all[c.name] = c.status } all");
        for (name, _, _, expected) in cases {
            assert_eq!(all[name], expected, "{name} after {how}: {all}");
        }
        assert_eq!(all["never"], "created");
    }
}

#[test]
fn one_that_cannot_be_started_is_told_and_does_not_keep_others_back() {
    let shanty = require!(with_busybox());
    let code = r#"image("busybox:1").run(["sleep", "1000"], #{ name: "blocked", restart: "always", ports: ["127.0.0.1::80"] });
        let c = container("blocked"); [c.pid, c.port(80).host_port]"#;
    let blocked = shanty.json(code);
    let other = run(&shanty, "other", "always");
    let port = blocked[1].as_u64().unwrap() as u16;
    shanty.eval(r#"container("blocked").update(#{ restart: "unless-stopped" })"#).ok();
    reboot(&shanty, &[blocked[0].as_i64().unwrap(), other]);
    let _taken = wait_for(LIMIT, || std::net::TcpListener::bind(("127.0.0.1", port)).ok());
    // Its port is chosen anew by the kernel or taken: either way the other one runs.
    shanty.call(&["recover"]).output();
    assert_eq!(status(&shanty, "other"), "running");
}
