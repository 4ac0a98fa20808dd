//! The part of cgroup2 that an ordinary user may make groups in.

use super::Hierarchy;
use nix::unistd::{AccessFlags, access};
use std::path::{Path, PathBuf};

/// What its owner writes (cgroup-v2.rst, "Delegation").
const FILES: [&str; 3] = ["", "cgroup.procs", "cgroup.subtree_control"];

/// The hierarchy below the highest group above this process that it may write to; `None` where there is none. `own`:
/// the text of `/proc/self/cgroup`.
///
/// Only a group above us: the kernel moves and makes processes where both ends and what is above them is ours.
pub fn delegated(unified: Hierarchy, own: &str) -> Option<Hierarchy> {
    let is_ours = |group: &Path| FILES.iter().all(|file| access(&group.join(file), AccessFlags::W_OK).is_ok());
    let own = own_group(&unified.mount_point, own)?;
    let group = highest(&unified.mount_point, &own, is_ours)?;
    Some(unified.below(group, own))
}

fn own_group(mount_point: &Path, own: &str) -> Option<PathBuf> {
    own.lines().find_map(|line| line.strip_prefix("0::/")).map(|own| mount_point.join(own))
}

fn highest(mount_point: &Path, own: &Path, is_ours: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let above = own.ancestors().take_while(|group| group.starts_with(mount_point) && *group != mount_point);
    above.take_while(|group| is_ours(group)).last().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_group_of_ours_is_found() {
        let find = |own: &str, ours: &[&str]| {
            let own = own_group(Path::new("/cg"), own)?;
            let found = highest(Path::new("/cg"), &own, |group| ours.iter().any(|our| group == Path::new(our)));
            found.map(|path| path.to_string_lossy().into_owned())
        };
        let own = "1:name=systemd:/x\n0::/user.slice/user@1/app/x.scope\n";
        let manager = "/cg/user.slice/user@1";
        let app = format!("{manager}/app");
        let scope = format!("{app}/x.scope");
        assert_eq!(find(own, &[manager, &app, &scope]).as_deref(), Some(manager));
        assert_eq!(find(own, &[&scope]), Some(scope.clone()));
        // What is not above us without a gap is somebody else's.
        assert_eq!(find(own, &[manager]), None);
        assert_eq!(find(own, &[]), None);
        assert_eq!(find("0::/\n", &["/cg"]), None);
        assert_eq!(find("", &["/cg"]), None);
    }
}
