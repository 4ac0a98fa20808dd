//! How a command of a build is run: what it sees, what it reaches, and what is left of it.

mod bench;
mod secrets;

use crate::support::busybox::with_busybox;
use crate::support::{leaks, require, wait_until};
use bench::Bench;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use shanty::build::{StepMount, StepNetwork};
use shanty::error::ErrorKind;
use shanty::model::{Secret, Stream};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_step_changes_its_upper_folder_and_leaves_no_places_of_mounts() {
    let bench = require!(Bench::new());
    // The image has none of `/proc`, `/dev`, `/sys` and the files below `/etc`.
    let outcome = bench.run("echo hello > /made; ls -d /proc /dev /sys /etc/hosts /etc/resolv.conf /etc/hostname").ok();
    assert_eq!(outcome.stdout.lines().count(), 6);
    assert_eq!(outcome.changes(), ["made"]);
    assert_eq!(bench.run("true").ok().changes(), Vec::<String>::new());
    // What the program itself puts beside them stays, and its folder with it.
    let outcome = bench.run("mkdir /etc/new; touch /etc/own; chmod 700 /root").ok();
    assert_eq!(outcome.changes(), ["etc", "etc/new", "etc/own", "root"]);
    assert_eq!(bench.run("chmod 711 /etc").ok().changes(), ["etc"]);
}

#[test]
fn a_step_runs_as_the_config_says_with_more_environment_than_it_has() {
    let bench = require!(Bench::new());
    let mut step = bench.step("id -u; pwd; echo $A-$B-$C; hostname; cat");
    step.config = r#"{ "Env": ["PATH=/bin", "A=config", "B=config"], "User": "user", "WorkingDir": "/new/folder",
        "Volumes": { "/root/volume": {} }, "Healthcheck": { "Test": ["CMD", "touch", "/checked"] } }"#;
    step.env = vec![("B".into(), "argument".into())];
    step.secret_env = vec![("C".into(), Secret::new("hidden"))];
    step.stdin = Some(b"input".to_vec());
    let outcome = step.run().ok();
    assert_eq!(outcome.stdout, "1000\n/new/folder\nconfig-argument-hidden\nbuildkitsandbox\ninput");
    assert_eq!(outcome.changes(), ["new", "new/folder"]);
}

#[test]
fn a_failing_step_gives_its_code_and_the_end_of_its_output() {
    let bench = require!(Bench::new());
    let outcome = bench.run("echo out; echo err >&2; exit 7");
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("out\n", "err\n"));
    let error = outcome.result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exit);
    assert_eq!(error.exit_details().unwrap().code, 7);
    assert!(error.to_string().contains("ended with code 7"), "{error}");
    assert_eq!(bench.run_argv(&["/none"]).result.unwrap_err().exit_details().unwrap().code, 127);
}

