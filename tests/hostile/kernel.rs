//! The kernel's own interfaces: system calls, files, devices, control groups.

use super::{compile, hostile_image};
use crate::support::busybox::with_busybox;
use crate::support::{program, require};
use std::os::unix::fs::MetadataExt;

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

#[test]
fn system_calls_that_were_ways_out_are_refused() {
    require!(program("cc"), program("busybox"));
    let shanty = with_busybox().unwrap();
    let calls = compile(&shanty, "calls.c", &["-static"]);
    hostile_image(&shanty, |layer| layer.file("calls", &calls));
    let code = "let c = image(`hostile:1`).run([`sleep`, `1000`], #{ network: `none` });
                [image(`hostile:1`).exec([`/calls`], #{ network: `none` }).stdout, c.exec([`/calls`]).stdout]";
    for text in shanty.json(code).as_array().unwrap() {
        let text = text.as_str().unwrap();
        assert!(text.lines().count() > 25, "{text}");
        for line in text.lines() {
            let (call, errno) = line.rsplit_once(' ').unwrap();
            let errno: i32 = errno.parse().unwrap();
            // Programs ask for `clone3` and take `clone` when there is none: so it must look as if there were none.
            let expected = if call == "clone3" { ENOSYS } else { EPERM };
            assert_eq!(errno, expected, "{call}");
        }
    }
}

#[test]
fn settings_of_the_machine_cannot_be_written() {
    let shanty = require!(with_busybox());
    let files = [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/mm/ksm/run",
        "/sys/fs/cgroup/release_agent",
        "/sys/fs/cgroup/memory/release_agent",
        "/sys/fs/cgroup/memory/notify_on_release",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/cgroup/devices/devices.allow",
    ];
    let before = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let script = format!(
        "for file in {}; do (echo 0 >> $file) 2>/dev/null && echo \"wrote $file\"; done; \
         mkdir /sys/fs/cgroup/x /sys/fs/cgroup/memory/x 2>/dev/null && echo made a group; \
         mount -t cgroup -o memory x /tmp 2>/dev/null && echo mounted; \
         mount -o remount,rw /sys 2>/dev/null && echo remounted; \
         find / -xdev -name release_agent; find /sys/fs/cgroup -name release_agent; true",
        files.join(" ")
    );
    let code = format!(
        "let c = image(`busybox:1`).run([`sleep`, `1000`], #{{ network: `none` }});
         let script = `{script}`;
         [image(`busybox:1`).exec([`sh`, `-c`, script], #{{ network: `none` }}).stdout, c.exec([`sh`, `-c`, script]).stdout]"
    );
    assert_eq!(shanty.json(&code), serde_json::json!(["", ""]));
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), before);
}

#[test]
fn the_hosts_disks_cannot_be_read_through_nodes_of_ones_own() {
    let shanty = require!(with_busybox());
    let numbers = std::fs::read_dir("/sys/class/block").unwrap();
    let numbers: Vec<String> = numbers
        .filter_map(|disk| std::fs::read_to_string(disk.unwrap().path().join("dev")).ok())
        .map(|number| number.trim().replace(':', " "))
        .collect();
    assert!(!numbers.is_empty());
    let mut script = String::from("cd /tmp; ");
    for number in &numbers {
        script += &format!("rm -f disk; mknod disk b {number} && head -c 1 disk 2>&1 >/dev/null; ");
    }
    // /dev/mem, /dev/kmsg, the loop control, tun.
    for number in ["1 1", "1 11", "10 237", "10 200"] {
        script += &format!("rm -f node; mknod node c {number} && head -c 1 node 2>&1 >/dev/null; ");
    }
    script += "true";
    let code = format!(
        "let c = image(`busybox:1`).run([`sleep`, `1000`], #{{ network: `none` }});
         let script = `{script}`;
         [image(`busybox:1`).exec([`sh`, `-c`, script], #{{ network: `none` }}).stdout, c.exec([`sh`, `-c`, script]).stdout]"
    );
    for text in shanty.json(&code).as_array().unwrap() {
        let text = text.as_str().unwrap();
        assert_eq!(text.matches("Operation not permitted").count(), numbers.len() + 4, "{text}");
    }
}

#[test]
fn nobody_elses_processes_and_files_are_in_its_proc() {
    let shanty = require!(with_busybox());
    let host_root = std::fs::metadata("/").unwrap();
    let text = shanty.json(
        "let c = image(`busybox:1`).run([`sleep`, `1000`], #{ network: `none` });
         c.exec([`sh`, `-c`, `for p in /proc/[0-9]*; do [ $p = /proc/$$ ] || stat -L -c '%d %i' $p/root $p/cwd 2>&1; done; ls -d /proc/[0-9]* | wc -l`]).stdout",
    );
    let text = text.as_str().unwrap();
    assert!(!text.contains(&format!("{} {}\n", host_root.dev(), host_root.ino())), "{text}");
    // Its first process, the shell and its pipe.
    assert!(text.lines().last().unwrap().trim().parse::<u32>().unwrap() <= 5, "{text}");
}

/// CVE-2016-9962.
#[test]
fn a_process_that_joins_the_container_cannot_be_taken_over_before_it_is_its_program() {
    require!(program("cc"), program("busybox"));
    let shanty = with_busybox().unwrap();
    let spy = compile(&shanty, "spy.c", &["-static", "-O1"]);
    hostile_image(&shanty, |layer| layer.file("spy", &spy));
    let value = shanty.json(
        "let c = image(`hostile:1`).run([`/spy`], #{ network: `none` });
         for i in 0..60 { c.exec([`true`]); }
         c.exec([`touch`, `/stop`]);
         [c.wait(), c.logs()]",
    );
    assert_eq!(value[0], 0, "{value}");
    let text = value[1].as_str().unwrap();
    let (got, seen) = text.trim().rsplit_once("seen ").unwrap();
    assert_eq!(got, "", "{text}");
    assert_ne!(seen, "0", "the attacker was too slow to attack: {text}");
}
