//! Logs: files that are turned, readers beside the writer, fast containers, full disks.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::{wait_for, wait_until};
use serde_json::json;
use shanty::container::logs;
use shanty::context::Context;
use shanty::model::{LogOptions, LogSpec};
use shanty::monitor::log::{Log, Pending};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// The files of the log of the root's only container, the newest first.
fn files(shanty: &Shanty) -> Vec<PathBuf> {
    let folder = shanty.root().join("containers");
    let containers: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(containers.len(), 1);
    let path = containers[0].join("container.log");
    let older = (1..).map(|number| PathBuf::from(format!("{}.{number}", path.display())));
    std::iter::once(path.clone()).chain(older).take_while(|path| path.exists()).collect()
}

fn lines(path: &Path, options: &LogOptions) -> Vec<String> {
    let mut lines = Vec::new();
    logs::read(&Context::background(), path, options, &mut || Ok(true), &mut |line| {
        lines.push(String::from_utf8(line.text).unwrap());
        Ok(true)
    })
    .unwrap();
    lines
}

/// What is read is what was written, whatever the reader finds at the moment of its look.
#[test]
fn readers_beside_a_writer_that_turns_its_files_lose_and_double_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("container.log");
    let count = 30_000usize;
    let spec = LogSpec { max_size: 4000, max_files: 4, ..LogSpec::default() };
    Log::open(dir.path(), spec).unwrap();
    let done = AtomicBool::new(false);
    // How far the follower has come: the writer keeps near it, so that no file goes before it was seen.
    let followed = std::sync::atomic::AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stdout, mut stderr) = (Pending::new("stdout"), Pending::new("stderr"));
            let mut log = Log::open(dir.path(), spec).unwrap();
            for line in 0..count {
                if line % 5000 == 2500 {
                    log = Log::open(dir.path(), spec).unwrap();
                }
                while line > followed.load(Ordering::Acquire) + 60 {
                    assert!(started.elapsed() < LIMIT, "the follower is lost at {line}");
                    std::thread::yield_now();
                }
                let pending = if line % 3 == 0 { &mut stderr } else { &mut stdout };
                log.output(pending, format!("{line}\n").as_bytes());
            }
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            // Any moment gives lines in a row, and a tail is as long as was asked for.
            while !done.load(Ordering::Acquire) {
                for tail in [None, Some(1), Some(50), Some(100_000)] {
                    let found = lines(&path, &LogOptions { tail, ..LogOptions::default() });
                    let numbers: Vec<usize> = found.iter().map(|line| line.parse().unwrap()).collect();
                    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
                    assert!(numbers.len() <= tail.unwrap_or(usize::MAX));
                    if numbers.last().is_some_and(|last| *last > 200) && tail.is_some_and(|tail| tail <= 50) {
                        assert_eq!(numbers.len(), tail.unwrap());
                    }
                }
            }
        });
        let mut next = 0;
        let options = LogOptions { follow: true, ..LogOptions::default() };
        let mut ended = || Ok(done.load(Ordering::Acquire));
        logs::read(&Context::background(), &path, &options, &mut ended, &mut |line| {
            assert_eq!(line.text, next.to_string().as_bytes());
            next += 1;
            followed.store(next, Ordering::Release);
            Ok(true)
        })
        .unwrap();
        assert_eq!(next, count);
    });
}

#[test]
fn a_tail_over_files_and_streams_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("container.log");
    let spec = LogSpec { max_size: 30_000, max_files: 50, ..LogSpec::default() };
    let mut log = Log::open(dir.path(), spec).unwrap();
    let (mut stdout, mut stderr) = (Pending::new("stdout"), Pending::new("stderr"));
    let mut expected = Vec::new();
    for number in 0..40 {
        // A long line of one stream around many of the other, over several files.
        log.output(&mut stdout, &vec![b'a' + number % 26; 50_000]);
        for line in 0..number {
            log.output(&mut stderr, format!("{number} {line}\n").as_bytes());
            expected.push(format!("{number} {line}"));
        }
        log.output(&mut stdout, format!("end {number}\n").as_bytes());
        expected.push(format!("{}end {number}", char::from(b'a' + number % 26).to_string().repeat(50_000)));
    }
    for tail in (0..30).chain([100, 300]) {
        let found = lines(&path, &LogOptions { tail: Some(tail), ..LogOptions::default() });
        assert!(found[..] == expected[expected.len() - tail..], "{tail}: {}", found.len());
    }
    let only = LogOptions { tail: Some(3), stream: Some(shanty::model::Stream::Stderr), ..LogOptions::default() };
    assert_eq!(lines(&path, &only), ["39 36", "39 37", "39 38"]);
}

