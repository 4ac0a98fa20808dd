//! The processes of a container.

use super::row::Row;
use super::state;
use crate::error::{Error, IoContext, Result};
use crate::model::ProcessInfo;
use crate::runtime::cgroup::{Group, Hierarchies, container_path};
use crate::runtime::process_tree::ProcessTree;
use crate::store::Store;
use std::collections::BTreeMap;
use std::fs;

/// Clock ticks a second in `/proc` (`USER_HZ`): 100 on every architecture that we build for.
const TICKS: u64 = 100;

/// All processes in the container's control group, or where it has none in its pid namespace, by pid.
///
/// # Errors
/// `conflict` when it does not run.
pub fn top(store: &Store, mut row: Row) -> Result<Vec<ProcessInfo>> {
    let process = state::refresh(store, &mut row)?.and_then(|state| state.process);
    if !row.state.status.is_alive() {
        return Err(Error::conflict(format!("container `{}` is not running", row.name))
            .hint(format!("start it: `container(\"{}\").start()`", row.name)));
    }
    let hierarchies = Hierarchies::discover()?;
    let path = container_path(store.root_id8(), row.id.as_str());
    let group = Group { hierarchies: &hierarchies, path: &path };
    let machine = Machine::look()?;
    // A process that ends while it is looked at is left out.
    let pids = match process.filter(|process| !group.exists() && process.is_alive()) {
        Some(process) => ProcessTree::of(process.pid).processes(),
        None => group.processes(),
    };
    Ok(pids.into_iter().filter_map(|pid| machine.process(pid)).collect())
}

/// What the figures of `/proc` are relative to.
struct Machine {
    /// UTC seconds.
    booted: u64,
    /// Seconds since then.
    up: f64,
    users: BTreeMap<u32, String>,
}

impl Machine {
    fn look() -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).doing(|| format!("cannot read `{path}`"));
        let booted = read("/proc/stat")?.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
        let up = read("/proc/uptime")?.split(' ').next().and_then(|field| field.parse().ok());
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Ok(Self { booted: booted.unwrap_or(0), up: up.unwrap_or(0.0), users: users_of(&users) })
    }

    fn process(&self, pid: i32) -> Option<ProcessInfo> {
        let folder = format!("/proc/{pid}");
        let uid = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&folder).ok()?);
        let stat = Stat::parse(&fs::read_to_string(format!("{folder}/stat")).ok()?)?;
        let command = fs::read(format!("{folder}/cmdline")).ok()?;
        let started = stat.start_ticks as f64 / TICKS as f64;
        let lived = (self.up - started).max(0.0);
        let used = stat.cpu_ticks as f64 / TICKS as f64;
        let started = self.booted as f64 + started;
        Some(ProcessInfo {
            user: self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string()),
            pid,
            ppid: stat.ppid,
            cpu_percent: if lived > 0.0 { (used / lived * 100.0) as u64 } else { 0 },
            started: jiff::Timestamp::from_millisecond((started * 1000.0) as i64).unwrap_or_default(),
            tty: tty(stat.tty),
            cpu_seconds: stat.cpu_ticks / TICKS,
            command: command_line(&command, &stat.name),
        })
    }
}

/// Fields of `/proc/PID/stat` (proc(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    ppid: i32,
    tty: u64,
    cpu_ticks: u64,
    start_ticks: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, and may hold spaces and parentheses.
        let (head, rest) = text.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // Counted from field 3.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            name,
            ppid: fields.get(1)?.parse().ok()?,
            tty: fields.get(4)?.parse::<i64>().ok()?.cast_unsigned(),
            cpu_ticks: number(14)? + number(15)?,
            start_ticks: number(22)?,
        })
    }
}

/// The name of a terminal by its number: major 136 to 143 are `pts`, 4 the consoles and serial lines.
fn tty(number: u64) -> String {
    let major = number >> 8 & 0xfff;
    let minor = number & 0xff | number >> 12 & 0xfff00;
    match (major, minor) {
        (136..=143, minor) => format!("pts/{}", (major - 136) * 256 + minor),
        (4, minor @ 0..=63) => format!("tty{minor}"),
        (4, minor) => format!("ttyS{}", minor - 64),
        _ => "?".to_owned(),
    }
}

fn command_line(bytes: &[u8], name: &str) -> String {
    let words: Vec<_> = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let line = words.join(" ").trim_end().to_owned();
    if line.is_empty() { format!("[{name}]") } else { line }
}

fn users_of(passwd: &str) -> BTreeMap<u32, String> {
    let mut users = BTreeMap::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1).and_then(|uid| uid.parse().ok())) {
            // The first entry of a number is the one that counts.
            users.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_proc_are_read() {
        let text = "12 (a) b) S 7 12 12 34816 12 4194560 200 0 0 0 150 50 0 0 20 0 1 0 4242 1 2 3";
        let expected = Stat { name: "a) b".into(), ppid: 7, tty: 34816, cpu_ticks: 200, start_ticks: 4242 };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("12 (a) S 7"), None);
        for (number, name) in [(0, "?"), (34816, "pts/0"), (34821, "pts/5"), (1025, "tty1"), (1088, "ttyS0")] {
            assert_eq!(tty(number), name);
        }
        assert_eq!(command_line(b"sh\0-c\0exit 3\0", "sh"), "sh -c exit 3");
        assert_eq!(command_line(b"", "kworker"), "[kworker]");
        let users = users_of("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nbroken\nme:x:1000:\n");
        assert_eq!(users, BTreeMap::from([(0, "root".to_owned()), (1000, "me".to_owned())]));
    }
}
