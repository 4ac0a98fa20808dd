//! Pausing and letting go on, as the kernel sees it.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::wait_until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// Starts a container that counts in its log, and gives its pid.
fn count(shanty: &Shanty, name: &str) -> i64 {
    let code = format!(
        r#"let c = image("busybox:1").run(["sh", "-c", "trap 'exit 7' TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"],
               #{{ name: "{name}", network: "none" }});
           c.wait_for(#{{ log: "2" }}); c.pid"#
    );
    shanty.json(&code).as_i64().unwrap()
}

/// Whether the kernel has frozen the process: by the freezer of v1, or that of cgroup2.
fn is_frozen(pid: i64) -> bool {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let of = |controller: &str| {
        groups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':').unwrap();
            let (controllers, path) = rest.split_once(':').unwrap();
            (controllers == controller).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    if let Some(path) = of("freezer") {
        let state = std::fs::read_to_string(format!("/sys/fs/cgroup/freezer/{path}/freezer.state")).unwrap();
        return state.trim() == "FROZEN";
    }
    let events = std::fs::read_to_string(format!("/sys/fs/cgroup/{}/cgroup.events", of("").unwrap())).unwrap();
    events.contains("frozen 1")
}

#[test]
fn a_paused_container_stands_still_until_it_is_let_go_on() {
    let shanty = require!(with_busybox());
    let pid = count(&shanty, "still");
    let paused = shanty.json(
        r#"let c = container("still"); c.pause();
           #{ status: c.status, state: c.inspect().State, listed: containers(#{ status: "paused" }).map(|c| c.name), pid: c.pid, log: c.logs() }"#,
    );
    assert!(is_frozen(pid));
    assert_eq!(
        (&paused["status"], &paused["listed"], &paused["pid"]),
        (&json!("paused"), &json!(["still"]), &json!(pid))
    );
    let state = &paused["state"];
    assert_eq!((&state["Status"], &state["Running"], &state["Paused"]), (&json!("paused"), &json!(true), &json!(true)));

    let refused = r#"
        let c = container("still");
        [|| c.pause(), || c.exec("true"), || c.start(), || c.remove()].map(|f| { let kind = "none"; try { f.call() } catch (e) { kind = e.kind } kind })"#;
    assert_eq!(shanty.json(refused), json!(["conflict", "conflict", "conflict", "conflict"]));
    // What it wrote before it stood still has been read by now; nothing has come since.
    assert_eq!(
        shanty.json(r#"let c = container("still"); let a = c.logs(); for i in 0..20 { c.status } a == c.logs()"#),
        true
    );

    assert_eq!(shanty.json(r#"let c = container("still"); c.unpause(); c.status"#), "running");
    assert!(!is_frozen(pid));
    let goes_on = r#"let c = container("still"); let n = c.logs().len(); eventually(|| c.logs().len() > n); c.exec("echo x").text"#;
    assert_eq!(shanty.json(goes_on), "x");
    let again = r#"let kind = (); try { container("still").unpause() } catch (e) { kind = e.kind } kind"#;
    assert_eq!(shanty.json(again), "conflict");
}

#[test]
fn what_ends_a_container_also_ends_a_paused_one() {
    let shanty = require!(with_busybox());
    // (how, what it is then, with which code)
    let cases = [
        (r#"c.stop()"#, json!(["exited", 7])),
        (r#"c.kill()"#, json!(["exited", 137])),
        (r#"c.kill("TERM")"#, json!(["exited", 7])),
    ];
    for (index, (how, expected)) in cases.into_iter().enumerate() {
        count(&shanty, &format!("p{index}"));
        let code = format!(r#"let c = container("p{index}"); c.pause(); {how}; c.wait(); [c.status, c.exit_code]"#);
        assert_eq!(shanty.json(&code), expected, "{how}");
    }
    count(&shanty, "removed");
    let removed = r#"let c = container("removed"); c.pause(); c.remove(#{ force: true }); c.exists"#;
    assert_eq!(shanty.json(removed), false);
    count(&shanty, "signalled");
    // Docker lets it go on for any signal.
    let signalled = r#"let c = container("signalled"); c.pause(); c.kill("CONT"); c.status"#;
    assert_eq!(shanty.json(signalled), "running");
}

#[test]
fn a_paused_container_whose_monitor_is_killed_does_not_stay_frozen() {
    let shanty = require!(with_busybox());
    let pid = count(&shanty, "orphan");
    shanty.eval(r#"container("orphan").pause()"#).ok();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let monitor = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap();
    kill(Pid::from_raw(monitor), Signal::SIGKILL).unwrap();
    let status = r#"let c = container("orphan"); [c.status, c.exit_code]"#;
    wait_until(LIMIT, || shanty.json(status) == json!(["exited", 137]));
    wait_until(LIMIT, || !std::fs::exists(format!("/proc/{pid}")).unwrap());
    shanty.assert_nothing_left();
}
