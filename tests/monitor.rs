//! The process beside a container: handshake, log, control socket, exec, stop, faults.

mod transcript;

use crate::runtime::sandbox::{LIMIT, Sandbox, cx, program, shell, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use shanty::error::ErrorKind;
use shanty::runtime::control::protocol::ExecRequest;
use shanty::runtime::control::{self, sweep_dead, wait_until_gone};
use shanty::runtime::launch::StdioPlan;
use shanty::runtime::network::NetworkPlan;
use shanty::runtime::spec::Options;
use shanty::runtime::state::{self, Phase};
use std::fs;
use std::time::{Duration, Instant};

fn request(argv: &[&str]) -> ExecRequest {
    ExecRequest { argv: argv.iter().map(ToString::to_string).collect(), ..ExecRequest::default() }
}

/// Whether it runs: a zombie, which waits for whoever took it over, does not.
fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z') && !rest.starts_with('X'))
}

fn log_of(launch: &shanty::runtime::launch::Launch) -> Vec<(String, String)> {
    let text = fs::read_to_string(launch.container_dir.join("container.log")).unwrap();
    let entry = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        entry["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        (entry["stream"].as_str().unwrap().to_owned(), entry["log"].as_str().unwrap().to_owned())
    };
    text.lines().map(entry).collect()
}

#[test]
fn output_goes_into_the_log_in_dockers_format() {
    let sandbox = Sandbox::new();
    let (launch, mut started) = sandbox.start(shell("echo one; sleep 0.05; echo two >&2; sleep 0.05; printf three"));
    assert_eq!(started.wait(&cx()).unwrap().code, 0);
    let expected = [("stdout", "one\n"), ("stderr", "two\n"), ("stdout", "three\n")];
    assert_eq!(log_of(&launch), expected.map(|(stream, line)| (stream.to_owned(), line.to_owned())));
    sandbox.wait_until_gone(&launch);
}

#[test]
fn everything_that_was_written_before_the_end_is_in_the_log() {
    let sandbox = Sandbox::new();
    let (launch, mut started) = sandbox.start(shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"));
    assert_eq!(started.wait(&cx()).unwrap().code, 0);
    let log = log_of(&launch);
    assert_eq!((log.len(), log.last().unwrap().1.as_str()), (20000, "line 19999\n"));
    sandbox.wait_until_gone(&launch);
}

#[test]
fn the_stack_of_the_start_is_given_back() {
    let sandbox = Sandbox::new();
    let (launch, mut started) = sandbox.start(program(&["sleep", "60"]));
    let monitor = state::monitor_pid(&launch.container_dir).unwrap().unwrap();
    let stack = || {
        let maps = fs::read_to_string(format!("/proc/{monitor}/smaps")).unwrap();
        let stack = maps.split_once("[stack]").unwrap().1;
        let size = stack.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
        size.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    // The start takes three times as much.
    wait_for("the memory of its stack", || stack() <= 48);
    sandbox.connect(&launch).stop(&cx(), Some(Duration::ZERO)).unwrap();
    started.wait(&cx()).unwrap();
    sandbox.wait_until_gone(&launch);
}

#[test]
fn state_follows_the_life_of_a_container() {
    let sandbox = Sandbox::new();
    let (launch, prepared) = sandbox.prepare(program(&["sleep", "60"]));
    assert_eq!(state::read(&launch.container_dir).unwrap(), None);
    let started = prepared.unwrap().go(&cx()).unwrap();
    let state = sandbox.state(&launch);
    let process = state.process.as_ref().unwrap();
    assert_eq!((state.phase, process.pid, process.start_time), (Phase::Running, started.pid, started.start_time));
    assert_eq!(sandbox.connect(&launch).status(&cx()).unwrap(), state);
    // The handle may go: the container stays, and others can wait for it.
    drop(started);
    let mut waiting = sandbox.connect(&launch);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| waiting.wait(&cx()).unwrap());
        sandbox.connect(&launch).signal(&cx(), libc::SIGKILL).unwrap();
        assert_eq!(waiter.join().unwrap().code, 137);
    });
    wait_until_gone(&cx(), &launch.container_dir).unwrap();
    let state = sandbox.state(&launch);
    assert_eq!((state.phase, state.exit_code, state.process), (Phase::Exited, Some(137), None));
    assert!(state.finished.unwrap() > state.started.unwrap() && !state.oom_killed);
    assert!(control::Connection::open(&launch.run_dir, &launch.container_dir).unwrap().is_none());
}

