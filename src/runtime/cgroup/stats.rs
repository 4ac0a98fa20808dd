//! What a container uses, as its control groups count it: on v1, v2 and both side by side.
//!
//! Reading is here, and apart from it the parsing of each file's format.

use super::{Group, Hierarchy};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Limits of v1 at or above this mean none: the largest multiple of a page.
const NO_LIMIT: u64 = i64::MAX as u64 & !0xffff;

/// What a group has used so far, or uses now. What a machine without the controller cannot tell is 0 or `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the processors.
    pub cpu: CpuUsage,
    /// Of memory.
    pub memory: MemoryUsage,
    /// Of block devices, one entry a device.
    pub block: Vec<BlockUsage>,
    /// Processes and threads.
    pub pids: PidsUsage,
}

/// Time on processors, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuUsage {
    /// All of it.
    pub total: u64,
    /// In programs.
    pub user: u64,
    /// In the kernel.
    pub system: u64,
    /// Periods of the quota that have passed, those of them in which it was used up, and the time waited for the next.
    pub periods: u64,
    /// See `periods`.
    pub throttled_periods: u64,
    /// See `periods`.
    pub throttled_time: u64,
}

/// Memory, bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// All that is charged to the group, cache included.
    pub usage: u64,
    /// `None`: no limit.
    pub limit: Option<u64>,
    /// The most that it was; `None` where the kernel does not tell.
    pub most: Option<u64>,
    /// How often the limit was reached.
    pub failures: u64,
    /// Swap, and its limit, where it is counted by itself (v2).
    pub swap: Option<u64>,
    /// The lines of `memory.stat`.
    pub stat: BTreeMap<String, u64>,
}

impl MemoryUsage {
    /// What Docker's client shows: without the cache that the kernel would give up first.
    pub fn without_cache(&self) -> u64 {
        let inactive = self.stat.get("total_inactive_file").or_else(|| self.stat.get("inactive_file"));
        let inactive = inactive.copied().unwrap_or(0);
        if inactive < self.usage { self.usage - inactive } else { self.usage }
    }
}

/// Bytes moved from and to one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockUsage {
    /// The device's numbers.
    pub major: u64,
    /// See `major`.
    pub minor: u64,
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

/// Numbers of processes and threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PidsUsage {
    /// There are now.
    pub current: u64,
    /// `None`: no limit.
    pub limit: Option<u64>,
}

