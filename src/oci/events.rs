//! `events`: what a container uses, and that it ran out of memory, as lines of JSON.

use super::arguments::Events;
use super::container::{Container, Status};
use super::{delete, print};
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::cgroup::{BlockUsage, Hierarchies, OomWatch, Usage};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;
use std::path::Path;

/// Writes them until the container has ended, or its use once.
pub fn run(root: &Path, events: &Events) -> Result<()> {
    let container = Container::load(root, &events.id)?;
    let hierarchies = Hierarchies::discover()?;
    let group = container.group(&hierarchies);
    if container.status()? == Status::Stopped {
        return Err(Error::conflict(format!("container not running: `{}`", events.id)));
    }
    let tell = |kind: &str, data: serde_json::Value| {
        let mut event = serde_json::json!({ "type": kind, "id": events.id });
        if !data.is_null() {
            event["data"] = data;
        }
        print(&event.to_string())
    };
    if events.stats {
        return tell("stats", stats(&group.usage()?));
    }
    let init = container.running_init()?;
    let mut kills = group.oom_kills();
    let mut watch = OomWatch::new(group).ok();
    loop {
        let mut fds = vec![PollFd::new(init.as_fd(), PollFlags::POLLIN)];
        fds.extend(watch.as_ref().map(|watch| {
            let (fd, flags) = watch.poll_fd();
            PollFd::new(fd, flags)
        }));
        let timeout = PollTimeout::try_from(events.interval).unwrap_or(PollTimeout::MAX);
        let ready = poll(&mut fds, timeout);
        let (ended, short) = (fds[0].any() == Some(true), fds.get(1).is_some_and(|fd| fd.any() == Some(true)));
        if short && let Some(watch) = &mut watch {
            watch.reset();
        }
        let now = group.oom_kills();
        if now > kills {
            kills = now;
            tell("oom", serde_json::Value::Null)?;
        }
        if ended {
            return delete::wait_for_end(&init, 0);
        }
        match group.usage() {
            Ok(usage) if ready == Ok(0) => tell("stats", stats(&usage))?,
            Err(error) if error.is(ErrorKind::NotFound) => return Ok(()),
            _ => {}
        }
    }
}

/// In the form of runc's events.
fn stats(usage: &Usage) -> serde_json::Value {
    let Usage { cpu, memory, block, pids } = usage;
    let entry = |limit: Option<u64>, usage: u64, most: Option<u64>, failures: u64| serde_json::json!({ "limit": limit.unwrap_or(u64::MAX), "usage": usage, "max": most.unwrap_or(0), "failcnt": failures });
    let bytes = |device: &BlockUsage, op: &str, value: u64| serde_json::json!({ "major": device.major, "minor": device.minor, "op": op, "value": value });
    let bytes: Vec<_> = block
        .iter()
        .flat_map(|device| [bytes(device, "Read", device.read), bytes(device, "Write", device.written)])
        .collect();
    serde_json::json!({
        "cpu": {
            "usage": { "total": cpu.total, "kernel": cpu.system, "user": cpu.user },
            "throttling": {
                "periods": cpu.periods, "throttledPeriods": cpu.throttled_periods, "throttledTime": cpu.throttled_time,
            },
        },
        "memory": {
            "cache": memory.stat.get("total_cache").or(memory.stat.get("file")).copied().unwrap_or(0),
            "usage": entry(memory.limit, memory.usage, memory.most, memory.failures),
            "swap": entry(None, memory.swap.unwrap_or(0), None, 0),
            "raw": memory.stat,
        },
        "pids": { "current": pids.current, "limit": pids.limit.unwrap_or(0) },
        "blkio": { "ioServiceBytesRecursive": bytes },
    })
}
