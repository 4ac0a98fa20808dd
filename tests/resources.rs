//! Limits of containers: what the control groups say, and what the kernel does about it. On cgroup v1, v2 and both:
//! `tests/run --vm` runs these on v2 alone.

use crate::support::busybox::with_busybox;
use crate::support::{Shanty, require, wait_for};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// Whether cgroup2 is alone.
fn is_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// The group that a process is in for a controller, by the kernel's word.
fn group(pid: &Value, controller: &str) -> PathBuf {
    let table = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let group = table.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let wanted = if is_v2() { controllers.is_empty() } else { controllers.split(',').any(|it| it == controller) };
        let mount_point = if is_v2() { "/sys/fs/cgroup".into() } else { format!("/sys/fs/cgroup/{controllers}") };
        wanted.then(|| PathBuf::from(mount_point + path))
    });
    group.unwrap_or_else(|| panic!("no {controller} in {table}"))
}

fn control(pid: &Value, file: &str) -> String {
    let path = group(pid, file.split_once('.').unwrap().0).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
}

/// A number of a file that has a name and a number a line.
fn number(pid: &Value, file: &str, name: &str) -> u64 {
    let text = control(pid, file);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// Starts a container that sleeps for each of these options; gives their pids.
fn sleepers(shanty: &Shanty, options: &[&str]) -> Vec<Value> {
    let list =
        options.iter().map(|options| format!("#{{ network: `none`, {options} }}")).collect::<Vec<_>>().join(", ");
    let code = format!("[{list}].map(|options| image(`busybox:1`).run([`sleep`, `1000`], options).pid)");
    shanty.json(&code).as_array().unwrap().clone()
}

#[test]
fn every_limit_is_in_the_control_groups() {
    /// Options; (file, content) on v1; the same on v2.
    type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);
    let cases: [Case; 12] = [
        (
            "",
            &[
                ("memory.limit_in_bytes", UNLIMITED),
                ("pids.max", "max"),
                ("cpu.cfs_quota_us", "-1"),
                ("cpu.shares", "1024"),
            ],
            &[("memory.max", "max"), ("memory.swap.max", "max"), ("pids.max", "max"), ("cpu.max", "max 100000")],
        ),
        (
            "memory: `64m`",
            &[("memory.limit_in_bytes", "67108864"), ("memory.memsw.limit_in_bytes", "134217728")],
            &[("memory.max", "67108864"), ("memory.swap.max", "67108864")],
        ),
        (
            "memory: `64m`, memory_swap: `64m`",
            &[("memory.limit_in_bytes", "67108864"), ("memory.memsw.limit_in_bytes", "67108864")],
            &[("memory.max", "67108864"), ("memory.swap.max", "0")],
        ),
        (
            "memory: `64m`, memory_swap: `96m`",
            &[("memory.memsw.limit_in_bytes", "100663296")],
            &[("memory.swap.max", "33554432")],
        ),
        (
            "memory: `64m`, memory_swap: -1",
            &[("memory.limit_in_bytes", "67108864"), ("memory.memsw.limit_in_bytes", UNLIMITED)],
            &[("memory.max", "67108864"), ("memory.swap.max", "max")],
        ),
        (
            "memory: `64m`, memory_reservation: `32m`",
            &[("memory.limit_in_bytes", "67108864"), ("memory.soft_limit_in_bytes", "33554432")],
            &[("memory.max", "67108864"), ("memory.low", "33554432")],
        ),
        (
            "cpus: 0.25",
            &[("cpu.cfs_quota_us", "25000"), ("cpu.cfs_period_us", "100000")],
            &[("cpu.max", "25000 100000")],
        ),
        ("cpu_shares: 512", &[("cpu.shares", "512")], &[("cpu.weight", "59")]),
        ("cpu_shares: 2", &[("cpu.shares", "2")], &[("cpu.weight", "1")]),
        ("cpu_shares: 262144", &[("cpu.shares", "262144")], &[("cpu.weight", "10000")]),
        ("cpuset: `0`", &[("cpuset.cpus", "0")], &[("cpuset.cpus", "0")]),
        ("pids: 20", &[("pids.max", "20")], &[("pids.max", "20")]),
    ];
    let shanty = require!(with_busybox());
    let pids = sleepers(&shanty, &cases.map(|(options, ..)| options));
    for (pid, (options, v1, v2)) in pids.iter().zip(cases) {
        for (file, content) in if is_v2() { v2 } else { v1 } {
            assert_eq!(control(pid, file), *content, "{file} of `{options}`");
        }
    }
}

/// Of a v1 limit of memory: the largest number of whole pages.
const UNLIMITED: &str = "9223372036854771712";