impl Group<'_> {
    /// Whether it is there. A container that an ordinary user started may have none.
    pub fn exists(&self) -> bool {
        self.hierarchies.all().any(|hierarchy| hierarchy.dir(self.path).is_dir())
    }

    /// What the group uses.
    ///
    /// # Errors
    /// `not_found` when there is no such group: the container has ended.
    pub fn usage(&self) -> Result<Usage> {
        if !self.exists() {
            return Err(Error::not_found(format!("there is no control group `{}`", self.path.display())));
        }
        Ok(Usage { cpu: self.cpu(), memory: self.memory(), block: self.block(), pids: self.pids() })
    }

    /// Pids of all processes of the group and of the groups that were made below it, as this process sees them.
    pub fn processes(&self) -> Vec<i32> {
        let Some(hierarchy) = self.hierarchies.unified.as_ref().or(self.hierarchies.v1.first()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        list(&hierarchy.dir(self.path), &mut found);
        found.sort_unstable();
        found.dedup();
        found
    }

    fn cpu(&self) -> CpuUsage {
        // cgroup2 counts the time without a controller.
        match self.hierarchies.of("cpuacct").or(self.hierarchies.unified.as_ref()) {
            Some(v1) if !v1.is_v2() => {
                let quota = self.hierarchies.of("cpu").map(|cpu| self.text(cpu, "cpu.stat")).unwrap_or_default();
                cpu_v1(&self.text(v1, "cpuacct.usage"), &self.text(v1, "cpuacct.stat"), &quota)
            }
            Some(v2) => cpu_v2(&self.text(v2, "cpu.stat")),
            None => CpuUsage::default(),
        }
    }

    fn memory(&self) -> MemoryUsage {
        let Some(memory) = self.hierarchies.of("memory") else { return MemoryUsage::default() };
        let text = |name| self.text(memory, name);
        if memory.is_v2() {
            MemoryUsage {
                usage: number(&text("memory.current")),
                limit: limit(&text("memory.max")),
                most: text("memory.peak").trim().parse().ok(),
                failures: lines(&text("memory.events")).get("max").copied().unwrap_or(0),
                swap: text("memory.swap.current").trim().parse().ok(),
                stat: lines(&text("memory.stat")),
            }
        } else {
            MemoryUsage {
                usage: number(&text("memory.usage_in_bytes")),
                limit: limit(&text("memory.limit_in_bytes")),
                most: text("memory.max_usage_in_bytes").trim().parse().ok(),
                failures: number(&text("memory.failcnt")),
                swap: None,
                stat: lines(&text("memory.stat")),
            }
        }
    }

    fn block(&self) -> Vec<BlockUsage> {
        if let Some(v1) = self.hierarchies.of("blkio") {
            // The second is empty where no device has the scheduler that counts for it; the first always counts.
            let names = ["blkio.throttle.io_service_bytes_recursive", "blkio.bfq.io_service_bytes_recursive"];
            let found = names.iter().map(|name| blkio_v1(&self.text(v1, name)));
            return found
                .max_by_key(|devices| devices.iter().map(|it| it.read + it.written).sum::<u64>())
                .unwrap_or_default();
        }
        self.hierarchies.of("io").map(|v2| io_v2(&self.text(v2, "io.stat"))).unwrap_or_default()
    }

    fn pids(&self) -> PidsUsage {
        match self.hierarchies.of("pids") {
            Some(pids) => PidsUsage {
                current: number(&self.text(pids, "pids.current")),
                limit: limit(&self.text(pids, "pids.max")),
            },
            None => PidsUsage { current: self.processes().len() as u64, limit: None },
        }
    }

    /// A file of the group, empty where this kernel does not have it.
    fn text(&self, hierarchy: &Hierarchy, name: &str) -> String {
        std::fs::read_to_string(hierarchy.dir(self.path).join(name)).unwrap_or_default()
    }
}

fn list(dir: &Path, found: &mut Vec<i32>) {
    let text = std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    // 0 stands for a process that this pid namespace does not see.
    found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
    for below in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if below.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(&below.path(), found);
        }
    }
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

/// `max`, or on v1 a number that cannot be reached, is no limit.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|limit| *limit < NO_LIMIT)
}

/// `key value` on each line.
fn lines(text: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

fn cpu_v2(stat: &str) -> CpuUsage {
    let stat = lines(stat);
    let of = |name: &str| stat.get(name).copied().unwrap_or(0);
    CpuUsage {
        total: of("usage_usec") * 1000,
        user: of("user_usec") * 1000,
        system: of("system_usec") * 1000,
        periods: of("nr_periods"),
        throttled_periods: of("nr_throttled"),
        throttled_time: of("throttled_usec") * 1000,
    }
}

/// `cpuacct.usage` in nanoseconds, `cpuacct.stat` in ticks, `cpu.stat` of the quota in nanoseconds.
fn cpu_v1(usage: &str, stat: &str, quota: &str) -> CpuUsage {
    // USER_HZ, which is 100 on every architecture that we build for.
    const TICK: u64 = 10_000_000;
    let (stat, quota) = (lines(stat), lines(quota));
    let of = |map: &BTreeMap<String, u64>, name: &str| map.get(name).copied().unwrap_or(0);
    CpuUsage {
        total: number(usage),
        user: of(&stat, "user") * TICK,
        system: of(&stat, "system") * TICK,
        periods: of(&quota, "nr_periods"),
        throttled_periods: of(&quota, "nr_throttled"),
        throttled_time: of(&quota, "throttled_time"),
    }
}

fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `8:0 rbytes=1 wbytes=2 rios=…` on each line.
fn io_v2(text: &str) -> Vec<BlockUsage> {
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (major, minor) = device(fields.next()?)?;
        let mut usage = BlockUsage { major, minor, ..BlockUsage::default() };
        for (key, value) in fields.filter_map(|field| field.split_once('=')) {
            match key {
                "rbytes" => usage.read = number(value),
                "wbytes" => usage.written = number(value),
                _ => {}
            }
        }
        Some(usage)
    };
    text.lines().filter_map(line).collect()
}

