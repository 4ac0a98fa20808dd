//! `kill -9` of a monitor, a first process, an exec or a script, at random moments of create, start, exec, stop and
//! remove: after the next command nothing is there that the database does not know, and every state is true.
//!
//! `SHANTY_FAULT_SEED`, `SHANTY_FAULT_ROUNDS` and `SHANTY_FAULT_SECONDS` repeat a failure or look for longer.

use crate::support::busybox::with_busybox;
use crate::support::caller::caller;
use crate::support::require;
use crate::support::shanty::Shanty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Rounds in all, when the time is enough for them.
const ROUNDS: u64 = 400;
/// Time for all of them, seconds.
const SECONDS: u64 = 40;
/// Roots that are worked on side by side.
const ROOTS: u64 = 2;
/// How long what was interrupted may take to come to rest.
const LIMIT: Duration = Duration::from_secs(20);

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Script,
    Monitor,
    Init,
    Exec,
}

const VICTIMS: [Victim; 4] = [Victim::Script, Victim::Monitor, Victim::Init, Victim::Exec];

/// One life of a container; what the faults make fail is none of its business.
fn life(random: &mut Random) -> String {
    let network = random.pick(&[r#"network: "none""#, r#"ports: ["127.0.0.1::80"]"#]);
    let policy = random.pick(&["no", "no", "always", "unless-stopped", "on-failure:3"]);
    let end = random.pick(&[
        "c.stop(#{ timeout: 0 }); c.remove();",
        "c.remove(#{ force: true });",
        "c.stop(#{ timeout: 0 });",
        "",
    ]);
    let scope = random.pick(&["", "", "scope"]);
    let steps = [
        r#"c.exec(["true"]);"#.to_owned(),
        "c.pause(); c.unpause();".to_owned(),
        r#"c.exec(["sh", "-c", "sleep 0.01 & wait"], #{ check: false });"#.to_owned(),
        format!(r#"image("busybox:1").run(["sh", "-c", "echo done"], #{{ remove: true, {network} }}).wait();"#),
        format!(r#"image("busybox:1").exec(["sleep", "0.01"], #{{ {network}, check: false }});"#),
    ];
    let (first, second) = (random.below(steps.len() as u64) as usize, random.below(steps.len() as u64) as usize);
    let body = format!(
        r#"
        let c = image("busybox:1").create(["sh", "-c", "echo up; exec sleep 1000"], #{{ replace: true, name: "faulty", restart: "{policy}", {network} }});
        c.start();
        {}
        {}
        {end}
        "#,
        steps[first], steps[second]
    );
    format!(
        r#"try {{ {scope}(|| {{ {body} }}){call} }} catch (e) {{ print(e.kind + ": " + e.message) }}"#,
        call = if scope.is_empty() { ".call()" } else { "" }
    )
}

#[test]
fn nothing_is_left_and_every_state_is_true_whatever_is_killed() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = number("SHANTY_FAULT_SEED", now.as_nanos() as u64);
    eprintln!("SHANTY_FAULT_SEED={seed}");
    let (rounds, seconds) = (number("SHANTY_FAULT_ROUNDS", ROUNDS), number("SHANTY_FAULT_SECONDS", SECONDS));
    let until = Instant::now() + Duration::from_secs(seconds);
    require!(with_busybox());
    let workers: Vec<_> = (0..ROOTS)
        .map(|root| thread::spawn(move || work(Random(seed.wrapping_add(root)), rounds / ROOTS, until)))
        .collect();
    let mut killed: BTreeMap<Victim, u64> = BTreeMap::new();
    for worker in workers {
        for (victim, count) in worker.join().unwrap() {
            *killed.entry(victim).or_default() += count;
        }
    }
    eprintln!("killed: {killed:?}");
    assert!(VICTIMS.iter().all(|victim| killed.get(victim).is_some_and(|count| *count > 0)), "{killed:?}");
}

/// Rounds on a root of its own; gives how many of each have been killed.
fn work(mut random: Random, rounds: u64, until: Instant) -> BTreeMap<Victim, u64> {
    let shanty = with_busybox().unwrap();
    let mut killed = BTreeMap::new();
    // How long a life takes, as far as is known: moments are chosen in all of it.
    let mut usual = Duration::from_millis(200);
    for round in 0..rounds {
        if Instant::now() > until {
            break;
        }
        let victim = VICTIMS[random.below(VICTIMS.len() as u64) as usize];
        let code = life(&mut random);
        let moment = Duration::from_micros(random.below(usual.as_micros() as u64 + 1));
        let begun = Instant::now();
        let script = shanty.eval(&code).spawn();
        let hit = strike(script.pid(), victim, begun + moment);
        let output = script.wait(LIMIT);
        if hit {
            *killed.entry(victim).or_default() += 1;
        }
        if !hit || victim != Victim::Script {
            usual = (usual * 7 + begun.elapsed().min(Duration::from_secs(2))) / 8;
        }
        let what = format!("round {round}: {victim:?} (hit: {hit}) after {moment:?} of\n{code}\nthe script: {output}");
        check(&shanty, &what);
    }
    shanty.eval("for c in containers(#{ all: true }) { c.remove(#{ force: true, missing_ok: true }) }").ok();
    shanty.assert_nothing_left();
    killed
}

/// Kills a victim at a moment, or as soon after it as there is one; `false` when the script ended before.
fn strike(script: i32, victim: Victim, moment: Instant) -> bool {
    loop {
        if has_ended(script) {
            return false;
        }
        if Instant::now() >= moment
            && let Some(pid) = find(script, victim)
        {
            return kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok();
        }
        thread::sleep(Duration::from_micros(100));
    }
}

fn find(script: i32, victim: Victim) -> Option<i32> {
    if victim == Victim::Script {
        return Some(script);
    }
    let monitors = children(script)
        .into_iter()
        .filter(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"shanty-monitor")));
    let monitors: Vec<i32> = monitors.collect();
    if victim == Victim::Monitor {
        return monitors.last().copied();
    }
    monitors.into_iter().rev().flat_map(children).find(|pid| is_first(*pid) == Some(victim == Victim::Init))
}

fn children(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()).collect()
}

/// Whether the process is the first one of a pid namespace.
fn is_first(pid: i32) -> Option<bool> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    Some(pids.split_whitespace().last() == Some("1"))
}

