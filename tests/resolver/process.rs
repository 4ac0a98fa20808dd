//! The serving process, as a monitor starts it.
#![allow(unsafe_code)]

use super::{Machine, one_network, put, query, receive};
use crate::support::wait_for;
use hickory_proto::rr::RecordType;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use shanty::runtime::network::resolver;
use std::fs;
use std::os::fd::AsFd;
use std::time::Duration;

#[test]
fn the_process_has_no_rights_and_nothing_open_but_what_it_serves_and_ends_with_its_monitor() {
    let (_dir, file, plan) = one_network();
    put(&file, "1", "10.0.0.1");
    let machine = Machine::unserved(&plan);
    let path = machine.dir.path().join("plan.json");
    let secret = fs::File::open("/etc/hostname").unwrap();
    // SAFETY: the child is the copy of this thread alone, and calls what a monitor, which has one thread, calls.
    let monitor = match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let sockets: Vec<_> = machine.sockets.iter().map(AsFd::as_fd).collect();
            let started = resolver::start(&path, &sockets);
            let ended = started.map(|pid| waitpid(pid, None));
            // SAFETY: nothing of the test may run in the child.
            unsafe { libc::_exit(i32::from(ended.is_err())) }
        }
    };
    let look_up = || {
        let socket = machine.socket();
        socket.send(&query(7, "web.", RecordType::A)).unwrap();
        receive(&socket).answers.len()
    };
    assert_eq!(look_up(), 1);
    let children = format!("/proc/{monitor}/task/{monitor}/children");
    let pid: Pid = Pid::from_raw(fs::read_to_string(children).unwrap().trim().parse().unwrap());
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(line(set), "0000000000000000", "{set}");
    }
    assert_eq!(line("NoNewPrivs:"), "1");
    let open: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    assert!(!open.iter().any(|target| target == "/etc/hostname"), "{open:?}");
    assert!(open.iter().filter(|target| target.starts_with("socket:")).count() >= 2, "{open:?}");
    drop(secret);
    // Whoever holds the sockets starts another: what was asked meanwhile is answered then.
    kill(monitor, Signal::SIGKILL).unwrap();
    waitpid(monitor, None).unwrap();
    wait_for(Duration::from_secs(10), || {
        (!fs::exists(format!("/proc/{pid}")).unwrap() || is_zombie(pid)).then_some(())
    });
    let socket = machine.socket();
    socket.send(&query(7, "web.", RecordType::A)).unwrap();
    machine.serve();
    assert_eq!(receive(&socket).answers.len(), 1);
}

fn is_zombie(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}