#[test]
fn logs_are_turned_and_read_over_their_files() {
    let shanty = require!(with_busybox());
    let script = r#"
        let c = image("busybox:1").run(["sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; read x"],
            #{ name: "turning", stdin: true, network: "none", log: #{ max_size: "20k", max_file: 4 } });
        c.wait_for(#{ log: "line 1999" });
        let all = c.logs().split("\n");
        let followed = [];
        c.follow(#{ tail: 500 }, |line| { followed.push(line.text); followed.len() < 500 });
        #{ all: all, followed: followed, tail: c.logs(#{ tail: 700 }).split("\n").len(), config: c.inspect().HostConfig.LogConfig }"#;
    let seen = shanty.json(script);
    let files = files(&shanty);
    assert_eq!(files.len(), 4);
    let sizes: Vec<u64> = files.iter().map(|path| path.metadata().unwrap().len()).collect();
    assert!(sizes[1..].iter().all(|size| (20_480..20_700).contains(size)) && sizes[0] < 20_700, "{sizes:?}");
    // What is kept are the last lines, in order and without a gap.
    let all = seen["all"].as_array().unwrap();
    let (kept, rest) = all.split_at(all.len() - 1);
    assert_eq!(rest, [json!("")]);
    assert!((800..1200).contains(&kept.len()), "{}", kept.len());
    let expected: Vec<_> = (2000 - kept.len()..2000).map(|number| json!(format!("line {number}"))).collect();
    assert_eq!(kept, expected);
    assert_eq!(seen["followed"], json!(expected[expected.len() - 500..]));
    assert_eq!(seen["tail"], 701);
    assert_eq!(seen["config"], json!({ "Type": "json-file", "Config": { "max-file": "4", "max-size": "20KiB" } }));
    shanty.eval(r#"container("turning").remove(#{ force: true })"#).ok();
    assert!(files.iter().all(|path| !path.exists()));
}

#[test]
fn what_is_kept_of_a_removed_container_comes_from_all_its_files() {
    let shanty = require!(with_busybox());
    let script = r#"
        let c = image("busybox:1").run(["seq", "1000"], #{ remove: true, network: "none", log: #{ max_size: "1k", max_file: 5 } });
        c.wait(); c.logs()"#;
    let text = shanty.json(script);
    let numbers: Vec<u32> = text.as_str().unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.len() > 40 && numbers.last() == Some(&1000), "{numbers:?}");
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
}

#[test]
fn a_container_without_a_log_says_so() {
    let shanty = require!(with_busybox());
    let script = r#"
        let c = image("busybox:1").run("echo unseen", #{ network: "none", log: "none" });
        c.wait();
        let caught = ();
        try { c.logs() } catch (e) { caught = e.kind }
        [caught, c.inspect().HostConfig.LogConfig.Type, c.inspect().LogPath]"#;
    assert_eq!(shanty.json(script), json!(["unsupported", "none", ""]));
    assert!(files(&shanty).iter().all(|path| !path.exists()));
}

/// Anonymous memory of the monitor of a container, in KiB.
fn memory_of_monitor(pid: i64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim();
    let rollup = std::fs::read_to_string(format!("/proc/{parent}/smaps_rollup")).unwrap();
    let anonymous = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    anonymous.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[test]
fn a_container_that_writes_as_fast_as_it_can_loses_nothing_and_is_still_answered() {
    let shanty = require!(with_busybox());
    // Numbered lines of 100 bytes, written in large pieces, until it is stopped.
    let program = r#"awk 'BEGIN { pad = sprintf("%92s", ""); gsub(" ", "x", pad); for (i = 1; ; i++) printf "%07d%s\n", i, pad }'"#;
    let start = format!(
        r#"let c = image("busybox:1").run(["sh", "-c", `exec {program}`], #{{ name: "fast", network: "none", init: true, log: #{{ max_size: "1m" }} }}); c.pid"#
    );
    let pid = shanty.json(&start).as_i64().unwrap();
    wait_for(LIMIT, || (files(&shanty).len() == 3).then_some(()));
    // In the middle of it.
    assert_eq!(shanty.json(r#"container("fast").exec("echo hello").text"#), "hello");
    let busy = memory_of_monitor(pid);
    assert!(busy < 700, "{busy} KiB");
    let stopped = shanty.json(r#"let c = container("fast"); c.stop(#{ timeout: "20s" }); c.logs()"#);
    let text = stopped.as_str().unwrap();
    let numbers: Vec<u64> = text.lines().map(|line| line.get(..7).unwrap_or(line).parse().unwrap()).collect();
    assert!(numbers.len() > 5000 && numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert!(text.lines().rev().skip(1).all(|line| line.len() == 99), "whole lines");
}

#[test]
fn memory_that_fast_output_needed_is_given_back() {
    let shanty = require!(with_busybox());
    let script = r#"let c = image("busybox:1").run(["sh", "-c", "read x; seq 300000; echo done; read x"], #{ name: "burst", network: "none", stdin: true }); c.pid"#;
    let pid = shanty.json(script).as_i64().unwrap();
    // The monitor has settled: what its start needed was given back.
    let mut before = memory_of_monitor(pid);
    wait_until(LIMIT, || {
        let now = memory_of_monitor(pid);
        let is_settled = now <= before;
        before = now;
        is_settled
    });
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let monitor = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned();
    // The other end of the program's input is the monitor's.
    let input = std::fs::read_link(format!("/proc/{pid}/fd/0")).unwrap();
    let descriptors = std::fs::read_dir(format!("/proc/{monitor}/fd")).unwrap();
    let writer = descriptors
        .map(|entry| entry.unwrap().path())
        .find(|path| std::fs::read_link(path).is_ok_and(|link| link == input))
        .unwrap();
    std::fs::write(writer, "go\n").unwrap();
    shanty.eval(r#"container("burst").wait_for(#{ log: "done", timeout: "60s" })"#).ok();
    let after = memory_of_monitor(pid);
    assert!(after <= before + 32, "{before} KiB, then {after} KiB");
    let last = shanty.json(r#"let c = container("burst"); [c.logs(#{ tail: 2 }), c.logs().split("\n").len()]"#);
    assert_eq!(last, json!(["300000\ndone\n", 300_002]));
}

#[test]
fn a_reader_that_stalls_does_not_stall_the_container() {
    let shanty = require!(with_busybox());
    let script = r#"
        let c = image("busybox:1").run(["sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done"],
            #{ network: "none", log: #{ max_size: "100k" } });
        let seen = [];
        // It ends although nobody reads on.
        c.follow(|line| { if seen.len() == 0 { this.wait(#{ timeout: "60s" }); } seen.push(line.text); true });
        [seen.len() > 3, seen[seen.len() - 1], c.status]"#;
    let output = shanty.call(&["eval", "--json", script]).ok();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&output.stdout).unwrap(), json!([true, "19999", "exited"]));
}

#[test]
fn a_full_disk_makes_a_gap_that_is_told_and_the_container_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(dir.path())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        return;
    }
    let spec = LogSpec { max_size: 1 << 20, ..LogSpec::default() };
    let mut log = Log::open(dir.path(), spec).unwrap();
    let mut pending = Pending::new("stdout");
    let filler = dir.path().join("filler");
    log.output(&mut pending, b"before\n");
    let _ = std::fs::write(&filler, vec![0; 64 << 10]);
    let long = "x".repeat(5000) + "\n";
    log.output(&mut pending, long.as_bytes());
    log.output(&mut pending, b"line\n".repeat(800).as_slice());
    std::fs::remove_file(&filler).unwrap();
    log.output(&mut pending, b"after\n");
    log.finish(&mut pending);
    let found = lines(&dir.path().join("container.log"), &LogOptions::default());
    std::process::Command::new("umount").arg(dir.path()).status().unwrap();
    let (first, gap, last) = (&found[0], &found[1], found.last().unwrap());
    assert_eq!((first.as_str(), last.as_str()), ("before", "after"));
    // The end of a page may have had room for some lines in the middle.
    let missing = gap
        .strip_prefix("[shanty: ")
        .and_then(|gap| gap.strip_suffix(" entries are missing here: no space left on device]"));
    let kept = found.iter().filter(|line| *line == "line").count();
    assert_eq!(missing.unwrap().parse::<usize>().unwrap(), 801 - kept, "{found:?}");
}

#[test]
fn times_are_nanoseconds_and_choose_lines() {
    let shanty = require!(with_busybox());
    let script = r#"
        let c = image("busybox:1").run(["sh", "-c", "echo one; sleep 0.3; echo two >&2; sleep 0.3; echo three"], #{ network: "none" });
        c.wait();
        let times = [];
        c.follow(|line| { times.push(line.time); true });
        #{ stamped: c.logs(#{ timestamps: true }), since: c.logs(#{ since: times[1] }), before: c.logs(#{ before: times[1] }),
           between: c.logs(#{ since: times[1], before: times[2] }), last: c.logs(#{ since: times[0], tail: 1 }) }"#;
    let seen = shanty.json(script);
    for (line, text) in seen["stamped"].as_str().unwrap().lines().zip(["one", "two", "three"]) {
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!((rest, time.len()), (text, "2026-01-02T03:04:05.123456789Z".len()));
        time.parse::<jiff::Timestamp>().unwrap();
    }
    let expected = [("since", "two\nthree\n"), ("before", "one\n"), ("between", "two\n"), ("last", "three\n")];
    for (key, text) in expected {
        assert_eq!(seen[key], text, "{key}");
    }
}

#[test]
fn a_container_reads_the_text_that_it_is_given_at_each_start() {
    let shanty = require!(with_busybox());
    let script = r#"let c = image("busybox:1").run(["sh", "-c", "cat; echo end"], #{ name: "reads", stdin: "one\ntwo\n", network: "none" });
           c.wait();
           let first = c.logs();
           c.start(); c.wait();
           let again = image("busybox:1").run(["sh", "-c", "[ -e /second ] && exec wc -c; touch /second; head -c 10 > /dev/null; exit 1"],
               #{ stdin: blob(300000, 65), restart: "on-failure", network: "none" });
           again.wait(#{ timeout: "30s" });
           let created = image("busybox:1").create("cat", #{ stdin: blob(3, 65), network: "none" });
           created.start(); created.wait();
           // Nobody inside changes what the next start reads.
           let sealed = image("busybox:1").run(["sh", "-c", "echo other > /proc/self/fd/0; cat"], #{ stdin: "text", network: "none" });
           sealed.wait();
           [first, c.logs(), again.logs(), created.logs(), sealed.logs(#{ stream: "stdout" })]"#;
    assert_eq!(
        shanty.json(script),
        json!(["one\ntwo\nend\n", "one\ntwo\nend\none\ntwo\nend\n", "300000\n", "AAA\n", "text\n"])
    );
    let refused = [r#"stdin: "x", tty: true"#, "stdin: blob(16777217)"];
    for options in refused {
        shanty
            .eval(&format!(r#"image("busybox:1").run("cat", #{{ {options}, network: "none" }})"#))
            .fails_with("invalid");
    }
    shanty.eval("for c in containers(#{ all: true }) { c.remove() }").ok();
    assert_eq!(std::fs::read_dir(shanty.root().join("containers")).unwrap().count(), 0);
}

#[test]
fn the_end_is_seen_although_another_process_goes_on_writing() {
    let shanty = require!(with_busybox());
    // Without a process namespace of its own, nothing ends with the first process.
    let script = r#"
        let c = image("busybox:1").run(["sh", "-c", "(while :; do echo more; done) & echo started; exit 4"], #{ network: "none", pid: "host" });
        let code = c.wait(#{ timeout: "30s" });
        [code, c.logs().contains("started"), c.status]"#;
    assert_eq!(shanty.json(script), json!([4, true, "exited"]));
}
