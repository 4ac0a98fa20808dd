//! `events()`: what happened, from all processes in one order.

use crate::support::busybox::with_busybox;
use crate::support::{Shanty, require, wait_for, wait_until};
use serde_json::{Value, json};
use shanty::context::Context;
use shanty::events::{self, Occurrence};
use shanty::model::{Event, EventQuery};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn all(root: &Path) -> Vec<Event> {
    let mut found = Vec::new();
    events::read(&Context::background(), root, &EventQuery::default(), &mut |event| {
        found.push(event);
        Ok(true)
    })
    .unwrap();
    found
}

/// The events of a container, as `action` or `action key=value`.
fn actions(events: &Value) -> Vec<String> {
    let shown = |event: &Value| {
        let text = |key: &str| event["attributes"][key].as_str().map(|value| format!(" {key}={value}"));
        let action = event["action"].as_str().unwrap().to_owned();
        [action, text("signal").unwrap_or_default(), text("exitCode").unwrap_or_default()].concat()
    };
    events.as_array().unwrap().iter().map(shown).collect()
}

#[test]
fn a_containers_life_is_written_down_in_dockers_words() {
    let shanty = require!(with_busybox());
    shanty
        .eval(
            r#"let c = image("busybox:1").run(#{ name: "web", cmd: ["sleep", "1000"], network: "none", labels: #{ app: "shop" }, stop_signal: "KILL" });
               c.exec("true"); c.exec(["sh", "-c", "exit 3"], #{ check: false });
               c.pause(); c.unpause();
               c.kill("HUP"); c.stop(); c.start(); c.kill("KILL"); c.wait(); c.remove();"#,
        )
        .ok();
    let events = shanty.json(r#"events(#{ filter: #{ container: "web" } })"#);
    assert_eq!(
        actions(&events),
        [
            "create",
            "start",
            "exec_create: true",
            "exec_start: true",
            "exec_die exitCode=0",
            "exec_create: sh -c exit 3",
            "exec_start: sh -c exit 3",
            "exec_die exitCode=3",
            "pause",
            "unpause",
            "kill signal=1",
            "kill signal=9",
            "die exitCode=137",
            "stop",
            "start",
            "kill signal=9",
            "die exitCode=137",
            "destroy",
        ]
    );
    let first = &events[0];
    assert_eq!(
        (&first["type"], &first["name"], &first["attributes"]["image"]),
        (&json!("container"), &json!("web"), &json!("busybox:1"))
    );
    assert_eq!(first["attributes"]["app"], "shop");
    assert_eq!(events[2]["attributes"]["execID"], events[4]["attributes"]["execID"]);
    assert_ne!(events[2]["attributes"]["execID"], events[5]["attributes"]["execID"]);
    let numbers = shanty.json("events().map(|e| e.seq)");
    let count = numbers.as_array().unwrap().len();
    assert_eq!(numbers, json!((1..=count).collect::<Vec<_>>()));
    // What a monitor that was killed could not write down, whoever finds the end does.
    let pid = shanty.json(r#"image("busybox:1").run(#{ name: "lost", cmd: ["sleep", "1000"], network: "none" }).pid"#);
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let monitor: i32 = stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(monitor), nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_until(LIMIT, || shanty.json(r#"container("lost").status"#) == "exited");
    let lost = shanty.json(r#"events(#{ filter: #{ container: "lost" } })"#);
    assert_eq!(actions(&lost), ["create", "start", "die exitCode=137"]);
}

#[test]
fn a_restart_is_told_of_behind_the_end_and_the_start() {
    let shanty = require!(with_busybox());
    // The monitor answers before it writes.
    let seen = |name: &str, expected: &[&str]| {
        let read = || actions(&shanty.json(&format!(r#"events(#{{ filter: #{{ container: "{name}" }} }})"#)));
        wait_until(LIMIT, || read().len() >= expected.len());
        assert_eq!(read(), expected);
    };
    let web = r#"#{ name: "web", cmd: ["sleep", "1000"], network: "none", stop_signal: "KILL" }"#;
    shanty.eval(&format!(r#"image("busybox:1").run({web}); container("web").restart()"#)).ok();
    let stop = ["kill signal=9", "die exitCode=137", "stop"];
    let restarted = [&["create", "start"][..], &stop, &["start", "restart"]].concat();
    seen("web", &restarted);
    // One that does not run is started.
    shanty.eval(r#"container("web").stop().restart()"#).ok();
    seen("web", &[&restarted[..], &stop, &["start", "restart"]].concat());
    // What a policy does is not told so.
    shanty.eval(r#"image("busybox:1").run(#{ name: "policy", cmd: ["false"], network: "none", restart: "on-failure:1" }); container("policy").wait()"#).ok();
    seen("policy", &["create", "start", "die exitCode=1", "start", "die exitCode=1"]);
}

#[test]
fn images_and_networks_have_events() {
    let shanty = require!(with_busybox());
    shanty
        .eval(
            r#"image("busybox:1").tag("busybox:2"); image("busybox:1").untag("busybox:2");
               from("busybox:1").env("A", "1").tag("built:1"); image("built:1").remove();
               image("busybox:1").exec("true");"#,
        )
        .ok();
    let id = shanty.json(r#"image("busybox:1").id"#);
    let seen = shanty.json(r#"events(#{ filter: #{ type: "image" } })"#);
    let actions: Vec<_> =
        seen.as_array().unwrap().iter().map(|event| (event["action"].clone(), event["name"].clone())).collect();
    let find = |action: &str| {
        actions.iter().filter(|(found, _)| found == action).map(|(_, name)| name.clone()).collect::<Vec<_>>()
    };
    assert!(find("tag").contains(&json!("busybox:2")) && find("tag").contains(&json!("built:1")), "{actions:?}");
    assert!(find("untag").contains(&id), "{actions:?}");
    assert_eq!(find("delete").len(), 1, "{actions:?}");
    let networks = shanty.json(r#"events(#{ filter: #{ type: "network", event: "create" } })"#);
    assert_eq!(networks.as_array().unwrap().len(), 1);
}

#[test]
fn following_sees_what_other_processes_do_and_ends_when_it_is_told() {
    let shanty = require!(with_busybox());
    let follower = shanty
        .eval(
            r#"print("ready"); events(#{ filter: #{ type: "container", container: "web" } }, |e| { print(e.action); e.action != "destroy" }); print("ended")"#,
        )
        .spawn();
    follower.wait_for_stdout("ready");
    let command = shanty.call(&["events", "--filter", "type=container", "--filter=event=die", "--json"]).spawn();
    // Nothing tells that it follows by now: it is given one to see.
    let seen = wait_for(LIMIT, || {
        shanty.eval(r#"image("busybox:1").run(#{ name: "web", cmd: ["true"], network: "none", replace: true }).wait(); container("web").remove()"#).ok();
        command.stdout().lines().next().map(str::to_owned)
    });
    let event: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(
        (&event["Type"], &event["Action"], &event["Actor"]["Attributes"]["name"]),
        (&json!("container"), &json!("die"), &json!("web"))
    );
    command.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(command.wait(LIMIT).code, 130);
    let output = follower.wait(LIMIT);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert!(lines.ends_with(&["create", "start", "die", "destroy", "ended"]), "{output}");

    // A time that has passed ends it, and so does one that comes.
    shanty.eval(r#"events(#{ since: now() - 1.hours, before: now() }, |e| ()); events(#{ before: now() + 1.seconds }, |e| ()); print("over")"#).prints("over\n");
    let failed = shanty.eval(r#"events(#{ timeout: "100ms" }, |e| ())"#).fails_with("timeout");
    assert!(failed.stderr.contains("timed out") || failed.stderr.contains("within"), "{failed}");
    let text = shanty.call(&["events", "--since", "1h", "--until", "0s", "-f", "event=destroy"]).ok().stdout;
    assert!(text.lines().all(|line| line.contains(" container destroy ") && line.contains("name=web)")), "{text}");
    assert!(!text.is_empty());
}

/// Another process that writes events: this test binary, told by its environment. It does nothing otherwise.
#[test]
fn writer_of_events() {
    let Some(root) = std::env::var_os("SHANTY_TEST_WRITES_EVENTS_TO") else { return };
    let name = std::env::var("SHANTY_TEST_WRITER").unwrap();
    for count in 0..10_000 {
        let occurrence = Occurrence::image("tag", &name, "x").with("count", count).with("padding", "x".repeat(600));
        events::append(Path::new(&root), &[occurrence]).unwrap();
    }
}

fn writer(root: &Path, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "events::writer_of_events", "--nocapture"])
        .env("SHANTY_TEST_WRITES_EVENTS_TO", root)
        .env("SHANTY_TEST_WRITER", name)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn two_processes_write_ten_thousand_events_each_and_a_follower_sees_all_of_them_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut writers = ["a", "b"].map(|name| writer(dir.path(), name));
    // Ten megabytes are exceeded on the way: the follower reads on over the rotation.
    let query = EventQuery { follow: true, since: Some(jiff::Timestamp::UNIX_EPOCH), ..EventQuery::default() };
    let cx = Context::background().with_timeout(Some(LIMIT));
    let mut counts = BTreeMap::new();
    let mut last = (0, 0);
    events::read(&cx, dir.path(), &query, &mut |event| {
        assert_eq!(event.seq, last.0 + 1);
        assert!(event.time_nano >= last.1);
        last = (event.seq, event.time_nano);
        let count: u32 = event.attribute("count").unwrap().parse().unwrap();
        let next = counts.entry(event.actor.id).or_insert(0);
        assert_eq!(count, *next);
        *next += 1;
        Ok(event.seq < 20_000)
    })
    .unwrap();
    assert_eq!(counts, BTreeMap::from([("a".to_owned(), 10_000), ("b".to_owned(), 10_000)]));
    assert!(writers.iter_mut().all(|writer| writer.wait().unwrap().success()));
    assert!(dir.path().join(events::OLD_FILE_NAME).exists());
    let kept = all(dir.path());
    assert!(kept.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
    assert_eq!(kept.last().unwrap().seq, 20_000);
}

#[test]
fn what_a_killed_writer_left_is_repaired_and_numbers_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = 0;
    for round in 0..10 {
        let mut child = writer(dir.path(), "a");
        let path = dir.path().join(events::FILE_NAME);
        let before = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        wait_until(LIMIT, || std::fs::metadata(&path).is_ok_and(|now| now.len() > before + 10_000 * (round % 3 + 1)));
        child.kill().unwrap();
        child.wait().unwrap();
        // As if it had come half way.
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&br#"{"Type":"image","Action":"tag","Actor":{"ID":"torn"#[..(round as usize * 4 + 1)]).unwrap();
        events::append(dir.path(), &[Occurrence::image("delete", "whole", "x")]).unwrap();
        let events = all(dir.path());
        assert!(events.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
        assert_eq!((events[0].seq, events.last().unwrap().action.as_str()), (1, "delete"));
        assert!(events.last().unwrap().seq > expected);
        expected = events.last().unwrap().seq;
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert_eq!(lines as u64, expected, "every line is an event");
    }
}

#[test]
fn an_event_costs_little() {
    let shanty = Shanty::new();
    let occurrence = Occurrence::container("die", &"c0ffee".repeat(11)[..64], "web", "busybox", &BTreeMap::new());
    let started = std::time::Instant::now();
    for _ in 0..1000 {
        events::append(&shanty.root(), std::slice::from_ref(&occurrence)).unwrap();
    }
    let each = started.elapsed() / 1000;
    println!("{each:?} an event");
    // 20 µs on a quiet machine; a sync, or reading more than the end of the file, would be far above.
    assert!(each < Duration::from_millis(1), "{each:?}");
    assert_eq!(all(&shanty.root()).len(), 1000);
}
