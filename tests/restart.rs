//! Restart policies: when a container is started again, what stays, and what ends it for good.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::{wait_for, wait_until};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn policies_are_kept_and_wait_gives_the_last_end() {
    let shanty = require!(with_busybox());
    // Each run adds a line to a file of the container, which stays over restarts.
    let line =
        |code: &str| format!(r#"["sh", "-c", "echo run >> /runs; [ $(wc -l < /runs) -ge 3 ] && exit {code}; exit 5"]"#);
    // (policy, code of the third run, runs in all, code of the end)
    let cases = [("no", 0, 1, 5), ("on-failure", 0, 3, 0), ("on-failure:1", 0, 2, 5), ("on-failure:5", 0, 3, 0)];
    for (policy, last, runs, code) in cases {
        let script = format!(
            r#"let c = image("busybox:1").run({}, #{{ restart: "{policy}", network: "none" }});
               let code = c.wait(#{{ timeout: "30s" }});
               let policy = c.inspect().HostConfig.RestartPolicy.Name;
               let seen = [code, c.exit_code, c.restarts, c.status, policy];
               c.remove(); seen"#,
            line(&last.to_string())
        );
        let name = policy.split(':').next().unwrap();
        assert_eq!(shanty.json(&script), json!([code, code, runs - 1, "exited", name]), "{policy}");
    }
}

#[test]
fn an_always_container_comes_back_with_its_name_address_ports_and_log() {
    let shanty = require!(with_busybox());
    let before = shanty.json(
        r#"let c = image("busybox:1").run(["sh", "-c", "echo started; exec nc -ll -p 80 -e echo hello"],
               #{ name: "web", restart: "always", ports: ["127.0.0.1::80"], memory: "64m" });
           c.wait_for(#{ port: 80 });
           #{ pid: c.pid, ip: c.ip, port: c.port(80).host_port, started: c.started }"#,
    );
    let (pid, port) = (before["pid"].as_i64().unwrap(), before["port"].as_u64().unwrap() as u16);
    let netns = |pid: i64| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    let old = netns(pid);
    // As a crash: nobody asked for it.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL).unwrap();
    let after = wait_for(LIMIT, || {
        let seen = shanty.json(r#"let c = container("web"); #{ pid: c.pid, ip: c.ip, ports: c.ports, status: c.status, restarts: c.restarts }"#);
        (seen["status"] == "running" && seen["pid"].is_i64() && seen["pid"] != json!(pid)).then_some(seen)
    });
    assert_eq!((&after["ip"], &after["restarts"]), (&before["ip"], &json!(1)));
    assert_eq!(after["ports"][0]["host_port"], json!(port));
    let pid = after["pid"].as_i64().unwrap();
    assert_eq!(netns(pid), old);
    let answers = r#"let c = container("web"); c.wait_for(#{ port: 80 }); c.exec("echo inside").text + c.logs()"#;
    assert_eq!(shanty.json(answers), "insidestarted\nstarted\n");
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut std::net::TcpStream::connect(("127.0.0.1", port)).unwrap(), &mut answer)
        .unwrap();
    assert_eq!(answer, "hello\n");
    // Stopped by hand it stays stopped, and another start counts anew.
    let stopped = r#"let c = container("web"); c.stop(#{ timeout: "0s" }); [c.status, c.restarts, c.exit_code]"#;
    assert_eq!(shanty.json(stopped), json!(["exited", 1, 137]));
    assert_eq!(shanty.json(r#"let c = container("web"); c.start(); [c.status, c.restarts]"#), json!(["running", 0]));
    shanty.eval(r#"container("web").remove(#{ force: true })"#).ok();
    shanty.assert_nothing_left();
}

/// Starts a container that fails again and again, and waits until it pauses between two runs.
fn failing(shanty: &Shanty, name: &str) {
    let code = format!(
        r#"image("busybox:1").run(["sh", "-c", "exit 3"], #{{ name: "{name}", restart: "always", network: "none" }})"#
    );
    shanty.eval(&code).ok();
    wait_until(LIMIT, || {
        let seen = shanty.json(&format!(r#"let c = container("{name}"); [c.status, c.restarts]"#));
        seen[0] == "restarting" && seen[1].as_i64().unwrap() >= 3
    });
}

#[test]
fn a_container_between_two_runs_is_restarting_and_can_be_ended() {
    let shanty = require!(with_busybox());
    for (index, end) in ["c.stop()", "c.kill()", r#"c.kill("TERM")"#].iter().enumerate() {
        let name = format!("loop{index}");
        failing(&shanty, &name);
        let state = shanty.json(&format!(r#"container("{name}").inspect().State"#));
        let expected =
            [("Restarting", json!(true)), ("Running", json!(true)), ("Pid", json!(0)), ("ExitCode", json!(3))];
        for (key, value) in expected {
            // It may run again by now.
            assert!(state[key] == value || state["Status"] == "running", "{key}: {state}");
        }
        assert_eq!(shanty.json("containers().len()"), 1);
        let kinds = format!(
            r#"let c = container("{name}");
               [|| c.exec("true"), || c.pause(), || c.remove()].map(|f| {{ let kind = (); try {{ f.call() }} catch (e) {{ kind = e.kind }} kind }})"#
        );
        assert_eq!(shanty.json(&kinds), json!(["conflict", "conflict", "conflict"]));
        let ended =
            format!(r#"let c = container("{name}"); {end}; let code = c.wait(#{{ timeout: "5s" }}); [code, c.status]"#);
        let ended = shanty.json(&ended);
        assert_eq!(ended[1], "exited", "{end}");
        assert!([3, 137, 143].map(|code| json!(code)).contains(&ended[0]), "{ended}");
        shanty.eval(&format!(r#"container("{name}").remove()"#)).ok();
    }
    failing(&shanty, "removed");
    assert_eq!(shanty.json(r#"let c = container("removed"); c.remove(#{ force: true }); c.exists"#), false);
    shanty.assert_nothing_left();
}

#[test]
fn a_container_that_cannot_be_started_again_ends_and_says_why() {
    let shanty = require!(with_busybox());
    let program = shanty.work().join("program");
    std::fs::write(&program, "#!/bin/sh\nexit 4\n").unwrap();
    Command::new("chmod").arg("755").arg(&program).status().unwrap();
    let code = format!(
        r#"let c = image("busybox:1").run(["/x/program"], #{{ name: "gone", restart: "always", network: "none", volumes: ["{}:/x"] }});"#,
        shanty.work().display()
    );
    shanty.eval(&code).ok();
    wait_until(LIMIT, || shanty.json(r#"container("gone").restarts"#).as_i64().unwrap() >= 1);
    std::fs::remove_file(&program).unwrap();
    let ended = r#"let c = container("gone"); [c.wait(#{ timeout: "30s" }), c.status, c.inspect().State.Error]"#;
    let ended = shanty.json(ended);
    assert_eq!((&ended[0], &ended[1]), (&json!(127), &json!("exited")));
    assert!(ended[2].as_str().unwrap().contains("program"), "{ended}");
    assert!(!Path::new(&program).exists());
}

#[test]
fn removing_at_the_end_and_restarting_exclude_each_other() {
    let shanty = require!(with_busybox());
    shanty.eval(r#"image("busybox:1").run(["true"], #{ restart: "always", remove: true })"#).fails_with("invalid");
    assert_eq!(shanty.json("containers(#{ all: true }).len()"), 0);
}

#[test]
fn a_container_of_another_runtime_is_started_again_as_well() {
    require!(crate::support::program("runc"));
    let shanty = require!(with_busybox());
    let code = r#"
        let c = image("busybox:1").run(["sh", "-c", "echo run; exit 4"], #{ runtime: "runc", restart: "on-failure:2", network: "none" });
        [c.wait(#{ timeout: "30s" }), c.restarts, c.status, c.logs()]"#;
    assert_eq!(shanty.json(code), json!([4, 2, "exited", "run\nrun\nrun\n"]));
}
