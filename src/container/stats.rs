//! What a container uses: once, or again and again.

use super::row::Row;
use super::state;
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::ContainerStats;
use crate::runtime::cgroup::{Group, Hierarchies, Usage, container_path};
use crate::runtime::process_tree::ProcessTree;
use crate::store::Store;
use crate::sys::process::ProcessIdentity;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Gives what a running container uses after each interval, until `on_stats` returns `false` or the container has
/// ended. The load of the processors is that of the interval.
///
/// # Errors
/// `conflict` when it does not run, or ends before the first interval is over.
pub fn stats(
    store: &Store,
    cx: &Context,
    mut row: Row,
    interval: Duration,
    on_stats: &mut dyn FnMut(ContainerStats) -> Result<bool>,
) -> Result<()> {
    let hierarchies = Hierarchies::of_container(store.root_id8(), row.id.as_str())?;
    let path = container_path(store.root_id8(), row.id.as_str());
    let group = Group { hierarchies: &hierarchies, path: &path };
    let machine_memory = machine_memory()?;
    let Some(mut last) = sample(store, &mut row, group)? else {
        return Err(not_running(&row));
    };
    let mut is_first = true;
    loop {
        cx.cancel.sleep(interval)?;
        let Some(now) = sample(store, &mut row, group)? else {
            return if is_first { Err(not_running(&row)) } else { Ok(()) };
        };
        let stats = between(&row, &last, &now, machine_memory);
        if !on_stats(stats)? {
            return Ok(());
        }
        last = now;
        is_first = false;
    }
}

struct Sample {
    at: Instant,
    usage: Usage,
    network: (u64, u64),
}

/// `None` when it does not run.
fn sample(store: &Store, row: &mut Row, group: Group<'_>) -> Result<Option<Sample>> {
    let process = state::refresh(store, row)?.and_then(|state| state.process);
    if !row.state.status.is_alive() {
        return Ok(None);
    }
    let usage = match (group.exists(), &process) {
        (false, Some(process)) if process.is_alive() => ProcessTree::of(process.pid).usage(),
        _ => group.usage(),
    };
    let usage = match usage {
        Ok(usage) => usage,
        // It has ended since.
        Err(error) if error.is(ErrorKind::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(Sample {
        at: Instant::now(),
        usage,
        network: process.map(|process| network_of(&process)).unwrap_or_default(),
    }))
}

fn between(row: &Row, last: &Sample, now: &Sample, machine_memory: u64) -> ContainerStats {
    let Usage { cpu, memory, block, pids } = &now.usage;
    // Docker divides by what all processors did meanwhile and multiplies by their number: that is the time that passed.
    let passed = now.at.duration_since(last.at).as_nanos().max(1) as f64;
    let used = memory.without_cache();
    let limit = memory.limit.unwrap_or(machine_memory).min(machine_memory);
    ContainerStats {
        id: row.id.as_str().to_owned(),
        name: row.name.clone(),
        cpu_percent: rounded(cpu.total.saturating_sub(last.usage.cpu.total) as f64 / passed * 100.0),
        cpu_seconds: cpu.total as f64 / 1e9,
        memory: used,
        memory_limit: limit,
        memory_percent: rounded(used as f64 / limit.max(1) as f64 * 100.0),
        network_rx: now.network.0,
        network_tx: now.network.1,
        block_read: block.iter().map(|device| device.read).sum(),
        block_write: block.iter().map(|device| device.written).sum(),
        pids: pids.current,
        time: jiff::Timestamp::now(),
    }
}

/// Two digits, as Docker shows them.
fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

/// Bytes received and sent by a process's network; nothing for one that is the host's, as in Docker.
fn network_of(process: &ProcessIdentity) -> (u64, u64) {
    let pid = process.pid;
    let namespace = |who: &str| fs::read_link(Path::new("/proc").join(who).join("ns/net")).ok();
    let theirs = namespace(&pid.to_string());
    if theirs.is_none() || theirs == namespace("self") {
        return (0, 0);
    }
    let read = fs::read_to_string(format!("/proc/{pid}/net/dev")).map(|text| parse_network(&text)).unwrap_or_default();
    // Another process may have its pid by now.
    if process.is_alive() { read } else { (0, 0) }
}

/// proc(5): two lines of headings, then `name: received_bytes … sent_bytes …` with eight fields each.
fn parse_network(text: &str) -> (u64, u64) {
    let mut sum = (0, 0);
    for line in text.lines().skip(2) {
        let Some((name, fields)) = line.split_once(':') else { continue };
        let fields: Vec<u64> = fields.split_ascii_whitespace().filter_map(|field| field.parse().ok()).collect();
        if name.trim() != "lo" && fields.len() > 8 {
            sum = (sum.0 + fields[0], sum.1 + fields[8]);
        }
    }
    sum
}

fn machine_memory() -> Result<u64> {
    let path = "/proc/meminfo";
    let text = fs::read_to_string(path).doing(|| format!("cannot read `{path}`"))?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    Ok(total.unwrap_or(0_u64) * 1024)
}

fn not_running(row: &Row) -> Error {
    Error::conflict(format!("container `{}` is not running", row.name))
        .hint(format!("start it: `container(\"{}\").start()`", row.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_is_counted_without_loopback() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     500       5    0    0    0     0          0         0      500       5    0    0    0     0       0          0
  eth0:    1000       5    0    0    0     0          0         0       70       1    0    0    0     0       0          0
  eth1:1        5    0    0    0     0          0         0       2       1    0    0    0     0       0          0
";
        assert_eq!(parse_network(text), (1001, 72));
    }
}
