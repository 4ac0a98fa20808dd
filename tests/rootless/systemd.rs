//! Control groups that a user's systemd makes, for commands outside of what is delegated to it: in a virtual machine,
//! `tests/run --vm --systemd`.

use super::Person;
use crate::support::require;
use crate::support::wait::wait_for;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[test]
fn a_container_gets_a_scope_with_limits_a_freezer_and_figures() {
    let person = require!(Person::with_systemd());
    let told: Value = serde_json::from_str(&person.eval("print(to_json(info()))")).unwrap();
    assert_eq!((&told["control_groups"]["kind"], &told["ids"]), (&"systemd".into(), &"ranges".into()), "{told}");
    for controller in ["cpu", "memory", "pids"] {
        assert!(told["control_groups"]["controllers"].as_array().unwrap().contains(&controller.into()), "{told}");
    }
    assert_eq!(all_scopes(&person), Vec::<PathBuf>::new(), "who starts nothing asks for nothing");

    let options = r#"#{ name: "web", memory: "64m", pids_limit: 20, cpus: 0.5 }"#;
    person.eval(&format!(r#"image("busybox:1").run(["sleep", "1000"], {options})"#));
    let [scope] = &scopes(&person)[..] else { panic!("{:?}", scopes(&person)) };
    let group = group_of(person.processes("sleep 1000")[0]);
    assert!(group.starts_with(scope) && group != *scope, "{}", group.display());
    let file = |name: &str| fs::read_to_string(group.join(name)).unwrap().trim().to_owned();
    assert_eq!([file("memory.max"), file("pids.max"), file("cpu.max")], ["67108864", "20", "50000 100000"]);
    let inside = r#"container("web").exec(["cat", "/sys/fs/cgroup/memory.max"]).text"#;
    assert_eq!(person.eval(&format!("print({inside})")).trim(), "67108864");
    person.eval(r#"container("web").update(#{ memory: "32m" })"#);
    assert_eq!(file("memory.max"), "33554432");

    let stats: Value = serde_json::from_str(&person.eval(r#"print(to_json(container("web").stats()))"#)).unwrap();
    assert_eq!((stats["pids"].as_u64(), stats["memory_limit"].as_u64()), (Some(1), Some(33_554_432)), "{stats}");
    let listed = person.eval(r#"for p in container("web").top() { print(p.cmd) }"#);
    assert_eq!(listed.trim(), "sleep 1000");
    person.eval(r#"container("web").pause()"#);
    assert_eq!(
        (file("cgroup.freeze"), person.eval(r#"print(container("web").status)"#).trim()),
        ("1".into(), "paused")
    );
    person.eval(r#"container("web").unpause(); container("web").remove(#{ force: true })"#);
    nothing_is_left(&person);
}

#[test]
fn limits_are_enforced_and_a_kill_for_want_of_memory_is_told() {
    let person = require!(Person::with_systemd());
    let said = person.eval(
        r#"let r = image("busybox:1").exec(["tail", "/dev/zero"], #{ memory: "16m", memory_swap: "16m", check: false });
           print(`${r.code} ${r.oom_killed}`);
           let script = "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo started";
           print(image("busybox:1").exec(["sh", "-c", script], #{ pids_limit: 4, check: false }).stderr)"#,
    );
    assert!(said.starts_with("137 true\n") && said.contains("can't fork"), "{said}");
    nothing_is_left(&person);
}

#[test]
fn a_container_has_the_ids_of_the_users_ranges() {
    let person = require!(Person::with_systemd());
    let script = "touch /f; chown 33:44 /f; stat -c %u:%g /f; id -u";
    let said = person.eval(&format!(
        r#"print(image("busybox:1").exec(["sh", "-c", "{script}"]).text); print(image("busybox:1").exec(["id", "-u"], #{{ user: "1000" }}).text)"#
    ));
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["33:44", "0", "1000"]);
    nothing_is_left(&person);
}

#[test]
fn what_a_monitor_that_was_killed_has_left_is_swept_with_its_scope() {
    let person = require!(Person::with_systemd());
    person.eval(r#"image("busybox:1").run(["sh", "-c", "sleep 1000 & exec sleep 1001"], #{ name: "web" })"#);
    let monitor = person.processes("shanty-monitor")[0];
    kill(Pid::from_raw(monitor), Signal::SIGKILL).unwrap();
    person.eval(r#"container("web").remove(#{ force: true })"#);
    nothing_is_left(&person);
}

#[test]
fn a_restart_stays_in_its_scope_and_a_start_gets_another() {
    let person = require!(Person::with_systemd());
    person.eval(r#"image("busybox:1").run(["sleep", "1000"], #{ name: "web", memory: "64m" })"#);
    let first = scopes(&person);
    person.eval(r#"let c = container("web"); c.kill(); c.wait(); c.start()"#);
    let second = group_of(person.processes("sleep 1000")[0]);
    assert!(!second.starts_with(&first[0]), "{}", second.display());
    assert_eq!(fs::read_to_string(second.join("memory.max")).unwrap().trim(), "67108864");
    person.eval(r#"container("web").remove(#{ force: true })"#);
    nothing_is_left(&person);
}

#[test]
fn what_containers_share_ends_with_none_of_their_scopes() {
    let person = require!(Person::with_systemd());
    let run = r#"image("busybox:1").run(["sleep", "1000"], #{ name: NAME });"#;
    person.eval(&run.replace("NAME", r#""first""#));
    let uplink = person.processes("shanty-uplink")[0];
    let is_out = || group_of(uplink).to_string_lossy().contains("/shanty-networks-").then_some(());
    wait_for(Duration::from_secs(10), is_out);
    person.eval(&run.replace("NAME", r#""second""#));
    let first = scopes(&person).into_iter().find(|scope| group_of(person.processes("sleep")[0]).starts_with(scope));
    systemctl(&person, &["stop", first.unwrap().file_name().unwrap().to_str().unwrap()]);
    assert_eq!((person.processes("shanty-uplink"), person.processes("sleep").len()), (vec![uplink], 1));
    person.eval(r#"for name in ["first", "second"] { container(name).remove(#{ force: true }) }"#);
    nothing_is_left(&person);
}

#[test]
fn a_container_outlives_the_session_that_started_it() {
    let person = require!(Person::with_systemd());
    let command = person.command();
    let mut login = Command::new("systemd-run");
    login.args(["--quiet", "--wait", "--pipe", "-p", "PAMName=login", &format!("--uid={}", person.uid)]);
    let environment = command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
    login.args(environment.map(|(name, value)| format!("--setenv={name}={value}")));
    let code = r#"print(fs::read("/proc/self/cgroup")); image("busybox:1").run(["sleep", "1000"], #{ name: "web", network: "none" })"#;
    let output = login.arg(env!("CARGO_BIN_EXE_shanty")).args(["eval", code]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&format!("/user-{}.slice/session-", person.uid)), "{said}{:?}", output.stderr);
    let session =
        said.trim().rsplit_once('/').unwrap().1.trim_end_matches(".scope").trim_start_matches("session-").to_owned();
    let shown = || Command::new("loginctl").args(["show-session", &session]).output().unwrap();
    // With something in it, it would be closing for ever.
    wait_for(Duration::from_secs(10), || (!shown().status.success()).then_some(()));
    assert_eq!(person.eval(r#"print(container("web").status)"#).trim(), "running");
    person.eval(r#"container("web").remove(#{ force: true })"#);
    nothing_is_left(&person);
}

#[test]
fn in_a_unit_that_is_delegated_already_nobody_is_asked() {
    let person = require!(Person::with_systemd());
    let eval = |code: &str, moved: &str| {
        let command = person.command();
        let environment = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut scope = as_user(&person, "systemd-run");
        scope.args([
            "--user",
            "--quiet",
            "--scope",
            "-p",
            "Delegate=yes",
            "sh",
            "-ec",
            &format!(r#"{moved} exec "$@""#),
            "sh",
        ]);
        scope.arg(env!("CARGO_BIN_EXE_shanty")).args(["eval", code]).envs(environment);
        let output = scope.current_dir(command.get_current_dir().unwrap()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let told = "print(info().control_groups.kind)";
    let below = r#"g=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); mkdir $g/below; echo $$ > $g/below/cgroup.procs;"#;
    // A shell in the unit itself would keep it from handing controllers down.
    assert_eq!([eval(told, ""), eval(told, below)].map(|kind| kind.trim().to_owned()), ["systemd", "delegated"]);
    let run = r#"image("busybox:1").run(["sleep", "1000"], #{ name: "web", network: "none", memory: "64m" })"#;
    eval(run, below);
    assert_eq!(scopes(&person), Vec::<PathBuf>::new());
    let group = group_of(person.processes("sleep")[0]);
    assert!(group.to_string_lossy().contains(".scope/shanty/"), "{}", group.display());
    assert_eq!(fs::read_to_string(group.join("memory.max")).unwrap().trim(), "67108864");
    person.eval(r#"container("web").remove(#{ force: true })"#);
    nothing_is_left(&person);
}

#[test]
fn stopping_the_scope_ends_the_container() {
    let person = require!(Person::with_systemd());
    person.eval(r#"image("busybox:1").run(["sleep", "1000"], #{ name: "web", network: "none" })"#);
    let scope = scopes(&person)[0].file_name().unwrap().to_str().unwrap().to_owned();
    systemctl(&person, &["stop", &scope]);
    assert_ne!(person.eval(r#"print(container("web").status)"#).trim(), "running");
    person.eval(r#"container("web").remove()"#);
    nothing_is_left(&person);
}

#[test]
fn a_session_whose_bus_is_not_that_of_systemd_finds_it_nonetheless() {
    let person = require!(Person::with_systemd());
    let output = person.machine.run(|| {
        let mut command = person.command();
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
        let code = r#"print(image("busybox:1").exec(["cat", "/sys/fs/cgroup/pids.max"], #{ pids_limit: 7 }).text)"#;
        command.args(["eval", code]).output().unwrap()
    });
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "7", "{}", String::from_utf8_lossy(&output.stderr));
    nothing_is_left(&person);
}

#[test]
fn doctor_says_that_systemd_makes_the_groups() {
    let person = require!(Person::with_systemd());
    let output = person.machine.run(|| person.command().args(["doctor", "--json"]).output().unwrap());
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let groups = found.iter().find(|finding| finding["check"] == "control groups").unwrap();
    assert!(groups["level"] == "ok" && groups["text"].as_str().unwrap().contains("scope"), "{groups}");
}

/// The scopes that are there.
fn all_scopes(person: &Person) -> Vec<PathBuf> {
    let slice = format!("/sys/fs/cgroup/user.slice/user-{0}.slice/user@{0}.service/app.slice", person.uid);
    let entries = fs::read_dir(slice).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("shanty-")).collect()
}

/// Those of containers.
fn scopes(person: &Person) -> Vec<PathBuf> {
    let mut scopes = all_scopes(person);
    scopes.retain(|path| !path.to_string_lossy().contains("shanty-networks-"));
    scopes
}

fn group_of(pid: i32) -> PathBuf {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    Path::new("/sys/fs/cgroup").join(groups.trim().strip_prefix("0::/").unwrap())
}

/// Neither processes nor scopes, in the kernel and in systemd.
#[track_caller]
fn nothing_is_left(person: &Person) {
    person.wait_for_nobody();
    wait_for(Duration::from_secs(10), || all_scopes(person).is_empty().then_some(()));
    wait_for(Duration::from_secs(10), || {
        let units = systemctl(person, &["list-units", "--all", "--plain", "--no-legend", "shanty-*"]);
        units.trim().is_empty().then_some(())
    });
}

fn systemctl(person: &Person, words: &[&str]) -> String {
    let output = as_user(person, "systemctl").arg("--user").args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn as_user(person: &Person, program: &str) -> Command {
    let uid = person.uid;
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".into(), program.into()]);
    command.env("XDG_RUNTIME_DIR", format!("/run/user/{uid}"));
    command
}
