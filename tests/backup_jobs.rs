//! Backups as jobs: `std/backup`, `shanty backup`, and volumes that go to every kind of place.

use crate::support::busybox::with_busybox;
use crate::support::elsewhere::{Line, S3, Ssh};
use crate::support::fixtures::Missing;
use crate::support::{Shanty, program, require, wait_until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A root with the volume `data`, and a folder `there`.
fn with_data() -> Shanty {
    let shanty = Shanty::new();
    fs::create_dir(shanty.work().join("there")).unwrap();
    let code = r#"fs::write(create_volume("data").path + "/file", "content");
        fs::write(create_volume("other").path + "/file", "other content");"#;
    shanty.eval(code).ok();
    shanty
}

/// Runs a job with the names that it needs; gives what it gives.
fn job(shanty: &Shanty, code: &str) -> Value {
    shanty.json(&format!(r#"import "std/backup" as backup; {code}"#))
}

fn names(shanty: &Shanty) -> Vec<String> {
    let entries = fs::read_dir(shanty.work().join("there")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_volume_goes_to_every_place_and_comes_back() {
    let (server, host, keygen) = require!(S3::start(), Ssh::start(), program("age-keygen"));
    let shanty = with_data();
    let key = Command::new(&keygen).args(["-o", "key"]).current_dir(shanty.work()).output().unwrap();
    shanty.owns(&shanty.work().join("key"));
    let public = String::from_utf8(key.stderr).unwrap();
    let public = public.trim().rsplit(' ').next().unwrap();
    let (s3, ssh) = (server.options(server.port), host.options());
    for (place, access) in
        [("there".to_owned(), String::new()), ("s3://backups/a%20b".to_owned(), s3), (host.url(host.port), ssh)]
    {
        for (name, encrypt, decrypt) in [
            ("data.tar", "", ""),
            ("data.tar.gz.age", &*format!("recipients: [\"{public}\"]"), "identity: \"key\""),
            ("data.tar.zst.age", "passphrase: \"secret\"", "passphrase: \"secret\""),
        ] {
            let code = format!(
                r#"let access = #{{ {access} }};
                   let made = volume("data").backup("{place}/{name}", access + #{{ {encrypt} }});
                   volume("copy").restore("{place}/{name}", access + #{{ {decrypt} }});
                   let text = fs::read(volume("copy").path + "/file");
                   volume("copy").remove();
                   [made.entries > 0, text]"#
            );
            assert_eq!(shanty.json(&code), json!([true, "content"]), "{place}/{name}");
        }
        let code = format!(
            r#"let access = #{{ {access} }};
               let result = ();
               try {{ volume("copy").restore("{place}/data.tar.gz.age", access) }} catch (e) {{ result = e.kind }}
               [result, volume("copy").exists]"#
        );
        assert_eq!(shanty.json(&code), json!(["unauthorized", false]), "{place}");
    }
}

#[test]
fn a_backup_whose_script_is_killed_is_not_there() {
    let (server, host) = require!(S3::start(), Ssh::start());
    let shanty = with_data();
    let path = shanty.json(r#"volume("data").path"#);
    let mut noise = vec![0; 24 << 20];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    fs::write(format!("{}/noise", path.as_str().unwrap()), noise).unwrap();
    let (to_s3, to_ssh) = (Line::stalling(server.port, 9 << 20), Line::stalling(host.port, 9 << 20));
    for (direct, slow) in [
        (
            format!(r#"location("s3://backups", #{{ {} }})"#, server.options(server.port)),
            format!(r#"volume("data").backup("s3://backups/x.tar", #{{ {} }})"#, server.options(to_s3.port)),
        ),
        (
            format!(r#"location("{}", #{{ {} }})"#, host.url(host.port), host.options()),
            format!(r#"volume("data").backup("{}/x.tar", #{{ {} }})"#, host.url(to_ssh.port), host.options()),
        ),
    ] {
        let running = shanty.eval(&slow).spawn();
        // It has begun, and cannot end.
        wait_until(Duration::from_secs(30), || {
            if slow.contains("s3://") {
                server.unfinished() > 0
            } else {
                fs::read_dir(host.folder()).unwrap().count() > 0
            }
        });
        running.signal(Signal::SIGKILL);
        running.wait(Duration::from_secs(10));
        assert_eq!(shanty.json(&format!("{direct}.list().len()")), json!(0), "{slow}");
    }
}

#[test]
fn a_job_backs_up_reports_and_keeps_what_it_should() {
    let shanty = with_data();
    // What is there already: of this job, of another one, and of nobody.
    for name in [
        "data-2001-01-01T00-00-00-000Z.tar.zst",
        "data-2001-01-02T00-00-00-000Z.tar.zst",
        "data-2001-01-03T00-00-00-000Z.tar.zst",
        "web-data-2001-01-01T00-00-00-000Z.tar.zst",
        "data-2001-01-01.tar.zst",
        "data-2001-01-01T00-00-00-000Z.tar",
        "notes.txt",
    ] {
        fs::write(shanty.work().join("there").join(name), "x").unwrap();
    }
    fs::write(shanty.work().join("there/data-2999-01-01T00-00-00-000Z.tar.zst"), "").unwrap();
    let report = job(
        &shanty,
        r#"let heard = [];
           let report = backup::run(#{ volumes: ["data", volume("other")], to: "there/", keep: #{ last: 2 }, exclude: "*.tmp",
               before: || heard.push("before"), after: |report| heard.push(report.ok) });
           [report, heard]"#,
    );
    let (report, heard) = (&report[0], &report[1]);
    assert_eq!(*heard, json!(["before", true]));
    assert_eq!((&report["ok"], &report["errors"], &report["stopped"]), (&json!(true), &json!([]), &json!([])));
    let removed = json!(["data-2001-01-02T00-00-00-000Z.tar.zst", "data-2001-01-01T00-00-00-000Z.tar.zst"]);
    assert_eq!(report["removed"], removed);
    let made: Vec<_> = report["backups"].as_array().unwrap().iter().map(|one| &one["volume"]).collect();
    assert_eq!(made, ["data", "other"]);
    assert_eq!(names(&shanty).len(), 8 - 2 + 2);
    let file = report["backups"][1]["name"].as_str().unwrap();
    shanty
        .eval(&format!(r#"volume("copy").restore("there/{file}"); print(fs::read(volume("copy").path + "/file"))"#))
        .prints("other content\n");
    let listed = job(&shanty, r#"backup::list("there").map(|one| one.volume)"#);
    assert_eq!(listed, json!([report["backups"][1]["volume"], report["backups"][0]["volume"], "data", "web-data"]));
}

#[test]
fn old_backups_go_by_count_and_by_age_and_the_newest_stays() {
    let shanty = with_data();
    let code = r#"
        let stamp = |days| {
            let text = (now() - duration(`${days * 24}h`)).utc.sub_string(0, 19);
            text.replace(":", "-");
            text + "-000Z"
        };
        let fill = |days| for number in days { fs::write(`there/db_${stamp.call(number)}.tar.gz.age`, "x") };
        let name = #{ name: "{volume}_{time}.tar.gz" };
        let left = || backup::list("there", name).len();
        fill.call([400, 40, 31, 29, 10, 1]);
        let result = [];
        result.push(backup::prune("there", #{ days: 30 }, name + #{ dry_run: true }).len());
        result.push(left.call());
        backup::prune("there", #{ days: 30, last: 4 }, name);
        result.push(left.call());
        backup::prune("there", #{ days: 30 }, name);
        result.push(left.call());
        backup::prune("there", #{ last: 2 }, name + #{ volumes: ["other"] });
        result.push(left.call());
        backup::prune("there", #{ last: 2 }, name);
        result.push(left.call());
        for file in fs::list("there") { fs::remove("there/" + file) }
        fill.call([400, 300]);
        backup::prune("there", #{ days: 1 }, name);
        result.push(left.call());
        for wrong in [#{ last: 0 }, #{ days: -1 }, #{}, #{ weeks: 1 }, #{ last: "1" }] {
            assert_throws("invalid", || backup::prune("there", wrong, name));
        }
        result"#;
    assert_eq!(job(&shanty, code), json!([3, 6, 4, 3, 3, 2, 1]));
}

#[test]
fn a_job_that_fails_removes_nothing_and_tells_everybody() {
    let shanty = with_data();
    let old = "data-2001-01-01T00-00-00-000Z.tar.zst";
    let older = "data-2000-01-01T00-00-00-000Z.tar.zst";
    for name in [old, older] {
        fs::write(shanty.work().join("there").join(name), "x").unwrap();
    }
    let (url, told) = webhook();
    let code = format!(
        r#"let heard = ();
           let thrown = ();
           try {{
               backup::run(#{{ volumes: ["missing", "data"], to: "there", keep: #{{ last: 1 }}, notify: "{url}",
                   after: |report| heard = report.ok }})
           }} catch (e) {{ thrown = e }}
           [thrown.kind, thrown.message, thrown.report.backups.len(), thrown.report.removed, heard]"#
    );
    let failed = job(&shanty, &code);
    assert_eq!(failed[0], "not_found");
    assert!(failed[1].as_str().unwrap().starts_with("backing up missing: "), "{failed}");
    assert_eq!((&failed[2], &failed[3], &failed[4]), (&json!(1), &json!([]), &json!(false)));
    assert_eq!(names(&shanty).len(), 3, "the other volume is backed up all the same, and the old ones stay");
    let told = told.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(told["text"].as_str().unwrap().contains("has failed: backing up missing"), "{told}");
    assert_eq!(told["report"]["ok"], false);
    // A hook that fails before: nothing is done.
    let code = r#"let kind = "";
        try { backup::run(#{ volumes: "data", to: "there", before: || throw "no" }) } catch (e) { kind = e.message }
        kind"#;
    assert_eq!(job(&shanty, code), json!("preparing: no"));
    assert_eq!(names(&shanty).len(), 3);
    for wrong in [
        "volumes: \"data\"",
        "to: \"there\"",
        "to: \"there\", volumes: \"data\", name: \"x.tar\"",
        "to: \"there\", volumes: [\"data\", \"other\"], name: \"{time}.tar\"",
        "to: \"there\", volumes: \"data\", keeps: 1",
        "to: \"there\", volumes: \"data\", keep: #{ last: 0 }",
        "to: \"there\", volumes: \"data\", encrypt: \"x\"",
    ] {
        shanty.eval(&format!(r#"import "std/backup" as backup; backup::run(#{{ {wrong} }})"#)).fails_with("invalid");
    }
    assert_eq!(names(&shanty).len(), 3);
}

/// A server that gives on what it is sent; its URL.
fn webhook() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
            let body = loop {
                let length = client.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..length]);
                let text = String::from_utf8_lossy(&request);
                let Some((_, body)) = text.split_once("\r\n\r\n") else { continue };
                if let Ok(value) = serde_json::from_str::<Value>(body) {
                    break value;
                }
            };
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            sender.send(body).unwrap();
        }
    });
    (url, receiver)
}

#[test]
fn notices_go_where_they_should_and_one_that_fails_fails_no_backup() {
    let shanty = with_data();
    let (url, told) = webhook();
    let code = format!(
        r#"let job = |notify| backup::run(#{{ volumes: "data", to: "there", notify: notify }});
           job.call(#{{ url: "{url}", on: "failure" }});
           job.call(#{{ url: "{url}", on: "success" }});
           job.call("http://127.0.0.1:1/").warnings.len()"#
    );
    assert_eq!(job(&shanty, &code), json!(1));
    let first = told.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(first["report"]["ok"], true);
    assert!(told.try_recv().is_err(), "nothing failed");
}

#[test]
fn two_jobs_do_not_run_at_once_unless_they_are_told_to() {
    let shanty = with_data();
    let code = r#"
        let result = [];
        let options = #{ volumes: "data", to: "there" };
        let inner = ();
        backup::run(options + #{ before: || { try { backup::run(options) } catch (e) { inner = e.kind } } });
        result.push(inner);
        backup::run(options + #{ before: || { inner = backup::run(options + #{ lock: false }).ok } });
        result.push(inner);
        backup::run(options + #{ before: || { inner = backup::run(options + #{ lock: "own.lock" }).ok } });
        result.push(inner);
        result.push(backup::list("there").len());
        result"#;
    assert_eq!(job(&shanty, code), json!(["busy", true, true, 5]));
}

#[test]
fn labelled_containers_stand_still_meanwhile_and_run_again_also_after_a_failure() {
    let shanty = require!(with_busybox());
    fs::create_dir(shanty.work().join("there")).unwrap();
    let code = r#"
        let run = |name, label, options| image("busybox:1").run(["sleep", "600"], options + #{ name: name, init: true,
            network: "none", labels: #{ backup: label } });
        run.call("db", "stop", #{ volumes: ["data:/d"] });
        run.call("worker", "stop", #{});
        run.call("web", "no", #{ volumes: ["data:/d"] });
        let status = || ["db", "worker", "web"].map(|name| container(name).status);
        let starts = || ["db", "worker", "web"].map(|name| container(name).started);
        let result = [];
        let before = starts.call();
        // A hook of the place itself: what is seen while the volume is read.
        let report = backup::run(#{ volumes: "data", to: "there", stop: "backup=stop" });
        report.stopped.sort();
        result.push(report.stopped);
        result.push(status.call());
        let after = starts.call();
        result.push([before[0] != after[0], before[1] != after[1], before[2] != after[2]]);
        let report = backup::run(#{ volumes: "data", to: "there", stop: true });
        report.stopped.sort();
        result.push(report.stopped);
        try { backup::run(#{ volumes: "data", to: "there/nowhere", stop: "backup=stop" }) } catch (e) { result.push(e.kind) }
        result.push(status.call());
        result.push(backup::run(#{ volumes: "data", to: "there", pause: true }).ok);
        result.push(status.call());
        run.call("short", "stop", #{ remove: true });
        try { backup::run(#{ volumes: "data", to: "there", stop: "backup=stop" }) } catch (e) { result.push(e.kind) }
        result.push(status.call());
        result"#;
    let running = json!(["running", "running", "running"]);
    let expected = json!([
        ["db", "worker"],
        running,
        [true, true, false],
        ["db", "web"],
        "not_found",
        running,
        true,
        running,
        "conflict",
        running
    ]);
    assert_eq!(job(&shanty, code), expected);
    shanty.eval("for c in containers(#{ all: true }) { c.remove(#{ force: true }) }").ok();
    shanty.assert_nothing_left();
}

/// A root with a container that a job stops, and the code of a job that never ends: nothing answers where it goes.
fn with_a_job_that_hangs(silent: &TcpListener) -> Result<(Shanty, String), Missing> {
    let shanty = with_busybox()?;
    fs::create_dir(shanty.work().join("there")).unwrap();
    let code = r#"image("busybox:1").run(["sleep", "600"], #{ name: "db", init: true, network: "none",
        volumes: ["data:/d"], labels: #{ backup: "stop" } })"#;
    shanty.eval(code).ok();
    let job = format!(
        r#"import "std/backup" as backup; backup::run(#{{ volumes: "data", to: "s3://backups", stop: "backup=stop",
            endpoint: "http://{}", access_key: "a", secret_key: "b" }})"#,
        silent.local_addr().unwrap()
    );
    Ok((shanty, job))
}

fn wait_for_status(shanty: &Shanty, expected: &str) {
    wait_until(Duration::from_secs(30), || shanty.json(r#"container("db").status"#) == json!(expected));
}

#[test]
fn a_job_that_is_interrupted_starts_what_it_has_stopped() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (shanty, job) = require!(with_a_job_that_hangs(&silent));
    let running = shanty.eval(&job).spawn();
    wait_for_status(&shanty, "exited");
    running.signal(Signal::SIGINT);
    assert_eq!(running.wait(Duration::from_secs(30)).code, 130);
    assert_eq!(shanty.json(r#"container("db").status"#), json!("running"));
    assert!(!shanty.root().join("backup.lock.stopped").exists());
    // The same with a deadline.
    shanty.eval(&format!("timeout(\"2s\", || {{ {job} }})")).fails_with("timeout");
    assert_eq!(shanty.json(r#"container("db").status"#), json!("running"));
    shanty.eval(r#"container("db").remove(#{ force: true })"#).ok();
}

#[test]
fn the_job_after_one_that_was_killed_starts_what_that_has_stopped() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (shanty, hanging) = require!(with_a_job_that_hangs(&silent));
    let running = shanty.eval(&hanging).spawn();
    wait_for_status(&shanty, "exited");
    running.signal(Signal::SIGKILL);
    running.wait(Duration::from_secs(10));
    assert_eq!(shanty.json(r#"container("db").status"#), json!("exited"));
    let report = job(&shanty, r#"backup::run(#{ volumes: "data", to: "there" })"#);
    assert_eq!(report["warnings"], json!(["a job before was killed: db runs again"]));
    assert_eq!(shanty.json(r#"container("db").status"#), json!("running"));
    let report = job(&shanty, r#"backup::run(#{ volumes: "data", to: "there", stop: true })"#);
    assert_eq!((&report["warnings"], &report["stopped"]), (&json!([]), &json!(["db"])));
    shanty.eval(r#"container("db").remove(#{ force: true })"#).ok();
}

#[test]
fn the_command_backs_up_lists_prunes_and_restores() {
    let shanty = with_data();
    let backup = |args: &[&str]| shanty.call(&[&["backup"], args].concat());
    backup(&[]).exits(1);
    backup(&["data"]).exits(1);
    assert!(backup(&["--help"]).ok().stdout.contains("--keep-last N"));
    for _ in 0..3 {
        backup(&["data", "other", "--to", "there", "--keep-last=2"]).env("BACKUP_PASSPHRASE", "secret").ok();
    }
    let listed = backup(&["--to", "there", "--list"]).ok().stdout;
    assert_eq!(listed.lines().count(), 4);
    let newest = listed.lines().find(|line| line.contains("\tdata\t")).unwrap().split('\t').next().unwrap();
    assert!(newest.ends_with(".tar.zst.age"), "{newest}");
    backup(&["data", "--to", "there", "--restore", newest, "--replace"]).exits(1);
    backup(&["copy", "--to", "there", "--restore", newest]).env("BACKUP_PASSPHRASE", "secret").ok();
    shanty.eval(r#"print(fs::read(volume("copy").path + "/file"))"#).prints("content\n");
    let removed = backup(&["other", "--to", "there", "--prune", "--keep-last", "1"]).ok().stdout;
    assert!(removed.starts_with("removed other-") && removed.lines().count() == 1, "{removed}");
    backup(&["data", "--to", "there", "--keep-last", "x"]).exits(1);
}
