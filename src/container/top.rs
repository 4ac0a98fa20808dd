//! The processes of a container.

use super::row::Row;
use super::state;
use crate::error::{Error, IoContext, Result};
use crate::model::ProcessInfo;
use crate::runtime::cgroup::{Group, Hierarchies, container_path};
use crate::runtime::process_tree::ProcessTree;
use crate::store::Store;
use crate::sys::process_stat::{ProcessStat, TICKS};
use std::collections::BTreeMap;
use std::fs;

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
    let hierarchies = Hierarchies::of_container(store.root_id8(), row.id.as_str())?;
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
        let stat = ProcessStat::of(pid).ok()?;
        let command = fs::read(format!("{folder}/cmdline")).ok()?;
        let started = stat.start_time as f64 / TICKS as f64;
        let lived = (self.up - started).max(0.0);
        let ticks = stat.user + stat.system;
        let used = ticks as f64 / TICKS as f64;
        let started = self.booted as f64 + started;
        Some(ProcessInfo {
            user: self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string()),
            pid,
            ppid: stat.parent,
            cpu_percent: if lived > 0.0 { (used / lived * 100.0) as u64 } else { 0 },
            started: jiff::Timestamp::from_millisecond((started * 1000.0) as i64).unwrap_or_default(),
            tty: tty(stat.terminal),
            cpu_seconds: ticks / TICKS,
            command: command_line(&command, &stat.name),
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
    fn terminals_commands_and_users_are_named() {
        for (number, name) in [(0, "?"), (34816, "pts/0"), (34821, "pts/5"), (1025, "tty1"), (1088, "ttyS0")] {
            assert_eq!(tty(number), name);
        }
        assert_eq!(command_line(b"sh\0-c\0exit 3\0", "sh"), "sh -c exit 3");
        assert_eq!(command_line(b"", "kworker"), "[kworker]");
        let users = users_of("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nbroken\nme:x:1000:\n");
        assert_eq!(users, BTreeMap::from([(0, "root".to_owned()), (1000, "me".to_owned())]));
    }
}