#[test]
fn the_weight_of_block_io_is_set_or_said_to_have_no_effect() {
    let shanty = require!(with_busybox());
    let disks = std::fs::read_dir("/sys/block").unwrap().map(|disk| disk.unwrap().path().join("queue/scheduler"));
    let weighted = disks.filter_map(|file| std::fs::read_to_string(file).ok()).any(|line| line.contains("[bfq]"));
    if weighted {
        let pid = &sleepers(&shanty, &["io_weight: 300"])[0];
        let file = if is_v2() { "io.bfq.weight" } else { "blkio.bfq.weight" };
        assert_eq!(control(pid, file).split_whitespace().last(), Some("300"));
    } else {
        let refused =
            shanty.eval(r#"image("busybox:1").exec(["true"], #{ io_weight: 300 })"#).fails_with("unsupported");
        assert!(refused.stderr.contains("`io_weight`") && refused.stderr.contains("hint:"), "{refused}");
    }
}

#[test]
fn limits_that_cannot_be_are_refused_when_the_container_is_made() {
    // (options, what the message says)
    let cases = [
        ("memory: `5m`", "too small"),
        ("memory_reservation: `1m`", "too small"),
        ("memory: `64m`, memory_reservation: `65m`", "`memory_reservation`"),
        ("memory: `64m`, memory_swap: `63m`", "less than `memory`"),
        ("memory_swap: `64m`", "needs a `memory` limit"),
        ("cpus: 100000", "`cpus` is 100000"),
        ("cpus: 0.001", "`cpus` is 0.001"),
        ("cpu_shares: 1", "`cpu_shares` is 1"),
        ("cpu_shares: 262145", "`cpu_shares` is 262145"),
        ("cpuset: `8000`", "no processor 8000"),
        ("cpuset: `0-`", "no list of processors"),
        ("io_weight: 9", "`io_weight` is 9"),
        ("io_weight: 1001", "`io_weight` is 1001"),
    ];
    let shanty = require!(with_busybox());
    let list = cases.map(|(options, _)| format!("#{{ {options} }}")).join(", ");
    let caught = shanty.json(&format!(
        "[{list}].map(|options| {{
             let caught = ();
             try {{ image(`busybox:1`).create([`true`], options) }} catch (e) {{ caught = [e.kind, e.message, e.hint] }}
             caught
         }})"
    ));
    for (caught, (options, says)) in caught.as_array().unwrap().iter().zip(cases) {
        assert_eq!(caught[0], "invalid", "{options}: {caught}");
        assert!(caught[1].as_str().unwrap().contains(says), "{options}: {caught}");
        assert!(!caught[2].as_str().unwrap_or_default().is_empty(), "{options} has no hint: {caught}");
    }
    assert_eq!(shanty.json("containers(#{ all: true }).len()"), 0);
}

#[test]
fn a_process_over_the_memory_limit_is_killed_and_it_is_told() {
    let shanty = require!(with_busybox());
    // `tail` keeps what it has read until a line ends: never.
    let value = shanty.json(
        "let c = image(`busybox:1`).run([`tail`, `/dev/zero`], #{ memory: `16m`, memory_swap: `16m`, network: `none` });
         let small = image(`busybox:1`).run([`true`], #{ memory: `16m`, network: `none` });
         [c.wait(), c.oom_killed, small.wait(), small.oom_killed]",
    );
    assert_eq!(value, json!([137, true, 0, false]));
}

#[test]
fn a_command_that_is_killed_for_want_of_memory_says_so() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        "let limits = #{ memory: `16m`, memory_swap: `16m`, network: `none` };
         let unchecked = limits + #{ check: false };
         let busybox = image(`busybox:1`);
         let c = busybox.run([`sleep`, `1000`], limits);
         let thrown = |run| { try { run.call(); } catch (e) { return [e.code, e.oom_killed, e.message, e.hint]; } };
         [busybox.exec([`tail`, `/dev/zero`], unchecked).oom_killed,
          busybox.sh(`kill -KILL $$`, unchecked).oom_killed,
          c.exec([`tail`, `/dev/zero`], #{ check: false }).oom_killed,
          c.sh(`kill -KILL $$`, #{ check: false }).oom_killed,
          thrown.call(|| busybox.exec([`tail`, `/dev/zero`], limits)),
          thrown.call(|| c.exec([`tail`, `/dev/zero`]))]",
    );
    let told = |what: &str| {
        json!([137, true, format!("{what} ended with code 137, killed for want of memory"), "give it more `memory`"])
    };
    assert_eq!(value, json!([true, false, true, false, told("`tail` in `busybox:1`"), told("`tail`")]));
}

#[test]
fn no_more_processes_than_allowed_can_be_made() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        "let c = image(`busybox:1`).run([`sh`, `-c`, `(for i in $(seq 100); do sleep 1000 & done); exec sleep 1000`],
                                        #{ pids: 8, network: `none` });
         c.wait_for(#{ log: `fork` });
         [c.pid, c.logs()]",
    );
    assert!(value[1].as_str().unwrap().contains("can't fork"), "{value}");
    let count: u64 = control(&value[0], "pids.current").parse().unwrap();
    assert!(count <= 8, "{count}");
}

#[test]
fn a_processor_quota_holds_processes_back() {
    let shanty = require!(with_busybox());
    let pid = shanty.json(
        "image(`busybox:1`).run([`sh`, `-c`, `while :; do :; done`], #{ cpus: 0.05, network: `none`, stop_timeout: 0 }).pid",
    );
    wait_for(LONG, || (number(&pid, "cpu.stat", "nr_throttled") > 2).then_some(()));
}

#[test]
fn processes_run_on_the_processors_that_were_named() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        "let c = image(`busybox:1`).run([`sleep`, `1000`], #{ cpuset: `0`, network: `none` });
         let line = `grep Cpus_allowed_list /proc/self/status`;
         [image(`busybox:1`).exec(line, #{ cpuset: `0`, network: `none` }).text, c.exec(line).text]",
    );
    assert_eq!(value, json!(["Cpus_allowed_list:\t0", "Cpus_allowed_list:\t0"]));
}

#[test]
fn a_command_in_a_container_is_under_its_limits() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        "let c = image(`busybox:1`).run([`sleep`, `1000`], #{ memory: `16m`, memory_swap: `16m`, pids: 30, network: `none` });
         let killed = c.exec([`tail`, `/dev/zero`], #{ check: false }).code;
         c.exec([`sleep`, `1000`], #{ detach: true });
         [c.pid, killed, c.status]",
    );
    assert_eq!((&value[1], &value[2]), (&json!(137), &json!("running")));
    for controller in ["memory", "cpu", "pids"] {
        let members = std::fs::read_to_string(group(&value[0], controller).join("cgroup.procs")).unwrap();
        assert_eq!(members.lines().count(), 2, "{controller}: {members}");
    }
}