#[test]
fn files_and_folders_of_the_machine_are_bound() {
    let bench = require!(Bench::new());
    let file = bench.shanty.write("file", "content");
    let folder = bench.shanty.write("folder/in", "in it").parent().unwrap().to_owned();
    let mut step = bench.step(
        "cat /a/b/file; cat sub/in; echo new > sub/new; echo no > /read-only/new 2>/dev/null || echo refused; \
         touch /link/kept; readlink /link",
    );
    step.config = r#"{ "Env": ["PATH=/bin"], "WorkingDir": "/home" }"#;
    let bind = |source: &PathBuf, target: &str, read_only| StepMount::Bind {
        source: source.clone(),
        target: target.into(),
        read_only,
    };
    step.mounts = vec![
        bind(&file, "/a/b/file", true),
        bind(&folder, "sub", false),
        bind(&folder, "/read-only", true),
        // Through a link of the image, which leads nowhere.
        bind(&folder, "/dangling/inside", true),
    ];
    std::os::unix::fs::symlink("../../../../target", bench.layer.join("dangling")).unwrap();
    std::os::unix::fs::symlink("tmp", bench.layer.join("link")).unwrap();
    let outcome = step.run().ok();
    assert_eq!(outcome.stdout, "contentin itrefused\ntmp\n");
    assert_eq!(outcome.changes(), ["tmp", "tmp/kept"]);
    assert_eq!(fs::read_to_string(folder.join("new")).unwrap(), "new\n");
    assert!(!bench.shanty.work().join("../../target").exists());
    step = bench.step("true");
    step.mounts = vec![bind(&PathBuf::from("/no/such/file"), "/x", true)];
    assert_eq!(step.run().result.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn folders_are_seen_as_one_and_changes_go_where_they_are_told() {
    let bench = require!(Bench::new());
    let at = |path: &str, content: &str| bench.shanty.write(path, content);
    at("low/sub/both", "low");
    at("low/sub/low", "low");
    at("top/sub/both", "top");
    let [low, top, upper, work] = ["low", "top", "upper", "work"].map(|name| bench.shanty.work().join(name));
    for folder in [&upper, &work] {
        fs::create_dir(folder).unwrap();
    }
    let overlay = |lower: &[&PathBuf], changes: Option<(&PathBuf, &PathBuf)>, below: &str, target: &str| {
        let changes = changes.map(|(upper, work)| (upper.clone(), work.clone()));
        let lower = lower.iter().map(|path| (*path).clone()).collect();
        StepMount::Overlay { lower, changes, below: below.into(), target: target.into() }
    };
    let mut step = bench.step(
        "cat /all/sub/both /all/sub/low /part/both /file /one/low; \
         for d in /all /part /one /none; do touch $d/x 2>/dev/null && echo written; done; \
         echo new > /changed/sub/new; rm /changed/sub/low; ls /changed/sub /none; echo x > /fresh/y",
    );
    step.mounts = vec![
        overlay(&[&top, &low], None, "", "/all"),
        overlay(&[&top, &low], None, "/sub", "/part"),
        overlay(&[&top, &low], None, "sub/both", "/file"),
        overlay(&[&low], None, "sub", "/one"),
        overlay(&[], None, "", "/none"),
        overlay(&[&top, &low], Some((&upper, &work)), "", "/changed"),
        overlay(&[], Some((&low, &work)), "", "/fresh"),
    ];
    let outcome = step.run().ok();
    assert_eq!(outcome.stdout, "toplowtoptoplow/changed/sub:\nboth\nnew\n\n/none:\n");
    assert_eq!(outcome.changes(), Vec::<String>::new());
    assert_eq!(fs::read_to_string(upper.join("sub/new")).unwrap(), "new\n");
    assert_eq!(fs::symlink_metadata(upper.join("sub/low")).unwrap().rdev(), 0);
    assert!(low.join("y").exists() && low.join("sub/low").exists());
    let mut step = bench.step("true");
    step.mounts = vec![overlay(&[&top, &low], None, "sub/none", "/x")];
    let error = step.run().result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[test]
fn memory_is_mounted_with_a_size_and_is_gone_afterwards() {
    let bench = require!(Bench::new());
    let mut step = bench.step(
        "df -k /memory | tail -1 | awk '{ print $2 }'; cp /bin/busybox /memory/ && /memory/busybox echo runs; \
         stat -c %a /memory /tmp",
    );
    step.mounts = vec![
        StepMount::Tmpfs { target: "/memory".into(), size: Some(8 << 20) },
        StepMount::Tmpfs { target: "/tmp".into(), size: None },
    ];
    let outcome = step.run().ok();
    assert_eq!(outcome.stdout, "8192\nruns\n1777\n755\n");
    assert_eq!(outcome.changes(), Vec::<String>::new());
}

#[test]
fn a_step_reaches_the_network_that_was_asked_for() {
    let bench = require!(Bench::new());
    let links = |network: StepNetwork| {
        let mut step = bench.step("ls /sys/class/net; cat /etc/hosts");
        step.network = network;
        step.extra_hosts = vec![("extra.example".into(), "192.0.2.7".into())];
        let stdout = step.run().ok().stdout;
        assert!(stdout.contains("192.0.2.7\textra.example"), "{stdout}");
        stdout.lines().take_while(|line| !line.contains('.')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(links(StepNetwork::None), ["lo"]);
    assert_eq!(links(StepNetwork::Default), ["eth0", "lo"]);
    let mut of_host: Vec<_> = fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name == "lo")
        .collect();
    of_host.dedup();
    assert!(links(StepNetwork::Host).contains(&of_host[0]));
    let mut step = bench.step("true");
    step.network = StepNetwork::Named("nowhere".into());
    assert_eq!(step.run().result.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_step_has_few_rights_unless_it_is_insecure() {
    assert!(geteuid().is_root());
    let bench = require!(Bench::new());
    let code = "grep -E 'CapEff|Seccomp:' /proc/self/status; mount -t tmpfs none /home && echo mounted";
    let usual = bench.run(code).stdout;
    assert!(usual.contains("CapEff:\t00000000a80425fb") && usual.contains("Seccomp:\t2"), "{usual}");
    assert!(!usual.contains("mounted"));
    let mut step = bench.step(code);
    step.insecure = true;
    let insecure = step.run().ok().stdout;
    assert!(insecure.contains("Seccomp:\t0") && insecure.contains("mounted"), "{insecure}");
}

#[test]
fn output_comes_while_the_step_runs() {
    let bench = require!(Bench::new());
    let fifo = bench.shanty.work().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut step = bench.step("echo first; cat /fifo");
    step.mounts = vec![StepMount::Bind { source: fifo.clone(), target: "/fifo".into(), read_only: false }];
    // The step ends only when its first line has been seen.
    let outcome = step.run_with(|stream, bytes| {
        if stream == Stream::Stdout && bytes == b"first\n" {
            fs::write(&fifo, "second\n").unwrap();
        }
    });
    assert_eq!(outcome.ok().stdout, "first\nsecond\n");
}

#[test]
fn a_build_that_is_killed_at_any_moment_of_its_steps_leaves_nothing() {
    let shanty = require!(with_busybox());
    let script = shanty.eval(r#"from("busybox:1").run(["sh", "-c", "echo up; sleep 600; true"]).tag("never")"#).spawn();
    let leaks = || shanty.id8().map(|id8| leaks(&shanty.root(), &id8)).unwrap_or_default();
    wait_until(LIMIT, || leaks().iter().any(|line| line.contains("sleep 600")));
    script.signal(Signal::SIGKILL);
    script.wait(LIMIT);
    wait_until(LIMIT, || shanty.json("containers(#{ all: true }).len()") == 0);
    shanty.assert_nothing_left();
    // Different moments without a random number: the time from the start of the script grows by a prime.
    for round in 0..20u64 {
        let code = format!(r#"for n in 0..1000 {{ from("busybox:1").run(`echo {round} ${{n}}`).tag("made"); }}"#);
        let script = shanty.eval(&code).spawn();
        let (moment, started) = (Duration::from_micros(5_000 + round * 3_709), Instant::now());
        wait_until(LIMIT, || started.elapsed() >= moment);
        script.signal(Signal::SIGKILL);
        script.wait(LIMIT);
    }
    wait_until(LIMIT, || shanty.json("containers(#{ all: true }).len()") == 0);
    shanty.assert_nothing_left();
    assert_eq!(fs::read_dir(shanty.root().join("containers")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(shanty.root().join("layers/tmp")).unwrap().count(), 0);
}