#[test]
fn stop_asks_first_and_kills_after_the_timeout() {
    let sandbox = Sandbox::new();
    let polite = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done";
    let stubborn = "trap '' TERM; echo ready; while :; do sleep 0.02; done";
    for (line, timeout, code) in [(polite, LIMIT, 7), (stubborn, Duration::from_millis(200), 137)] {
        let (launch, _started) = sandbox.start(shell(line));
        wait_for("the trap", || !log_of(&launch).is_empty());
        let start = Instant::now();
        let exit = sandbox.connect(&launch).stop(&cx(), Some(timeout)).unwrap();
        assert_eq!(exit.code, code);
        assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
        sandbox.wait_until_gone(&launch);
    }
}

#[test]
fn waiting_ends_with_its_deadline_and_the_container_goes_on() {
    let sandbox = Sandbox::new();
    let (launch, mut started) = sandbox.start(program(&["sleep", "60"]));
    let short = cx().with_timeout(Some(Duration::from_millis(30)));
    assert!(started.wait(&short).unwrap_err().is(ErrorKind::Timeout));
    assert!(sandbox.state(&launch).is_running());
    sandbox.connect(&launch).stop(&cx(), Some(Duration::ZERO)).unwrap();
    sandbox.wait_until_gone(&launch);
}

#[test]
fn exec_runs_inside_with_its_own_user_directory_and_environment() {
    let sandbox = Sandbox::new();
    let options = Options { env: vec![("A".to_owned(), "1".to_owned())], ..program(&["sleep", "60"]) };
    let (launch, _started) = sandbox.start(options);
    let exec = |request| sandbox.exec(&launch, request).unwrap();

    let line = "echo $A $B $HOME; pwd; id -u; hostname; cat /proc/1/comm; exit 5";
    let outcome = exec(ExecRequest {
        env: vec![("B".to_owned(), "2".to_owned())],
        workdir: Some("/etc".to_owned()),
        user: Some("node".to_owned()),
        ..request(&["sh", "-c", line])
    });
    assert_eq!((outcome.stdout.as_str(), outcome.code), ("1 2 /home/node\n/etc\n1000\nbox\nsleep\n", 5));

    // As tight as the container itself, in its control groups, without a descriptor of ours.
    let line =
        "grep -E '^(CapBnd|Seccomp):' /proc/self/status; cat /proc/self/cgroup | grep -vc ':/$'; ls /proc/self/fd";
    let outcome = exec(request(&["sh", "-c", line]));
    assert_eq!(outcome.stdout, "CapBnd:\t00000000a80425fb\nSeccomp:\t2\n0\n0\n1\n2\n3\n");
    assert_eq!(exec(request(&["sh", "-c", "kill -9 $$"])).code, 137);

    assert_eq!(exec(request(&["sh", "-c", "echo oops >&2"])).stderr, "oops\n");
    for (argv, code) in [("nosuch", 127), ("/etc/passwd", 126)] {
        let error = sandbox.exec(&launch, request(&[argv])).unwrap_err();
        assert_eq!(error.exit_details().unwrap().code, code, "{error:?}");
    }
    sandbox.connect(&launch).stop(&cx(), Some(Duration::ZERO)).unwrap();
    sandbox.wait_until_gone(&launch);
}

