//! The part of cgroup2 that an ordinary user may make groups in.

use super::scopes;
use crate::runtime::systemd;
use nix::unistd::{AccessFlags, access};
use std::fs;
use std::path::{Path, PathBuf};

/// What its owner writes (cgroup-v2.rst, "Delegation").
const FILES: [&str; 3] = ["", "cgroup.procs", "cgroup.subtree_control"];

/// Where the control groups of a user's containers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Below `group`, which is above this process, in `own`.
    Delegated {
        /// The highest one that is the user's alone.
        group: PathBuf,
        /// Where this process is.
        own: PathBuf,
    },
    /// In scopes that the user's systemd makes.
    Systemd {
        /// The group of that systemd.
        manager: PathBuf,
    },
    /// Nowhere.
    Nowhere {
        /// Why there are none.
        reason: String,
    },
}

/// That of this process, which a user has called. `mount_point`: of cgroup2; `own`: the text of `/proc/self/cgroup`.
pub fn place(mount_point: &Path, own: &str, uid: u32) -> Place {
    let is_ours = |group: &Path| FILES.iter().all(|file| access(&group.join(file), AccessFlags::W_OK).is_ok());
    let found = delegated(mount_point, own, uid, is_ours);
    if let Some((group, own, true)) = found {
        return Place::Delegated { group, own };
    }
    match (asking(mount_point, uid), found) {
        (Ok(manager), _) => Place::Systemd { manager },
        // Better than none, although systemd takes all that is there for its own.
        (Err(_), Some((group, own, false))) => Place::Delegated { group, own },
        (Err(reason), _) => Place::Nowhere { reason },
    }
}

/// The controllers of a group.
pub fn controllers(group: &Path) -> Vec<String> {
    let text = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// The group of the user's systemd when it can be asked, else why not.
fn asking(mount_point: &Path, uid: u32) -> Result<PathBuf, String> {
    let manager = scopes::manager(mount_point, uid);
    if !manager.is_dir() {
        return Err(format!(
            "no control group is delegated to you, and no systemd of yours runs (`user@{uid}.service`)"
        ));
    }
    systemd::is_there(uid).map(|()| manager).map_err(|reason| {
        format!("no control group is delegated to you, and your systemd cannot be asked for one: {reason}")
    })
}

/// The highest group above this process that it may write to, where this process is, and whether nobody else makes
/// groups there.
///
/// Only a group above us: the kernel moves and makes processes where both ends and what is above them is ours.
fn delegated(
    mount_point: &Path,
    own: &str,
    uid: u32,
    is_ours: impl Fn(&Path) -> bool,
) -> Option<(PathBuf, PathBuf, bool)> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).map(|own| mount_point.join(own))?;
    let above = own.ancestors().take_while(|group| group.starts_with(mount_point) && *group != mount_point);
    let ours: Vec<&Path> = above.take_while(|group| is_ours(group)).collect();
    let highest = ours.last()?.to_path_buf();
    let Some(at) = ours.iter().position(|group| scopes::is_manager(group, uid)) else {
        return Some((highest, own.clone(), true));
    };
    // In the user's systemd all groups are its own but those below units that it delegates. Version 252 does not mark them, but
    // nobody else makes groups there. A process in the unit itself would keep controllers from being handed down
    // (cgroup-v2.rst, "No Internal Process Constraint").
    let unit = ours[..at].iter().rev().find(|group| group.extension().is_none_or(|kind| kind != "slice"));
    match unit {
        Some(unit) if **unit != own => Some((unit.to_path_buf(), own.clone(), true)),
        _ => Some((highest, own.clone(), false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_group_of_ours_is_found() {
        let find = |own: &str, ours: &[&str]| {
            let is_ours = |group: &Path| ours.iter().any(|our| group == Path::new(our));
            let (group, _, alone) = delegated(Path::new("/cg"), own, 1, is_ours)?;
            assert!(alone);
            Some(group.to_string_lossy().into_owned())
        };
        let own = "1:name=systemd:/x\n0::/a/user/app/x\n";
        assert_eq!(find(own, &["/cg/a/user", "/cg/a/user/app", "/cg/a/user/app/x"]).as_deref(), Some("/cg/a/user"));
        assert_eq!(find(own, &["/cg/a/user/app/x"]).as_deref(), Some("/cg/a/user/app/x"));
        // What is not above us without a gap is somebody else's.
        assert_eq!(find(own, &["/cg/a/user"]), None);
        assert_eq!(find(own, &[]), None);
        assert_eq!(find("0::/\n", &["/cg"]), None);
        assert_eq!(find("", &["/cg"]), None);
    }

    #[test]
    fn in_a_users_systemd_only_what_it_delegates_is_ours_alone() {
        const MANAGER: &str = "/cg/user.slice/user-7.slice/user@7.service";
        let find = |own: &str| {
            let own = format!("0::{}{own}\n", MANAGER.strip_prefix("/cg").unwrap());
            let is_ours = |group: &Path| group.starts_with(MANAGER);
            let (group, _, alone) = delegated(Path::new("/cg"), &own, 7, is_ours).unwrap();
            (group.strip_prefix(MANAGER).unwrap().to_string_lossy().into_owned(), alone)
        };
        let scope = "/app.slice/app-x.slice/x.scope";
        for below in ["/below", "/below/more"] {
            assert_eq!(find(&format!("{scope}{below}")), (scope[1..].to_owned(), true));
        }
        // A shell in the unit itself; the manager's own group.
        for own in [scope, "/init.scope", "/app.slice", ""] {
            assert_eq!(find(own), (String::new(), false), "{own}");
        }
    }
}
