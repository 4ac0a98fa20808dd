//! What a program finds when it starts: user, environment, descriptors, namespaces, limits.

use super::sandbox::{Sandbox, cx, program, shell};
use shanty::error::ErrorKind;
use shanty::model::ResourceLimits;
use shanty::model::Ulimit;
use shanty::runtime::control;
use shanty::runtime::spec::Options;
use std::fs;

#[test]
fn users_and_groups_are_the_images() {
    let sandbox = Sandbox::new();
    for (user, groups, expected) in [
        ("", &[][..], "uid=0(root) gid=0(root)"),
        ("node", &[], "uid=1000(node) gid=1001(node) groups=44(video)"),
        ("1000:44", &["7"], "uid=1000(node) gid=44(video) groups=7"),
        ("4242", &[], "uid=4242 gid=0(root)"),
    ] {
        let groups = groups.iter().map(ToString::to_string).collect();
        let outcome = sandbox.run(Options { user: user.to_owned(), groups, ..program(&["id"]) });
        let text = outcome.stdout.trim();
        assert!(text.starts_with(expected), "{user}: {text}");
    }
    let launch = sandbox.logging(Options { user: "nobody".to_owned(), ..program(&["id"]) });
    let error = control::launch(&cx(), &launch, Vec::new(), Vec::new()).unwrap_err();
    assert!(error.is(ErrorKind::NotFound), "{error:?}");
    sandbox.wait_until_gone(&launch);
}

#[test]
fn environment_directory_and_names_are_set() {
    let sandbox = Sandbox::new();
    let options = Options {
        user: "node".to_owned(),
        env: vec![("A".to_owned(), "b c".to_owned())],
        cwd: "/srv/app".into(),
        domainname: Some("example".to_owned()),
        ..shell("env | sort; pwd; hostname; cat /proc/sys/kernel/domainname; grep Umask /proc/self/status")
    };
    let text = sandbox.run(options).stdout;
    for line in ["A=b c", "HOME=/home/node", "HOSTNAME=box", "/srv/app", "box", "example", "Umask:\t0022"] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    assert!(text.contains("PATH=/usr/local/sbin:/usr/local/bin:"), "{text}");
}

#[test]
fn namespaces_are_its_own_and_it_is_pid_1() {
    let sandbox = Sandbox::new();
    let text = sandbox.sh("echo $$; for n in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$n; done").stdout;
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("1"));
    for (line, name) in lines.zip(["cgroup", "ipc", "mnt", "net", "pid", "uts"]) {
        let host = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
        assert_ne!(line, host.to_str().unwrap(), "{name}");
    }
    assert_eq!(sandbox.sh("cat /proc/self/cgroup").stdout.lines().filter(|line| !line.ends_with(":/")).count(), 0);
}

#[test]
fn no_descriptor_but_three_comes_in() {
    let sandbox = Sandbox::new();
    // One that is not close-on-exec, as a careless library may leave it.
    let careless = nix::unistd::dup(fs::File::open("/etc/hostname").unwrap()).unwrap();
    nix::fcntl::fcntl(&careless, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    // `ls` has one more, for the directory that it lists.
    assert_eq!(sandbox.run(program(&["ls", "/proc/self/fd"])).stdout, "0\n1\n2\n3\n");
    let error = {
        let launch = sandbox.logging(Options { cwd: "/proc/self/fd/7".into(), ..program(&["pwd"]) });
        let result = control::launch(&cx(), &launch, Vec::new(), Vec::new());
        sandbox.wait_until_gone(&launch);
        result.unwrap_err()
    };
    assert!(!error.is(ErrorKind::Exit), "{error:?}");
}

#[test]
fn signals_are_neither_ignored_nor_blocked() {
    let sandbox = Sandbox::new();
    let text = sandbox.sh("exec grep ^Sig /proc/self/status").stdout;
    for name in ["SigBlk", "SigIgn"] {
        assert!(text.contains(&format!("{name}:\t0000000000000000")), "{text}");
    }
}

#[test]
fn limits_of_the_process_are_set_and_impossible_ones_are_refused() {
    let sandbox = Sandbox::new();
    let limit = |name: &str, soft, hard| vec![Ulimit { name: name.to_owned(), soft, hard }];
    let options = Options { ulimits: limit("nofile", 100, 200), ..shell("ulimit -Sn; ulimit -Hn") };
    assert_eq!(sandbox.run(options).stdout, "100\n200\n");
    let options = Options { oom_score_adj: Some(500), ..shell("cat /proc/self/oom_score_adj") };
    assert_eq!(sandbox.run(options).stdout, "500\n");

    // Above fs.nr_open nobody may go; root without CAP_SYS_RESOURCE not above its own limit either.
    let launch = sandbox.logging(Options { ulimits: limit("nofile", 1 << 40, 1 << 40), ..program(&["true"]) });
    let error = control::launch(&cx(), &launch, Vec::new(), Vec::new()).unwrap_err();
    assert!(error.is(ErrorKind::Denied) && error.message().contains("`nofile`"), "{error:?}");
    sandbox.wait_until_gone(&launch);
}

#[test]
fn control_groups_limit_it_and_no_group_is_left() {
    let sandbox = Sandbox::new();
    let limits = ResourceLimits {
        memory: Some(64 << 20),
        pids: Some(20),
        cpus: Some(0.5),
        cpu_shares: Some(512),
        ..ResourceLimits::default()
    };
    let line = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; \
                cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max; \
                cat /sys/fs/cgroup/cpu*/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max";
    let text = sandbox.run(Options { limits, ..shell(line) }).stdout;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(&lines[..2], ["67108864", "20"], "{text}");
    assert!(lines[2].starts_with("50000"), "{text}");
}

#[test]
fn running_out_of_memory_is_told() {
    let sandbox = Sandbox::new();
    let limits = ResourceLimits { memory: Some(8 << 20), ..ResourceLimits::default() };
    // `dd` itself is PID 1: a shell would survive its child.
    let (launch, mut started) =
        sandbox.start(Options { limits, ..program(&["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]) });
    let exit = started.wait(&cx()).unwrap();
    assert_eq!((exit.code, exit.oom_killed), (137, true));
    sandbox.wait_until_gone(&launch);
    let state = sandbox.state(&launch);
    assert!(state.oom_killed && state.exit_code == Some(137), "{state:?}");
}