/// `8:0 Read 1`, `8:0 Write 2`, … on each line, and `Total 3` at the end.
fn blkio_v1(text: &str) -> Vec<BlockUsage> {
    let mut devices: BTreeMap<(u64, u64), BlockUsage> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace();
        let Some((major, minor)) = fields.next().and_then(device) else { continue };
        let usage = devices.entry((major, minor)).or_insert(BlockUsage { major, minor, ..BlockUsage::default() });
        match (fields.next(), fields.next()) {
            (Some("Read"), Some(value)) => usage.read = number(value),
            (Some("Write"), Some(value)) => usage.written = number(value),
            _ => {}
        }
    }
    devices.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::cgroup::Hierarchies;
    use std::path::PathBuf;

    #[test]
    fn the_formats_of_both_versions_are_read() {
        let cpu = cpu_v2(
            "usage_usec 3000\nuser_usec 2000\nsystem_usec 1000\nnr_periods 7\nnr_throttled 2\nthrottled_usec 5\n",
        );
        assert_eq!(
            cpu,
            CpuUsage {
                total: 3_000_000,
                user: 2_000_000,
                system: 1_000_000,
                periods: 7,
                throttled_periods: 2,
                throttled_time: 5000
            }
        );
        let cpu = cpu_v1("3000000\n", "user 2\nsystem 1\n", "nr_periods 7\nnr_throttled 2\nthrottled_time 5000\n");
        assert_eq!((cpu.total, cpu.user, cpu.system), (3_000_000, 20_000_000, 10_000_000));
        assert_eq!((cpu.periods, cpu.throttled_periods, cpu.throttled_time), (7, 2, 5000));

        let expected = [
            BlockUsage { major: 8, minor: 0, read: 4096, written: 8192 },
            BlockUsage { major: 254, minor: 16, read: 1, written: 0 },
        ];
        let v2 = "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n254:16 rbytes=1 rios=1\n";
        let v1 = "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 1\n8:0 Total 12288\n254:16 Read 1\nTotal 12289\n";
        assert_eq!(io_v2(v2), expected);
        assert_eq!(blkio_v1(v1), expected);
        assert!(blkio_v1("Total 0\n").is_empty() && io_v2("").is_empty());

        for (text, expected) in
            [("max\n", None), ("9223372036854771712\n", None), ("1048576\n", Some(1 << 20)), ("", None)]
        {
            assert_eq!(limit(text), expected, "{text}");
        }
    }

    #[test]
    fn dockers_figure_is_without_inactive_cache() {
        let memory =
            |usage, stat: &str| MemoryUsage { usage, stat: lines(stat), ..MemoryUsage::default() }.without_cache();
        // v1 counts the groups below in `total_`, v2 always does.
        assert_eq!(memory(100, "inactive_file 10\ntotal_inactive_file 30\n"), 70);
        assert_eq!(memory(100, "inactive_file 10\n"), 90);
        assert_eq!(memory(100, "inactive_file 100\n"), 100);
    }

    #[test]
    fn a_group_that_is_gone_is_not_found() {
        let hierarchies = Hierarchies::discover().unwrap();
        let path = PathBuf::from("shanty/no-such-root/no-such-container");
        let group = Group { hierarchies: &hierarchies, path: &path };
        assert!(group.usage().unwrap_err().is(crate::error::ErrorKind::NotFound));
        assert!(group.processes().is_empty());
    }
}
