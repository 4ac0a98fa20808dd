//! The life of containers, from scripts, on the real kernel.

use crate::support::busybox::with_busybox;
use crate::support::require;
use std::time::{Duration, Instant};

#[test]
fn run_returns_once_the_program_runs_and_everything_can_be_asked() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let c = image("busybox:1").run(#{ name: "web", cmd: ["sh", "-c", "echo out; echo err >&2; exec sleep 1000"], network: "none" });
        c.wait_for(#{ log: "err" });
        let seen = #{ status: c.status, pid: c.pid > 0, out: c.logs(#{ stream: "stdout" }), err: c.logs(#{ stream: "stderr" }),
                      names: containers().map(|c| c.name), inside: c.exec("cat /proc/1/comm").text,
                      running: c.inspect().State.Running };
        c.stop(#{ timeout: "0s" });
        seen.after = c.status;
        seen.code = c.exit_code;
        c.remove();
        seen.exists = c.exists;
        seen
        "#,
    );
    assert_eq!(
        value,
        serde_json::json!({
            "status": "running", "pid": true, "out": "out\n", "err": "err\n", "names": ["web"], "inside": "sleep",
            "running": true, "after": "exited", "code": 137, "exists": false,
        })
    );
    shanty.assert_nothing_left();
}

#[test]
fn exit_codes_are_a_shells() {
    let shanty = require!(with_busybox());
    // (command, code)
    let cases = [
        (r#"["true"]"#, 0),
        (r#"["sh", "-c", "exit 3"]"#, 3),
        (r#"["sh", "-c", "kill -TERM $$; sleep 5"]"#, 143),
        (r#"["sh", "-c", "kill -KILL $$; sleep 5"]"#, 137),
    ];
    for (command, code) in cases {
        // The first process of a pid namespace gets no signal it has not asked for: a child is killed.
        let child = format!(
            r#"image("busybox:1").exec(["sh", "-c", "\"$@\"; exit $?", "sh"] + {command}, #{{ check: false }}).code"#
        );
        assert_eq!(shanty.json(&child), code, "{command}");
    }
    for (program, code) in [("no-such-program", 127), ("/etc/not-executable", 126), ("/etc", 126)] {
        let caught = format!(
            r#"let r = (); try {{ image("busybox:1").exec(["{program}"]) }} catch (e) {{ r = #{{ kind: e.kind, code: e.code }} }} r"#
        );
        assert_eq!(shanty.json(&caught), serde_json::json!({ "kind": "exit", "code": code }), "{program}");
        let running = format!(
            r#"let c = image("busybox:1").run(["sleep", "100"], #{{ network: "none" }});
               let code = (); try {{ c.exec(["{program}"]) }} catch (e) {{ code = e.code }} c.remove(#{{ force: true }}); code"#
        );
        assert_eq!(shanty.json(&running), code, "{program} in a running container");
    }
    shanty.assert_nothing_left();
}

#[test]
fn exec_gives_output_apart_and_takes_input_environment_folder_and_user() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let c = image("busybox:1").run(["sleep", "1000"], #{ network: "none", env: #{ BASE: "b" } });
        let script = "cat; echo $BASE $OWN; pwd; id -u; id -g; echo problem >&2; exit 4";
        let r = c.exec(["sh", "-c", script], #{ stdin: "in\n", env: #{ OWN: "o" }, workdir: "/tmp", user: "user", check: false });
        let lines = [];
        c.sh("echo one; echo two", |line| lines.push(line.text));
        c.remove(#{ force: true });
        #{ code: r.code, lines: r.lines, stderr: r.stderr, live: lines }
        "#,
    );
    assert_eq!(
        value,
        serde_json::json!({
            "code": 4, "lines": ["in", "b o", "/tmp", "1000", "1000"], "stderr": "problem\n", "live": ["one", "two"]
        })
    );
    let failed = shanty.eval(r#"image("busybox:1").exec(["sh", "-c", "echo why >&2; exit 9"])"#).fails_with("exit");
    assert!(failed.stderr.contains("why") && failed.stderr.contains('9'), "{failed}");
}

#[test]
fn a_command_with_a_large_output_and_input_loses_nothing() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let text = ""; for i in 0..20 { text += "x"; } for i in 0..16 { text += text; }
        let r = image("busybox:1").exec(["sh", "-c", "cat; head -c 3000000 /dev/zero >&2"], #{ stdin: text });
        [text.len(), r.stdout.len(), r.bytes.len(), r.stdout == text]
        "#,
    );
    let size = 20 * 65536;
    assert_eq!(value, serde_json::json!([size, size, size, true]));
}

#[test]
fn one_of_many_processes_gets_a_name() {
    let shanty = require!(with_busybox());
    let calls: Vec<_> = (0..6)
        .map(|_| {
            shanty
                .eval(r#"let r = "won"; try { image("busybox:1").create(["true"], #{ name: "one" }); } catch (e) { r = e.kind } print(r)"#)
                .spawn()
        })
        .collect();
    let mut results: Vec<_> =
        calls.into_iter().map(|call| call.wait(Duration::from_secs(60)).stdout.trim().to_owned()).collect();
    results.sort();
    assert_eq!(results, ["conflict", "conflict", "conflict", "conflict", "conflict", "won"]);
    assert_eq!(shanty.json("containers(#{ all: true }).len()"), 1);
    assert_eq!(std::fs::read_dir(shanty.root().join("containers")).unwrap().count(), 1, "losers leave no folder");
}

#[test]
fn containers_are_found_by_name_id_and_prefix() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let c = image("busybox:1").create(["true"], #{ name: "finder" });
        [container("finder").id == c.id, container(c.id).name, container(c.id.sub_string(0, 12)).name]
        "#,
    );
    assert_eq!(value, serde_json::json!([true, "finder", "finder"]));
    let missing = shanty.eval(r#"container("findr").status"#).fails_with("not_found");
    assert!(missing.stderr.contains("did you mean `finder`"), "{missing}");
}

#[test]
fn removal_is_refused_while_it_runs_and_forgiving_when_asked() {
    let shanty = require!(with_busybox());
    let running = shanty
        .eval(r#"image("busybox:1").run(["sleep", "1000"], #{ name: "busy", network: "none" }).remove()"#)
        .fails_with("conflict");
    assert!(running.stderr.contains("force"), "{running}");
    shanty.eval(r#"container("busy").remove(#{ force: true }); container("busy").remove(#{ missing_ok: true })"#).ok();
    shanty.eval(r#"container("busy").remove()"#).fails_with("not_found");
    shanty.assert_nothing_left();
}

#[test]
fn what_is_removed_at_its_end_can_still_be_asked_for_code_and_log() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let c = image("busybox:1").run(["sh", "-c", "echo last words; exit 5"], #{ remove: true, network: "none" });
        let code = c.wait();
        eventually(#{ timeout: "20s" }, || !c.exists);
        [code, c.exit_code, c.logs(), containers(#{ all: true }).len()]
        "#,
    );
    assert_eq!(value, serde_json::json!([5, 5, "last words\n", 0]));
    shanty.assert_nothing_left();
}

#[test]
fn a_failed_start_leaves_a_container_only_when_it_was_named() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        try { image("busybox:1").run(["nope"]) } catch {}
        try { image("busybox:1").run(["nope"], #{ name: "kept" }) } catch {}
        containers(#{ all: true }).map(|c| [c.name, c.status])
        "#,
    );
    assert_eq!(value, serde_json::json!([["kept", "created"]]));
    shanty.assert_nothing_left();
}

#[test]
fn replace_takes_the_place_of_a_running_container() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let run = || image("busybox:1").run(["sleep", "1000"], #{ name: "app", replace: true, network: "none" });
        let first = run.call();
        let second = run.call();
        [first.exists, second.status, containers(#{ all: true }).len()]
        "#,
    );
    assert_eq!(value, serde_json::json!([false, "running", 1]));
}

#[test]
fn start_stop_and_restart_keep_the_file_system_and_succeed_when_there_is_nothing_to_do() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let script = "trap 'exit 7' TERM; echo started >> /tmp/count; while :; do sleep 0.05; done";
        let c = image("busybox:1").create(["sh", "-c", script], #{ name: "cycle", network: "none" });
        let states = [c.status];
        c.start(); c.start();
        c.wait_for(#{ exec: ["test", "-e", "/tmp/count"] });
        states.push(c.status);
        c.stop(); c.stop();
        states.push(c.exit_code);
        c.start();
        eventually(#{ timeout: "20s" }, || c.sh("grep -c started /tmp/count").text == "2");
        c.restart();
        eventually(#{ timeout: "20s" }, || c.sh("grep -c started /tmp/count").text == "3");
        states
        "#,
    );
    assert_eq!(value, serde_json::json!(["created", "running", 7]));
}

#[test]
fn waiting_for_a_port_a_line_a_command_or_the_end() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let script = "sleep 0.2; echo ready; touch /tmp/there; nc -l -p 7000 > /dev/null; sleep 0.1; exit 6";
        let c = image("busybox:1").run(["sh", "-c", script], #{ ports: ["127.0.0.1::7000"] });
        c.wait_for(#{ log: "ready" }).wait_for(#{ exec: ["test", "-e", "/tmp/there"] }).wait_for(#{ port: 7000 });
        c.wait_for(#{ exit: true });
        c.exit_code
        "#,
    );
    assert_eq!(value, 6);
    let dies = shanty
        .eval(r#"image("busybox:1").run(["sh", "-c", "echo cannot start >&2; exit 1"], #{ name: "dies" }).wait_for(#{ port: 80 })"#)
        .output();
    assert!(dies.code == 1 && dies.stderr.contains("cannot start"), "the end of the log is shown: {dies}");
    let start = Instant::now();
    shanty
        .eval(
            r#"image("busybox:1").run(["sleep", "1000"], #{ name: "slow" }).wait_for(#{ port: 80, timeout: "300ms" })"#,
        )
        .fails_with("timeout");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn logs_are_chosen_and_followed_to_the_end() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let c = image("busybox:1").run(["sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.1; done; printf rest"], #{ network: "none" });
        let seen = [];
        c.follow(|line| seen.push(line.text));
        [seen, c.logs(#{ tail: 2 }), c.logs(#{ timestamps: true }).len() > 60]
        "#,
    );
    assert_eq!(value, serde_json::json!([["line 1", "line 2", "line 3", "rest"], "line 3\nrest\n", true]));
}

#[test]
fn a_scope_takes_everything_along_also_after_an_error() {
    let shanty = require!(with_busybox());
    let output = shanty
        .eval(
            r#"
            scope(|| {
                image("busybox:1").run(["sleep", "1000"], #{ name: "one", network: "none" });
                parallel([|| image("busybox:1").run(["sleep", "1000"], #{ name: "two", network: "none" })]);
                keep(image("busybox:1").run(["sleep", "1000"], #{ name: "kept", network: "none" }));
                throw "broken";
            })
            "#,
        )
        .exits(1);
    assert!(output.stderr.contains("broken"), "{output}");
    assert_eq!(
        shanty.json("containers(#{ all: true }).map(|c| [c.name, c.status])"),
        serde_json::json!([["kept", "running"]])
    );
}

#[test]
fn containers_outlive_a_script_without_a_scope() {
    let shanty = require!(with_busybox());
    shanty.eval(r#"image("busybox:1").run(["sleep", "1000"], #{ name: "stays", network: "none" })"#).ok();
    assert_eq!(shanty.json(r#"container("stays").exec("echo here").text"#), "here");
}

#[test]
fn options_reach_the_process() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let run = |options| image("busybox:1").exec(["sh", "-c", "id -u; id -G; hostname; pwd; echo $A; ulimit -n; cat /etc/hosts"], options).lines;
        run.call(#{ user: "user", group_add: ["2000"], hostname: "box", workdir: "/made/here", env: ["A=1"], ulimits: ["nofile=512:1024"],
                    extra_hosts: ["db:10.1.2.3"] })
        "#,
    );
    let lines: Vec<&str> = value.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(lines[..6], ["1000", "1000 2000", "box", "/made/here", "1", "512"]);
    assert!(lines.iter().any(|line| line.split_whitespace().eq(["10.1.2.3", "db"])), "{lines:?}");
}

#[test]
fn bind_mounts_show_the_hosts_files_and_a_missing_source_is_an_error() {
    let shanty = require!(with_busybox());
    shanty.write("data/file", "from the host");
    let value = shanty.json(
        r#"
        let r = image("busybox:1").exec(["sh", "-c", "cat /data/file; echo new > /data/made; touch /ro/x 2>/dev/null || echo read-only"],
            #{ volumes: ["./data:/data", "./data:/ro:ro"] });
        r.text
        "#,
    );
    assert_eq!(value, "from the hostread-only");
    assert_eq!(std::fs::read_to_string(shanty.work().join("data/made")).unwrap(), "new\n");
    let missing = shanty.eval(r#"image("busybox:1").exec(["true"], #{ volumes: ["./dta:/data"] })"#).output();
    assert!(missing.code == 1 && missing.stderr.contains("create: true"), "{missing}");
    shanty.assert_nothing_left();
}

#[test]
fn images_are_not_removed_while_a_container_needs_them() {
    let shanty = require!(with_busybox());
    shanty.eval(r#"image("busybox:1").create(["true"], #{ name: "user" })"#).ok();
    let used = shanty.eval(r#"image("busybox:1").remove()"#).fails_with("conflict");
    assert!(used.stderr.contains("`user`"), "{used}");
    shanty.eval(r#"container("user").remove(); image("busybox:1").remove()"#).ok();
    assert_eq!(shanty.json("images().len()"), 0);
}

#[test]
fn the_quickstart_of_the_readme_says_what_it_does_and_leaves_nothing() {
    let shanty = require!(with_busybox());
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart.rhai");
    let output = shanty.run_file(file).limit(Duration::from_secs(120)).ok();
    for said in ["Hello from a container, you asked for /greeting", "uid=0", "GET /greeting", "Removed everything"] {
        assert!(output.stdout.contains(said), "{said}: {output}");
    }
    let of_steps = output.stderr.lines().all(|line| line.is_empty() || line.starts_with('#'));
    assert!(of_steps, "no progress where nobody watches, but the steps of the build as lines: {output}");
    assert_eq!(shanty.json("[containers(#{ all: true }).len(), images().len()]"), serde_json::json!([0, 1]));
    shanty.assert_nothing_left();
}

#[test]
fn following_and_waiting_end_when_a_container_removes_itself() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let lines = [];
        for i in 0..5 {
            let c = image("busybox:1").run("seq 2", #{ remove: true, name: "same", network: "none" });
            c.follow(|line| lines.push(line.text));
            c.wait();
        }
        let c = image("busybox:1").run(["sh", "-c", "echo bye; exit 4"], #{ remove: true, network: "none" });
        let caught = ();
        try { c.wait_for(#{ log: "never", timeout: "30s" }) } catch (e) { caught = [e.kind, e.code] }
        [lines.len(), caught]
        "#,
    );
    assert_eq!(value, serde_json::json!([10, ["exit", 4]]));
    shanty.assert_nothing_left();
}

#[test]
fn a_timeout_at_any_moment_of_a_start_leaves_nothing_running() {
    let shanty = require!(with_busybox());
    let start = Instant::now();
    let value = shanty.json(
        r#"
        for i in 1..25 {
            try { timeout(`${i}ms`, || image("busybox:1").exec(["sleep", "60"], #{ network: "none" })) } catch {}
        }
        containers(#{ all: true }).len()
        "#,
    );
    assert!(start.elapsed() < Duration::from_secs(50), "no start was waited for: {:?}", start.elapsed());
    assert_eq!(value, 0);
    shanty.assert_nothing_left();
}

#[test]
fn what_cannot_start_is_said_before_the_kernel_does() {
    let shanty = require!(with_busybox());
    let empty = shanty.eval(r#"from("scratch").label("a", "b").tag("empty:1").exec(["x"])"#).fails_with("invalid");
    assert!(empty.stderr.contains("empty"), "{empty}");
    let small = shanty.eval(r#"image("busybox:1").exec(["true"], #{ memory: "1k" })"#).fails_with("invalid");
    assert!(small.stderr.contains("6m"), "{small}");
    let other = shanty.eval(r#"image("busybox:1").exec(["true"], #{ platform: "linux/s390x", pull: "never" })"#);
    other.fails_with("not_found");
}
