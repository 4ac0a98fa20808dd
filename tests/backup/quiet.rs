//! Containers stand still while their volume is read, and go on afterwards.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::wait::wait_until;
use nix::sys::signal::Signal;
use serde_json::json;
use std::io::Read;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn those_with_the_label_are_paused_or_stopped_and_go_on() {
    let shanty = require!(with_busybox());
    let code = r#"
        let run = |name, label| image("busybox:1").run("sleep 1000", #{ name: name, labels: label, volumes: ["data:/d"], network: "none", stop_timeout: 0 });
        run.call("db", "role=db"); run.call("web", "role=web");
        image("busybox:1").run("sleep 1000", #{ name: "other", labels: "role=db", network: "none" });
        // Monitors write events down after they have answered.
        let seen = |since| {
            let seen = [];
            for e in events(#{ filter: #{ type: "container" } }) {
                if e.seq > since && e.action in ["pause", "unpause", "die", "start"] { seen.push(`${e.name} ${e.action}`) }
            }
            seen
        };
        let happened = |options, count| {
            let since = events().pop().seq;
            volume("data").backup("x.tar", options);
            eventually(|| seen.call(since).len() >= count);
            seen.call(since)
        };
        eventually(|| seen.call(0).len() == 3);
        [happened.call(#{}, 0), happened.call(#{ pause: "role=db" }, 2), happened.call(#{ stop: "role=db" }, 2),
         happened.call(#{ stop: "role=db", pause: true }, 4).len(), containers().len()]"#;
    assert_eq!(shanty.json(code), json!([[], ["db pause", "db unpause"], ["db die", "db start"], 4, 3]));
}

#[test]
fn what_was_stopped_is_started_when_the_backup_fails() {
    let shanty = require!(with_busybox());
    let code = r#"
        image("busybox:1").run("sleep 1000", #{ name: "db", volumes: ["data:/d"], network: "none", stop_timeout: 0 });
        image("busybox:1").run("sleep 1000", #{ name: "web", volumes: ["data:/d"], network: "none", stop_timeout: 0 });
        try { volume("data").backup("x.tar", #{ stop: true, exclude: [".."] }); print("made"); } catch (e) { print(e.kind); }
        print(container("db").status + " " + container("web").status);
        let own = image("busybox:1").run("sleep 1000", #{ name: "own", remove: true, volumes: ["own:/d"], network: "none" });
        try { volume("own").backup("x.tar", #{ stop: true }) } catch (e) { print(e.kind) }
        print(own.status + " " + fs::exists("x.tar"));"#;
    shanty.eval(code).prints("invalid\nrunning running\nconflict\nrunning false\n");
}

#[test]
fn a_container_goes_on_when_the_script_is_killed_or_interrupted() {
    let shanty = require!(with_busybox());
    shanty
        .eval(
            r#"image("busybox:1").exec("dd if=/dev/urandom of=/d/big bs=1M count=8", #{ volumes: ["data:/d"], network: "none" });
               image("busybox:1").run("sleep 1000", #{ name: "db", volumes: ["data:/d"], network: "none", stop_timeout: 0 });"#,
        )
        .ok();
    // A script that was killed starts nothing any more: only what it holds goes on.
    let cases =
        [("pause", Signal::SIGKILL, "paused"), ("pause", Signal::SIGINT, "paused"), ("stop", Signal::SIGINT, "exited")];
    for (option, signal, meanwhile) in cases {
        // Nobody reads the pipe for long: it is in the middle of it.
        let code = format!(r#"volume("data").backup("-", #{{ compress: "none", {option}: true }})"#);
        let mut command = shanty.call(&["eval", &code]).into_command();
        let mut child =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
        let status = || shanty.json(r#"container("db").status"#);
        wait_until(LIMIT, || status() == json!(meanwhile));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        let mut rest = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
        assert!(!child.wait().unwrap().success());
        wait_until(LIMIT, || status() == json!("running"));
    }
}
