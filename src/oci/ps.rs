//! `ps`: which processes a container has.

use super::arguments::{Format, Ps};
use super::container::Container;
use super::{print, print_json};
use crate::error::{Error, IoContext, Result};
use crate::runtime::cgroup::Hierarchies;
use std::path::Path;
use std::process::Command;

/// Writes them to standard output: their ids as JSON, or the lines that ps(1) has of them.
pub fn run(root: &Path, ps: &Ps) -> Result<()> {
    let container = Container::load(root, &ps.id)?;
    let pids = container.group(&Hierarchies::discover()?).processes();
    if ps.format == Format::Json {
        return print_json(&pids);
    }
    let usual = ["-ef".to_owned()];
    let arguments = if ps.arguments.is_empty() { &usual } else { ps.arguments.as_slice() };
    let output = Command::new("ps").args(arguments).output().doing(|| "cannot execute `ps`")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::invalid(format!("`ps {}` failed: {}", arguments.join(" "), said.trim())));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let heading = lines.next().unwrap_or_default();
    let column = heading.split_ascii_whitespace().position(|name| name == "PID").ok_or_else(|| {
        Error::invalid(format!("`ps {}` has no column `PID`", arguments.join(" "))).hint("ask for it: `-o pid,args`")
    })?;
    print(heading)?;
    for line in lines {
        let pid = line.split_ascii_whitespace().nth(column).and_then(|pid| pid.parse().ok());
        if pid.is_some_and(|pid: i32| pids.contains(&pid)) {
            print(line)?;
        }
    }
    Ok(())
}