#[test]
fn an_exec_ends_with_its_caller_unless_it_is_detached() {
    let sandbox = Sandbox::new();
    let (launch, _started) = sandbox.start(program(&["sleep", "60"]));
    let run = |detach| {
        let (stdio, _reading) = crate::runtime::sandbox::pipes();
        let request = ExecRequest { detach, ..request(&["sleep", "50"]) };
        sandbox.connect(&launch).exec(&cx(), request, stdio.into()).unwrap()
    };
    let (attached, detached) = (run(false), run(true));
    let pids = (attached.pid, detached.pid);
    drop((attached, detached));
    wait_for("the attached one to end", || !is_alive(pids.0));
    assert!(is_alive(pids.1));
    sandbox.connect(&launch).stop(&cx(), Some(Duration::ZERO)).unwrap();
    sandbox.wait_until_gone(&launch);
    assert!(!is_alive(pids.1));
}

#[test]
fn the_callers_end_before_go_destroys_everything() {
    let sandbox = Sandbox::new();
    let (launch, prepared) = sandbox.prepare(program(&["sleep", "60"]));
    let prepared = prepared.unwrap();
    let pid = prepared.pid;
    drop(prepared);
    sandbox.wait_until_gone(&launch);
    assert!(!is_alive(pid));
    assert!(sandbox.groups(&launch).is_empty() && !launch.run_dir.exists());
    assert_eq!(state::read(&launch.container_dir).unwrap(), None);
}

#[test]
fn a_killed_monitor_takes_its_container_along_and_the_state_says_so() {
    let sandbox = Sandbox::new();
    let (launch, mut started) = sandbox.start(program(&["sleep", "60"]));
    let monitor = state::monitor_pid(&launch.container_dir).unwrap().unwrap();
    let sweep =
        || sweep_dead(&sandbox.id8, launch.id.as_str(), &launch.container_dir, &launch.run_dir, &NetworkPlan::None);
    assert!(!sweep().unwrap(), "a living container is not swept");
    kill(Pid::from_raw(monitor), Signal::SIGKILL).unwrap();
    assert_eq!(started.wait(&cx()).unwrap().code, 137);
    let state = sandbox.state(&launch);
    assert_eq!((state.phase, state.exit_code, state.oom_killed), (Phase::Exited, Some(137), false));
    assert!(sweep().unwrap());
    wait_for("the end of its process", || !is_alive(started.pid));
    assert!(sandbox.groups(&launch).is_empty() && !launch.run_dir.exists());
    // And it can be started again.
    let mut again = control::launch(&cx(), &launch, Vec::new(), Vec::new()).unwrap();
    sandbox.connect(&launch).stop(&cx(), Some(Duration::ZERO)).unwrap();
    again.wait(&cx()).unwrap();
    sandbox.wait_until_gone(&launch);
}

#[test]
fn a_running_container_is_not_started_twice() {
    let sandbox = Sandbox::new();
    let (launch, mut started) = sandbox.start(program(&["sleep", "60"]));
    let error = control::launch(&cx(), &launch, Vec::new(), Vec::new()).unwrap_err();
    assert!(error.is(ErrorKind::Conflict), "{error:?}");
    assert!(sandbox.state(&launch).is_running());
    assert_eq!(sandbox.connect(&launch).status(&cx()).unwrap().phase, Phase::Running);
    sandbox.connect(&launch).signal(&cx(), libc::SIGKILL).unwrap();
    started.wait(&cx()).unwrap();
    sandbox.wait_until_gone(&launch);
}

#[test]
fn a_long_running_monitor_leaves_its_callers_control_groups() {
    let sandbox = Sandbox::new();
    let (launch, mut started) = sandbox.start(program(&["sleep", "60"]));
    let monitor = state::monitor_pid(&launch.container_dir).unwrap().unwrap();
    let path = format!("/shanty/{}/monitors", sandbox.id8);
    let groups = || fs::read_to_string(format!("/proc/{monitor}/cgroup")).unwrap();
    wait_for("the move", || groups().lines().all(|line| line.ends_with(&path)));
    sandbox.connect(&launch).signal(&cx(), libc::SIGKILL).unwrap();
    started.wait(&cx()).unwrap();
    sandbox.wait_until_gone(&launch);
}

