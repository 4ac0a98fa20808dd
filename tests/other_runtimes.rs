//! Containers that an installed OCI runtime makes, `runtime: "runc"`: the same life as with our own.

use crate::support::busybox::with_busybox;
use crate::support::fixtures::Missing;
use crate::support::{Shanty, program, require};

/// A root with busybox, on a machine with runc.
fn with_runc() -> Result<Shanty, Missing> {
    program("runc")?;
    with_busybox()
}

#[test]
fn a_container_lives_on_another_runtime_as_on_ours() {
    let shanty = require!(with_runc());
    let value = shanty.json(
        r#"
        let c = image("busybox:1").run(#{
            name: "other", runtime: "runc", user: "user", env: #{ A: "b" }, memory: "64m", pids: 50, stop_signal: "KILL",
            cmd: ["sh", "-c", "echo out $A; echo err >&2; id -u; exec sleep 1000"],
        });
        c.wait_for(#{ log: "1000" }).wait_for(#{ log: "err" });
        let seen = #{
            status: c.status, out: c.logs(#{ stream: "stdout" }), err: c.logs(#{ stream: "stderr" }), pid: c.pid > 1,
            exec: c.exec(["sh", "-c", "cat; echo $A; echo $HOME; id -u; exit 3"], #{ stdin: "in\n", user: "root", check: false }),
            quick: [1, 2, 3, 4, 5].map(|n| container("other").exec(["sh", "-c", "exit " + n], #{ check: false }).code),
            filter: c.exec("grep Seccomp: /proc/self/status").text.split("\t")[1],
            limit: host("cat /proc/" + c.pid + "/cgroup").text.contains("/shanty/"),
        };
        seen.exec = #{ code: seen.exec.code, text: seen.exec.text };
        c.pause(); seen.paused = c.status; c.unpause();
        c.stop();
        seen.after = c.status; seen.code = c.exit_code;
        c.start(); seen.again = c.exec("cat /proc/1/comm").text;
        c.remove(#{ force: true });
        seen
        "#,
    );
    assert_eq!(
        value,
        serde_json::json!({
            "status": "running", "out": "out b\n1000\n", "err": "err\n", "pid": true,
            "exec": { "code": 3, "text": "in\nb\n/root\n0" }, "quick": [1, 2, 3, 4, 5], "filter": "2", "limit": true,
            "paused": "paused", "after": "exited", "code": 137, "again": "sleep",
        })
    );
    shanty.assert_nothing_left();
}

#[test]
fn health_is_checked_on_another_runtime() {
    let shanty = require!(with_runc());
    let value = shanty.json(
        r#"
        let options = #{ runtime: "runc", network: "none", healthcheck: #{ test: "test -e /tmp/fine", interval: "50ms", retries: 1 } };
        let c = image("busybox:1").run(["sleep", "1000"], options);
        eventually(|| c.health == "unhealthy");
        c.sh("touch /tmp/fine");
        c.wait_for(#{ healthy: true });
        let health = c.health;
        c.remove(#{ force: true });
        health
        "#,
    );
    assert_eq!(value, "healthy");
    shanty.assert_nothing_left();
}

#[test]
fn one_command_runs_on_another_runtime() {
    let shanty = require!(with_runc());
    let code =
        r#"image("busybox:1").exec(["sh", "-c", "cat; exit 4"], #{ runtime: "runc", stdin: "text", check: false })"#;
    let result = shanty.json(&format!("let r = {code}; [r.code, r.stdout]"));
    assert_eq!(result, serde_json::json!([4, "text"]));
    shanty.assert_nothing_left();
}

#[test]
fn a_container_on_another_runtime_is_started_again_with_its_address() {
    let shanty = require!(with_runc());
    let value = shanty.json(
        r#"
        let c = image("busybox:1").run(["sh", "-c", "ip -o -4 address show eth0; sleep 0.2; exit 1"], #{ runtime: "runc", restart: "on-failure:2" });
        let code = c.wait();
        let seen = #{ code: code, restarts: c.restarts, addresses: c.logs().split("\n").filter(|line| line.contains("eth0")).len() };
        c.remove();
        seen
        "#,
    );
    assert_eq!(value, serde_json::json!({ "code": 1, "restarts": 2, "addresses": 3 }));
    shanty.assert_nothing_left();
}

#[test]
fn what_goes_wrong_is_said_in_the_runtimes_words() {
    let shanty = require!(with_runc());
    let missing =
        shanty.eval(r#"image("busybox:1").run("true", #{ runtime: "no-such-runtime" })"#).fails_with("not_found");
    assert!(missing.stderr.contains("no-such-runtime") && missing.stderr.contains("hint"), "{missing}");
    let program = shanty.json(
        r#"let r = (); try { image("busybox:1").run("no-such-program", #{ runtime: "runc" }) } catch (e) { r = [e.kind, e.code, e.message.contains("no-such-program")] } r"#,
    );
    assert_eq!(program, serde_json::json!(["exit", 127, true]));
    let exec = shanty.json(
        r#"
        let c = image("busybox:1").run(["sleep", "1000"], #{ runtime: "runc", network: "none" });
        let r = (); try { c.exec("no-such-program") } catch (e) { r = [e.kind, e.code] }
        c.remove(#{ force: true });
        r
        "#,
    );
    assert_eq!(exec, serde_json::json!(["exit", 127]));
    shanty.assert_nothing_left();
}
