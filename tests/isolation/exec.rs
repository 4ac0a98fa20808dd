//! What a container sees of processes that join it.

use crate::support::busybox::with_busybox;
use crate::support::require;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// All that a container with `SYS_PTRACE` could take over holds no more than the container itself, at no moment.
#[test]
fn nothing_that_joins_a_container_is_seen_with_rights_of_the_host() {
    let shanty = require!(with_busybox());
    let capabilities: u64 = 0xa804_25fb | 1 << 19;
    let code = r#"print(image("busybox:1").run("sleep 1000", #{ name: "target", network: "none", cap_add: "SYS_PTRACE" }).pid)"#;
    let init: u32 = shanty.eval(code).ok().stdout.trim().parse().unwrap();
    // What its own /proc shows.
    let proc = PathBuf::from(format!("/proc/{init}/root/proc"));
    let done = AtomicBool::new(false);
    let (seen, wrong) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut seen, mut wrong) = (0, Vec::new());
            while !done.load(Ordering::Relaxed) {
                let processes = std::fs::read_dir(&proc).unwrap().flatten().map(|entry| entry.path());
                for process in processes.filter(|path| path.join("status").exists() && !path.ends_with("1")) {
                    // It may have ended by now.
                    let Ok(status) = std::fs::read_to_string(process.join("status")) else { continue };
                    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                    let (Some(permitted), Some(filter)) = (field("CapPrm:"), field("Seccomp:")) else { continue };
                    seen += 1;
                    let is_zombie = field("State:").is_some_and(|state| state.starts_with('Z'));
                    if !is_zombie && (u64::from_str_radix(permitted, 16).unwrap() & !capabilities != 0 || filter != "2")
                    {
                        wrong.push(status);
                    }
                }
            }
            (seen, wrong)
        });
        let code =
            r#"let c = container("target"); for i in 0..60 { c.exec("true"); c.exec("true", #{ user: "1000" }); }"#;
        let output = shanty.eval(code).output();
        done.store(true, Ordering::Relaxed);
        assert_eq!(output.code, 0, "{output}");
        watcher.join().unwrap()
    });
    assert!(seen > 20, "the watcher saw {seen} processes only");
    assert!(wrong.is_empty(), "{} of {seen}: {}", wrong.len(), wrong[0]);
}

#[test]
fn an_exec_works_under_a_filter_that_forbids_new_processes() {
    let shanty = require!(with_busybox());
    shanty.write(
        "no-fork.json",
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
            "syscalls": [{"names": ["clone", "clone3", "fork", "vfork"], "action": "SCMP_ACT_ERRNO"}]}"#,
    );
    shanty
        .eval(
            r#"let c = image("busybox:1").run("sleep 1000", #{ seccomp: "no-fork.json", network: "none" });
               print(c.exec(["sh", "-c", "x=$(sleep 0); echo $x"], #{ check: false }).code != 0);
               print(c.exec(["grep", "^Seccomp:", "/proc/self/status"]).text);
               c.remove(#{ force: true })"#,
        )
        .prints("true\nSeccomp:\t2\n");
}

#[test]
fn an_exec_is_in_the_groups_and_the_session_that_it_should_be_in() {
    let shanty = require!(with_busybox());
    shanty
        .eval(
            r#"let c = image("busybox:1").run("sleep 1000", #{ network: "none" });
               let groups = |pid| c.exec(["sh", "-c", "cat /proc/" + pid + "/cgroup"]).text;
               print(groups.call("1") == groups.call("$$"));
               // It leads its session, and is a child of nobody in here.
               print(c.exec(["sh", "-c", "cut -d' ' -f4-6 /proc/$$/stat; echo $$"]).text.split().len);
               print(c.exec(["sh", "-c", "set -- $(cat /proc/$$/stat); [ $4 = 0 ] && [ $5 = $$ ] && [ $6 = $$ ] && echo alone"]).text);
               c.remove(#{ force: true })"#,
        )
        .prints("true\n4\nalone\n");
}
