//! What a program may not do: capabilities, system calls, kernel files, devices.

use super::sandbox::{Sandbox, program, shell};
use shanty::runtime::spec::{self, Options, Seccomp};

#[test]
fn capabilities_are_dockers_and_a_user_has_none() {
    let sandbox = Sandbox::new();
    let text = sandbox.run(program(&["grep", "^Cap", "/proc/self/status"])).stdout;
    let expected = "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n\
                    CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n";
    assert_eq!(text, expected);

    let user = Options { user: "node".to_owned(), ..program(&["grep", "CapEff", "/proc/self/status"]) };
    assert_eq!(sandbox.run(user).stdout, "CapEff:\t0000000000000000\n");

    let capabilities = spec::capabilities(&["NET_ADMIN".to_owned()], &["ALL".to_owned()]).unwrap();
    let one = Options { capabilities, ..program(&["grep", "CapBnd", "/proc/self/status"]) };
    assert_eq!(sandbox.run(one).stdout, "CapBnd:\t0000000000001000\n");
}

#[test]
fn system_calls_are_filtered_with_and_without_no_new_privs() {
    let sandbox = Sandbox::new();
    let line = "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status; mount -t tmpfs x /tmp 2>&1";
    for no_new_privileges in [false, true] {
        let outcome = sandbox.run(Options { no_new_privileges, ..shell(line) });
        assert!(outcome.stdout.contains("Seccomp:\t2"), "{}", outcome.stdout);
        assert!(
            outcome.stdout.contains(&format!("NoNewPrivs:\t{}", i32::from(no_new_privileges))),
            "{}",
            outcome.stdout
        );
        assert_ne!(outcome.code, 0);
    }
    let unconfined = Options { seccomp: Seccomp::Unconfined, ..program(&["grep", "^Seccomp:", "/proc/self/status"]) };
    assert_eq!(sandbox.run(unconfined).stdout, "Seccomp:\t0\n");
}

#[test]
fn the_filter_lets_and_refuses_as_the_kernel_sees_it() {
    use nix::errno::Errno;
    use shanty::runtime::seccomp::docker_default;
    // A thread of its own for each call: filters are per thread, and end with it.
    let under_filter = |call: fn() -> i64| -> i32 {
        std::thread::spawn(move || {
            nix::sys::prctl::set_no_new_privs().unwrap();
            shanty::sys::seccomp::load(&docker_default(0xa804_25fb)).unwrap();
            Errno::clear();
            if call() < 0 { Errno::last_raw() } else { 0 }
        })
        .join()
        .unwrap()
    };
    assert_eq!(under_filter(|| i64::from(nix::unistd::getpid().as_raw())), 0);
    assert_eq!(
        under_filter(|| nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUTS).map_or(-1, |()| 0)),
        libc::EPERM
    );
    assert_eq!(under_filter(|| nix::unistd::chroot("/").map_or(-1, |()| 0)), 0);
    let vsock = || {
        nix::sys::socket::socket(
            nix::sys::socket::AddressFamily::Vsock,
            nix::sys::socket::SockType::Stream,
            nix::sys::socket::SockFlag::empty(),
            None,
        )
        .map_or(-1, |_| 0)
    };
    assert_eq!(under_filter(vsock), libc::EPERM);
}

#[test]
fn kernel_files_are_hidden_or_read_only() {
    let sandbox = Sandbox::new();
    let line = "wc -c < /proc/interrupts; wc -c < /proc/timer_list; ls /sys/firmware | wc -l; \
                echo x 2>/dev/null > /proc/sys/kernel/hostname && echo written; \
                echo x 2>/dev/null > /proc/sysrq-trigger && echo written; \
                touch /sys/x 2>/dev/null && echo written; mkdir /sys/fs/cgroup/x 2>/dev/null && echo written; \
                stat -c %t:%T /proc/keys";
    assert_eq!(sandbox.sh(line).stdout, "0\n0\n0\n1:3\n");
}

#[test]
fn mounts_are_the_standard_ones() {
    let sandbox = Sandbox::new();
    let text = sandbox.run(program(&["cat", "/proc/self/mounts"])).stdout;
    for (target, kind, options) in [
        ("/", "overlay", "rw"),
        ("/proc", "proc", "rw,nosuid,nodev,noexec"),
        ("/dev", "tmpfs", "rw,nosuid"),
        ("/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666"),
        ("/dev/shm", "tmpfs", "size=65536k"),
        ("/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec"),
        ("/sys", "sysfs", "ro,nosuid,nodev,noexec"),
        ("/proc/sys", "proc", "ro,"),
        ("/proc/keys", "devtmpfs", ""),
    ] {
        let mut found = text.lines().filter(|line| line.split(' ').nth(1) == Some(target));
        let line = found.next_back().unwrap_or_else(|| panic!("{target} in {text}"));
        assert!(line.contains(options) && line.contains(kind), "{line}");
    }
    // Nothing of the host shows through.
    assert!(!text.contains("/old") && text.lines().filter(|line| line.split(' ').nth(1) == Some("/")).count() == 1);
}

#[test]
fn a_read_only_root_is_not_writable_but_its_tmpfs_is() {
    let sandbox = Sandbox::new();
    let mounts = vec![spec::tmpfs("/tmp".as_ref(), Some(1 << 20), None, false, &[])];
    let options = Options { read_only: true, mounts, ..shell("touch /x 2>&1; touch /tmp/x /dev/shm/x && echo ok") };
    let text = sandbox.run(options).stdout;
    assert!(text.contains("Read-only file system") && text.ends_with("ok\n"), "{text}");
}

#[test]
fn devices_are_the_harmless_ones_and_others_cannot_be_opened() {
    let sandbox = Sandbox::new();
    let line = "ls /dev; head -c 4 /dev/zero | wc -c; echo x > /dev/null; \
                mknod /dev/other c 1 1 && head -c 1 /dev/other 2>&1; \
                mknod /tmp/disk b 7 0 && head -c 1 /tmp/disk 2>&1";
    let text = sandbox.sh(line).stdout;
    for name in [
        "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom",
        "zero",
    ] {
        assert!(text.lines().any(|line| line == name), "{name} in {text}");
    }
    assert!(text.contains("\n4\n"), "{text}");
    assert_eq!(text.matches("Operation not permitted").count(), 2, "{text}");
}
