//! The maps of a user's namespace: written with `newuidmap` and `newgidmap` where the user has ranges, else those of its
//! single id.

use super::ranges::{self, SubordinateRange};
use crate::error::{Error, IoContext, Result};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

/// Who may be mapped into a user's namespace.
#[derive(Debug)]
pub struct Subordinate {
    uids: Vec<SubordinateRange>,
    gids: Vec<SubordinateRange>,
}

/// Has those who ask for it work with a single id although they have ranges: for tests, and for machines whose
/// `newuidmap` does not work.
const SINGLE_ID: &str = "SHANTY_SINGLE_ID";

impl Subordinate {
    /// The ranges of a user; `None` without them, or without the programs that write them.
    pub fn of(uid: u32) -> Option<Self> {
        if std::env::var_os(SINGLE_ID).is_some_and(|value| !value.is_empty() && value != "0") {
            return None;
        }
        let ranges = Self { uids: ranges::of_user("/etc/subuid", uid), gids: ranges::of_user("/etc/subgid", uid) };
        let complete = !ranges.uids.is_empty() && !ranges.gids.is_empty();
        (complete && ["newuidmap", "newgidmap"].into_iter().all(is_installed)).then_some(ranges)
    }
}

/// Whether a program is where programs are.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Writes the maps of the namespace that `pid` is in: root is the user, the others are its ranges, one after the other.
pub fn write(pid: i32, uid: u32, gid: u32, ranges: Option<&Subordinate>) -> Result<()> {
    let Some(ranges) = ranges else { return write_single(pid, uid, gid) };
    run("newuidmap", pid, uid, &ranges.uids)?;
    run("newgidmap", pid, gid, &ranges.gids)
}

fn run(program: &str, pid: i32, own: u32, ranges: &[SubordinateRange]) -> Result<()> {
    let mut command = Command::new(program);
    command.arg(pid.to_string()).args(["0", &own.to_string(), "1"]);
    let mut inside = 1u32;
    for range in ranges {
        command.args([inside, range.start, range.count].map(|number| number.to_string()));
        inside = inside.saturating_add(range.count);
    }
    let output = command.output().doing(|| format!("cannot execute `{program}`"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let mut text = format!("`{program}` does not give you the ids of `/etc/sub{}`", &program[3..6]);
    if let Some(line) = said.lines().last() {
        let _ = write!(text, ": {}", line.trim_start_matches(&format!("{program}: ")));
    }
    Err(Error::new(crate::error::ErrorKind::Denied, text)
        .hint(format!("`shanty doctor` says what is wrong with this machine; `{SINGLE_ID}=1` works without those ids")))
}

fn write_single(pid: i32, uid: u32, gid: u32) -> Result<()> {
    let set = |file: &str, text: String| {
        fs::write(format!("/proc/{pid}/{file}"), text).doing(|| format!("cannot write `{file}` of the user namespace"))
    };
    // Else the kernel takes no map of groups from somebody without rights.
    set("setgroups", "deny".into())?;
    set("uid_map", format!("0 {uid} 1"))?;
    set("gid_map", format!("0 {gid} 1"))
}