fn has_ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// After the next command everything on the machine belongs to a container that runs, and every state is true.
#[track_caller]
fn check(shanty: &Shanty, what: &str) {
    let begun = Instant::now();
    loop {
        let containers = shanty.json(
            r#"let all = [];
               for c in containers(#{ all: true }) {
                   // It may go between two looks.
                   try { all.push(#{ id: c.id, name: c.name, status: c.status, pid: c.pid, ports: c.ports.len() }) }
                   catch (e) { if e.kind != "not_found" { throw e } }
               }
               all"#,
        );
        // What was interrupted comes to rest; no other command helps.
        let mut wrong = wrong(shanty, &containers);
        let looked = Instant::now();
        while !wrong.is_empty() && looked.elapsed() < Duration::from_secs(3) {
            thread::sleep(Duration::from_millis(5));
            wrong = self::wrong(shanty, &containers);
        }
        if wrong.is_empty() {
            return;
        }
        // A container may have been between two states: that is true, but not for long.
        assert!(begun.elapsed() < LIMIT, "{}\nafter {what}\ncontainers: {containers}", wrong.join("\n"));
    }
}

/// Whether it is a process of one of these containers: by its control group or, where there is none, by its monitor.
fn belongs_to(pid: i64, ids: &[&str]) -> bool {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    if ids.iter().any(|id| read("cgroup").contains(id)) {
        return true;
    }
    let monitor = |line: &str| line.starts_with("shanty-monitor") && ids.iter().any(|id| line.contains(&id[..12]));
    let parent = || read("status").lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok());
    monitor(&read("cmdline")) || parent().is_some_and(|parent| parent > 1 && belongs_to(parent, ids))
}

/// What is not as the containers say.
fn wrong(shanty: &Shanty, containers: &Value) -> Vec<String> {
    let id8 = shanty.id8().unwrap();
    let containers = containers.as_array().unwrap();
    let is = |container: &Value, status: &[&str]| status.contains(&container["status"].as_str().unwrap());
    let ids = |status: &[&str]| -> Vec<&str> {
        containers.iter().filter(|it| is(it, status)).map(|it| it["id"].as_str().unwrap()).collect()
    };
    let alive = ids(&["running", "paused", "restarting"]);
    let all: Vec<&str> = containers.iter().map(|it| it["id"].as_str().unwrap()).collect();
    let mut wrong = Vec::new();
    for container in containers {
        let id = container["id"].as_str().unwrap();
        if is(container, &["removing", "dead"]) {
            wrong.push(format!("{id} is {}", container["status"]));
        }
        if is(container, &["running", "paused"]) {
            let pid = container["pid"].as_i64().unwrap_or(0);
            if !belongs_to(pid, &[id]) {
                wrong.push(format!("{id} is {}, but {pid} is no process of it", container["status"]));
            }
        }
    }
    // The links and the packet filter of ordinary users are in a network of their own.
    let elsewhere = caller().is_some();
    let belongs = |name: &str, ids: &[&str]| ids.iter().any(|id| name == *id || name == &id[..12]);
    let leaks = shanty.leaks();
    let links = leaks.iter().filter(|leak| leak.starts_with("link ")).count();
    for leak in leaks {
        let of_alive = alive.iter().any(|id| leak.contains(id) || leak.contains(&id[..12]));
        // Links and the group of monitors carry no id.
        let shared = !alive.is_empty() && (leak.starts_with("link ") || leak.ends_with("/monitors"));
        // Processes by their group or by the root that they were given.
        let process = leak.strip_prefix("process ").and_then(|rest| rest.split(':').next());
        let in_group = process.and_then(|pid| pid.parse().ok()).is_some_and(|pid: i64| belongs_to(pid, &alive));
        if !(of_alive || shared || in_group) {
            wrong.push(leak);
        }
    }
    let connected = containers.iter().filter(|it| alive.contains(&it["id"].as_str().unwrap())).count();
    if links > connected {
        wrong.push(format!("{links} links for {connected} containers"));
    }
    for folder in entries(&shanty.root().join("containers")) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if !belongs(&name, &all) {
            wrong.push(format!("folder {}", folder.display()));
        }
    }
    let ports: i64 = containers.iter().map(|it| it["ports"].as_i64().unwrap()).sum();
    let published = published(&id8) as i64;
    if !elsewhere && published != ports {
        wrong.push(format!("{published} published ports in the packet filter, {ports} of containers"));
    }
    wrong
}

/// How many published ports the packet filter has.
fn published(id8: &str) -> usize {
    let table = format!("shanty-{id8}");
    let listed = Command::new("nft").args(["list", "table", "inet", &table]).output();
    let text = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    // An element: `127.0.0.1 . 8080 : 172.17.0.2 . 80`.
    let elements = text.split("elements = {").skip(1).filter_map(|rest| rest.split('}').next());
    elements.map(|elements| elements.matches(" : ").count()).sum()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map(|list| list.filter_map(|entry| Some(entry.ok()?.path())).collect()).unwrap_or_default()
}

/// `splitmix64`: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}
