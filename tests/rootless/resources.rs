//! Limits, pauses and figures without root: where no control group is delegated, and in one that is.

use super::Person;
use crate::support::require;
use crate::support::wait::wait_for;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Two processes of ours, and one that an exec brought in.
const START: &str = r#"let c = image("busybox:1").run(["sh", "-c", "sleep 1000 & exec sleep 1001"], #{ name: "web" });
    c.exec(["sleep", "1002"], #{ detach: true });"#;

#[test]
fn limits_that_are_asked_for_are_refused_with_what_would_lift_it() {
    let person = require!(Person::new());
    for (option, name) in [("memory: \"64m\"", "memory"), ("cpus: 0.5", "cpus"), ("pids_limit: 10", "pids")] {
        let output = person.try_eval(&format!(r#"image("busybox:1").exec(["true"], #{{ {option} }})"#));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(&format!("`{name}` cannot be limited")), "{said}");
        assert!(said.contains("shanty doctor"), "{said}");
    }
    person.eval(&format!("{START} c"));
    let output = person.try_eval(r#"container("web").update(#{ memory: "64m" })"#);
    assert!(String::from_utf8_lossy(&output.stderr).contains("`memory` cannot be limited"));
    person.eval(r#"container("web").remove(#{ force: true })"#);
    person.wait_for_nobody();
}

#[test]
fn a_container_without_groups_is_paused_counted_and_listed() {
    let person = require!(Person::new());
    let told = r#"let i = info(); print(`${i.rootless} ${i.ids} ${i.way_out.name} ${i.control_groups.kind}`)"#;
    assert_eq!(person.eval(told).trim(), "true single forwarding none");
    is_paused_counted_and_listed(&person, |code| person.eval(code));
    person.wait_for_nobody();
}

#[test]
fn a_container_in_a_delegated_group_is_paused_counted_and_listed() {
    let delegated = require!(Delegated::new());
    let person = require!(Person::new());
    delegated.give(person.uid);
    let eval = |code: &str| delegated.eval(&person, code);
    assert_eq!(eval("print(info().control_groups.kind)").trim(), "delegated");
    // Where cgroup2 is alone it has the controllers.
    if fs::read_to_string(delegated.0.join("cgroup.controllers")).unwrap().contains("memory") {
        let limit = r#"print(image("busybox:1").exec(["cat", "/sys/fs/cgroup/memory.max"], #{ memory: "64m", cpus: 0.5 }).text)"#;
        assert_eq!(eval(limit).trim(), "67108864");
    }
    is_paused_counted_and_listed(&person, |code| {
        let said = eval(code);
        let exists = person.processes("sleep 1001").first().map(|pid| {
            let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
            groups.lines().any(|line| line.starts_with("0::") && line.contains("/shanty/"))
        });
        assert_ne!(exists, Some(false), "its processes are not in a group of its own");
        said
    });
    person.wait_for_nobody();
    // The group of the root stays for its next container.
    let of_root = folders(&delegated.0.join("shanty")).pop().unwrap();
    assert_eq!(folders(&of_root), Vec::<PathBuf>::new());
}

fn is_paused_counted_and_listed(person: &Person, eval: impl Fn(&str) -> String) {
    eval(&format!("{START} c"));
    let states = || -> Vec<char> { person.processes("sleep 100").into_iter().map(state).collect() };
    wait_for(Duration::from_secs(10), || (states().len() == 3).then_some(()));
    let commands = eval(r#"for p in container("web").top() { print(p.cmd) }"#);
    let mut commands: Vec<&str> = commands.lines().collect();
    commands.sort_unstable();
    assert_eq!(commands, ["sleep 1000", "sleep 1001", "sleep 1002"]);
    let stats: Value = serde_json::from_str(&eval(r#"print(to_json(container("web").stats()))"#)).unwrap();
    assert_eq!(stats["pids"], if stats["pids"] == 0 { 0 } else { 3 }, "{stats}");

    assert_eq!(eval(r#"container("web").pause(); print(container("web").status)"#).trim(), "paused");
    let stopped = states();
    // A process in a frozen group is not stopped, but sleeps on.
    assert!(stopped.iter().all(|state| *state == 'T') || stopped.iter().all(|state| *state == 'S'), "{stopped:?}");
    let refused = person.try_eval(r#"container("web").exec(["true"])"#);
    assert!(!refused.status.success());
    assert_eq!(eval(r#"container("web").unpause(); print(container("web").status)"#).trim(), "running");
    wait_for(Duration::from_secs(10), || states().iter().all(|state| *state == 'S').then_some(()));
    assert_eq!(eval(r#"print(container("web").exec(["echo", "on"]).text)"#).trim(), "on");
    eval(r#"container("web").pause(); container("web").kill(); container("web").wait(); container("web").remove()"#);
}

fn state(pid: i32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('X')
}

/// A group of cgroup2 that is a user's.
struct Delegated(PathBuf);

impl Delegated {
    fn new() -> Result<Self, crate::support::fixtures::Missing> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let unified = mounts.lines().find(|line| line.contains(" - cgroup2 ")).and_then(|line| line.split(' ').nth(4));
        let unified = unified.ok_or_else(|| crate::support::fixtures::Missing("no cgroup2".into()))?;
        // One that is used by v1 is refused.
        for controller in ["+cpu", "+memory", "+pids"] {
            let _ = fs::write(Path::new(unified).join("cgroup.subtree_control"), controller);
        }
        let folder = Path::new(unified).join(format!("shanty-test-{}", std::process::id()));
        fs::create_dir(&folder).map_err(|error| crate::support::fixtures::Missing(format!("cgroup2: {error}")))?;
        fs::create_dir(folder.join("commands")).unwrap();
        Ok(Self(folder))
    }

    fn give(&self, uid: u32) {
        for group in [self.0.clone(), self.0.join("commands")] {
            for file in ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
                chown(group.join(file), Some(uid), Some(uid)).unwrap();
            }
        }
    }

    /// Runs code as somebody in the group.
    #[track_caller]
    fn eval(&self, person: &Person, code: &str) -> String {
        let output = person.machine.run(|| {
            let procs = self.0.join("commands/cgroup.procs");
            let mut command = person.command();
            command.args(["eval", code]);
            let mut outer = std::process::Command::new("sh");
            outer.arg0("sh").args(["-c", r#"echo $$ > "$0" && exec "$@""#]).arg(procs);
            outer.arg(command.get_program()).args(command.get_args()).env_clear();
            outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            outer.current_dir(command.get_current_dir().unwrap()).output().unwrap()
        });
        assert!(output.status.success(), "`{code}`: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        // Whoever was killed when a test failed leaves by and by.
        wait_for(Duration::from_secs(10), || {
            remove_groups(&self.0);
            (!self.0.exists()).then_some(())
        });
    }
}

fn remove_groups(group: &Path) {
    folders(group).iter().for_each(|below| remove_groups(below));
    let _ = fs::remove_dir(group);
}

fn folders(group: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).collect()
}
