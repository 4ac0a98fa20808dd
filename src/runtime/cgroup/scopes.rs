//! The scopes that an ordinary user's systemd makes: one for each monitor, with the groups of its container, and one for
//! what all containers share.
//!
//! A scope is there as long as something is in it, so it needs nobody who takes it away, and nobody but its monitor and its
//! container lives in it: stopping it, which ends all that is inside, ends one container.

use super::{Hierarchies, Hierarchy, monitors_path, try_write};
use crate::error::{IoContext, Result};
use crate::privilege::Privilege;
use crate::runtime::systemd::{self, Scope};
use std::fs;
use std::path::{Path, PathBuf};

/// Where systemd has what a person runs (systemd.special(7)).
const SLICE: &str = "app.slice";
const PREFIX: &str = "shanty-";
const KIND: &str = ".scope";
/// Digits of a container's id that are shown.
const SHOWN: usize = 12;

/// The group of a user's systemd (systemd's "Control Group APIs and Delegation", and logind).
pub fn manager(mount_point: &Path, uid: u32) -> PathBuf {
    mount_point.join(format!("user.slice/user-{uid}.slice/user@{uid}.service"))
}

/// Whether a group is one of a user's systemd, wherever that is.
pub fn is_manager(group: &Path, uid: u32) -> bool {
    group.file_name().is_some_and(|name| name == &*format!("user@{uid}.service"))
}

/// Has this process, the monitor of a container, leave where it came from, and gives the hierarchies in which the groups of
/// the container are to be made.
pub(super) fn enter(found: Hierarchies, group: &Path) -> Hierarchies {
    let (Some(outer), true) = (&found.outer, found.are_scopes()) else { return found };
    match make(outer, group) {
        Ok(scope) => Hierarchies { is_left: true, ..found.with(scope) },
        // Containers work without groups as well; limits that are asked for say this.
        Err(error) => Hierarchies { absent: Some(error.message()), manager: None, ..found },
    }
}

/// Has this process leave the groups of whoever called it, which go with a session or a container; `what` it is for is a part
/// of the scope's name. Nothing to do where systemd does not make the groups.
pub fn leave(what: &str) -> Result<()> {
    if !Privilege::current().is_rootless() {
        return Ok(());
    }
    let found = Hierarchies::discover()?;
    let is_ours = |unified: &Hierarchy| {
        let name = unified.mount_point.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(PREFIX) && name.ends_with(KIND)
    };
    if !found.are_scopes() && !found.unified.as_ref().is_some_and(is_ours) {
        return Ok(());
    }
    ask(&format!("{PREFIX}{what}-"), &format!("Shanty's {what}"))
}

fn make(outer: &Hierarchy, group: &Path) -> Result<Hierarchy> {
    ask(&prefix(group), &format!("Shanty container {}", shown(group)))?;
    let own = fs::read_to_string("/proc/self/cgroup").doing(|| "cannot read `/proc/self/cgroup`")?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let scope = outer.mount_point.join(path);
    // Not in the scope itself: a group with processes hands no controllers down.
    let monitors = scope.join(monitors_path(&root_of(group)));
    let doing = || format!("cannot enter `{}`", monitors.display());
    fs::create_dir_all(&monitors).doing(doing)?;
    try_write(&monitors.join("cgroup.procs"), "0").doing(doing)?;
    Ok(outer.clone().below(scope.clone(), monitors))
}

fn ask(prefix: &str, description: &str) -> Result<()> {
    let name = format!("{prefix}{}{KIND}", std::process::id());
    systemd::start(Privilege::current().uid(), &Scope { name: &name, description, slice: SLICE })
}

/// The scope that a container of ours is in; `None` when it is in none.
pub(super) fn find(outer: &Hierarchy, group: &Path) -> Option<Hierarchy> {
    let slice = manager(&outer.mount_point, Privilege::current().uid()).join(SLICE);
    let prefix = prefix(group);
    let entries = fs::read_dir(slice).ok()?.flatten();
    let mut named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    // One that is about to go may still be there.
    let scope = named.find_map(|entry| entry.path().join(group).is_dir().then(|| entry.path()))?;
    Some(outer.clone().below(scope.clone(), scope))
}

/// What the names of the scopes of a container begin with: a monitor adds its process id, so that the scope of the one before
/// may still be there. `group`: `shanty/<id8>/<id>`.
fn prefix(group: &Path) -> String {
    format!("{PREFIX}{}-{}-", root_of(group), shown(group))
}

fn root_of(group: &Path) -> String {
    group.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
}

fn shown(group: &Path) -> String {
    group.file_name().unwrap_or_default().to_string_lossy().chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::cgroup::container_path;

    #[test]
    fn a_scope_is_found_by_its_container_and_not_by_its_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        let outer = Hierarchy::pretend(folder.path().to_owned(), &[], true);
        let slice = manager(folder.path(), Privilege::current().uid()).join(SLICE);
        let group = container_path("12345678", &"ab".repeat(32));
        for (pid, inside) in [(7, "shanty/12345678/monitors".into()), (8, group.clone())] {
            fs::create_dir_all(slice.join(format!("shanty-12345678-abababababab-{pid}.scope")).join(inside)).unwrap();
        }
        let found = find(&outer, &group).unwrap();
        assert!(found.mount_point.ends_with("app.slice/shanty-12345678-abababababab-8.scope"));
        assert!(found.dir(&group).is_dir());
        assert_eq!(find(&outer, &container_path("12345678", &"cd".repeat(32))), None);
    }
}