#[test]
fn input_is_empty_or_held_open() {
    let sandbox = Sandbox::new();
    let (launch, mut started) = sandbox.start(shell("cat; stat -c %t:%T /proc/self/fd/0 -L"));
    assert_eq!(started.wait(&cx()).unwrap().code, 0);
    assert_eq!(log_of(&launch), [("stdout".to_owned(), "1:3\n".to_owned())]);
    sandbox.wait_until_gone(&launch);

    let launch = sandbox.container(shell("echo ready; cat; echo ended"), StdioPlan::Log { stdin: true, tty: false });
    let _started = control::launch(&cx(), &launch, Vec::new(), Vec::new()).unwrap();
    wait_for("the shell", || !log_of(&launch).is_empty());
    sandbox.connect(&launch).stop(&cx(), Some(Duration::ZERO)).unwrap();
    sandbox.wait_until_gone(&launch);
    assert_eq!(log_of(&launch).len(), 1);
}

#[test]
fn a_container_dies_with_its_caller_when_it_is_told_to() {
    let sandbox = Sandbox::new();
    for die_with_caller in [true, false] {
        let launch = shanty::runtime::launch::Launch { die_with_caller, ..sandbox.logging(program(&["sleep", "60"])) };
        // A caller of its own, which can be killed: this test binary, as `a_caller`.
        let mut caller = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "monitor::a_caller", "--ignored", "--nocapture"])
            .env("LAUNCH", serde_json::to_string(&launch).unwrap())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        wait_for("the container", || {
            state::read(&launch.container_dir).unwrap().is_some_and(|state| state.is_running())
        });
        let start = Instant::now();
        caller.kill().unwrap();
        caller.wait().unwrap();
        if die_with_caller {
            let ended = || state::read(&launch.container_dir).unwrap().is_some_and(|state| !state.is_running());
            wait_for("its end", ended);
            assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
            assert_eq!(sandbox.state(&launch).exit_code, Some(137));
        } else {
            // An answer of the monitor proves that it has looked at everything that came before.
            assert!(sandbox.connect(&launch).status(&cx()).unwrap().is_running());
            sandbox.connect(&launch).stop(&cx(), Some(Duration::ZERO)).unwrap();
        }
        sandbox.wait_until_gone(&launch);
    }
}

/// Not a test: the caller of the one above.
#[test]
#[ignore = "runs as another test's child"]
fn a_caller() {
    let Ok(launch) = std::env::var("LAUNCH") else { return };
    control::set_program(env!("CARGO_BIN_EXE_shanty").into());
    let mut started = control::launch(&cx(), &serde_json::from_str(&launch).unwrap(), Vec::new(), Vec::new()).unwrap();
    started.wait(&cx()).unwrap();
}

#[test]
fn ended_processes_do_not_stay_as_zombies() {
    let sandbox = Sandbox::new();
    let (launch, mut started) = sandbox.start(program(&["sleep", "60"]));
    let monitor = state::monitor_pid(&launch.container_dir).unwrap().unwrap();
    for _ in 0..3 {
        let outcome = sandbox.exec(&launch, request(&["sh", "-c", "sleep 0.01 & exit 4"])).unwrap();
        assert_eq!(outcome.code, 4);
    }
    let children = || fs::read_to_string(format!("/proc/{monitor}/task/{monitor}/children")).unwrap();
    wait_for("only the container to be left", || children().trim() == started.pid.to_string());
    sandbox.connect(&launch).signal(&cx(), libc::SIGKILL).unwrap();
    started.wait(&cx()).unwrap();
    sandbox.wait_until_gone(&launch);
}
