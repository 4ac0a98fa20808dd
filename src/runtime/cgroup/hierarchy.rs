//! Which hierarchies of control groups this machine has, and groups in them.

use super::delegation::{self, Place, controllers};
use super::{container_path, make_dir, scopes, try_write};
use crate::error::{Error, IoContext, Result};
use crate::privilege::Privilege;
use nix::errno::Errno;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// How often a group is made anew whose parents are taken away meanwhile.
const MOST_TRIES: u32 = 100;

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Its controllers: `memory`, `cpu`, … `name=systemd` is one without an effect.
    pub controllers: Vec<String>,
    v2: bool,
    left_to: Option<PathBuf>,
}

/// All hierarchies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchies {
    /// Those of cgroup v1.
    pub v1: Vec<Hierarchy>,
    /// cgroup2, alone or beside v1.
    pub unified: Option<Hierarchy>,
    /// Why an ordinary user has none.
    pub absent: Option<String>,
    /// All of cgroup2, of which an ordinary user has a part.
    pub(super) outer: Option<Hierarchy>,
    /// The group of the user's systemd, which is to be asked for a scope.
    pub(super) manager: Option<PathBuf>,
    /// Whether this process is where its caller's groups do not reach.
    pub(super) is_left: bool,
}

impl Hierarchies {
    /// Reads them from this process's mounts.
    pub fn discover() -> Result<Self> {
        let read = |path: &str| std::fs::read_to_string(path).doing(|| format!("cannot read `{path}`"));
        let mut found = Self::parse(&read("/proc/self/mountinfo")?);
        if Privilege::current().is_rootless() {
            return Ok(found.of_user(&read("/proc/self/cgroup").unwrap_or_default()));
        }
        if let Some(unified) = found.unified.take() {
            found = found.with(unified);
        }
        Ok(found)
    }

    /// Those that the groups of a container are in, whoever asks.
    pub fn of_container(root_id8: &str, id: &str) -> Result<Self> {
        let found = Self::discover()?;
        let scope = found.outer.as_ref().and_then(|outer| scopes::find(outer, &container_path(root_id8, id)));
        Ok(match scope {
            Some(scope) => found.with(scope),
            None => found,
        })
    }

    /// Those for the groups of a container whose monitor this process is; it leaves its caller's groups where systemd
    /// has to do that.
    pub fn of_monitor(group: &Path) -> Result<Self> {
        Self::discover().map(|found| scopes::enter(found, group))
    }

    /// Whether this process is in a scope of its own.
    pub fn is_left(&self) -> bool {
        self.is_left
    }

    /// The controllers that containers can have: those of the groups, or of where the user's systemd makes some.
    pub fn controllers(&self) -> Vec<String> {
        let asked = self.manager.as_deref().map(controllers);
        asked.unwrap_or_else(|| self.all().flat_map(|hierarchy| hierarchy.controllers.clone()).collect())
    }

    /// Whether the user's systemd makes a scope for each container.
    pub fn are_scopes(&self) -> bool {
        self.manager.is_some()
    }

    /// What an ordinary user has of them.
    fn of_user(self, own: &str) -> Self {
        let Some(unified) = self.unified else {
            return Self { absent: Some("this machine has no cgroup v2".into()), ..Self::default() };
        };
        let found = Self { outer: Some(unified.clone()), ..Self::default() };
        match delegation::place(&unified.mount_point, own, Privilege::current().uid()) {
            Place::Delegated { group, own } => found.with(unified.below(group, own)),
            // Beside v1 it has no controllers, and nothing to gain.
            Place::Systemd { .. } | Place::Nowhere { .. } if !self.v1.is_empty() => {
                Self { absent: Some("this machine has cgroup v1, which nobody but root can use".into()), ..found }
            }
            Place::Systemd { manager } => Self { manager: Some(manager), ..found },
            Place::Nowhere { reason } => Self { absent: Some(reason), ..found },
        }
    }

    /// Has this for cgroup2.
    pub(super) fn with(self, unified: Hierarchy) -> Self {
        let unified = Hierarchy { controllers: controllers(&unified.mount_point), ..unified };
        Self { unified: Some(unified), manager: None, ..self }
    }

    /// From the text of `/proc/PID/mountinfo` (proc(5)); cgroup2's controllers are not in it.
    fn parse(mountinfo: &str) -> Self {
        let mut found = Self::default();
        for line in mountinfo.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let mut right = right.split(' ');
            let kind = right.next().unwrap_or_default();
            if !matches!(kind, "cgroup" | "cgroup2") {
                continue;
            }
            let mut left = left.split(' ').skip(3);
            let (root, mount_point) = (left.next().unwrap_or_default(), left.next().unwrap_or_default());
            let mount_point = PathBuf::from(unescape(mount_point));
            if kind == "cgroup2" {
                found.unified.get_or_insert(Hierarchy {
                    mount_point,
                    controllers: Vec::new(),
                    v2: true,
                    left_to: None,
                });
                continue;
            }
            let controllers: Vec<String> = right
                .nth(1)
                .unwrap_or_default()
                .split(',')
                .filter(|option| is_controller(option))
                .map(str::to_owned)
                .collect();
            let again = found.v1.iter().any(|known| known.controllers == controllers);
            // A bind of a part of a hierarchy is not the hierarchy.
            if root == "/" && !again && !controllers.is_empty() {
                found.v1.push(Hierarchy { mount_point, controllers, v2: false, left_to: None });
            }
        }
        found
    }

    /// The hierarchy whose groups this controller limits.
    pub fn of(&self, controller: &str) -> Option<&Hierarchy> {
        self.all().find(|hierarchy| hierarchy.controllers.iter().any(|has| has == controller))
    }

    /// All of them, v1 first.
    pub fn all(&self) -> impl Iterator<Item = &Hierarchy> {
        self.v1.iter().chain(&self.unified)
    }
}

impl Hierarchy {
    /// A folder that stands for one.
    #[cfg(test)]
    pub(super) fn pretend(mount_point: PathBuf, controllers: &[&str], v2: bool) -> Self {
        Self {
            mount_point,
            controllers: controllers.iter().map(|name| (*name).to_owned()).collect(),
            v2,
            left_to: None,
        }
    }

    /// The part of cgroup2 below a group, as if it were all of it; `own`: where this process is in it.
    pub(super) fn below(self, group: PathBuf, own: PathBuf) -> Self {
        Self { mount_point: group, left_to: Some(own), ..self }
    }

    /// Whether it is cgroup2.
    pub fn is_v2(&self) -> bool {
        self.v2
    }

    /// Where a process goes that leaves its group: to the root, which alone may hold processes beside groups, or where that is
    /// not ours, to where this process came from.
    pub fn left_to(&self) -> &Path {
        self.left_to.as_deref().unwrap_or(&self.mount_point)
    }

    /// Directory of a group.
    pub fn dir(&self, group: &Path) -> PathBuf {
        self.mount_point.join(group)
    }

    /// Makes a group and what is missing above it, ready for processes and limits.
    pub fn create(&self, group: &Path) -> Result<PathBuf> {
        let dir = self.dir(group);
        let mut tries = 0;
        loop {
            match self.try_create(group) {
                // The parents go with the last container of a root: at any moment until this group is in them.
                Err(error) if is_gone(&error) && tries < MOST_TRIES => tries += 1,
                result => break result.doing(|| format!("cannot make the control group `{}`", dir.display()))?,
            }
        }
        if self.v2 {
            self.delegate(group.parent().unwrap_or(Path::new("")))?;
        }
        Ok(dir)
    }

    fn try_create(&self, group: &Path) -> io::Result<()> {
        let dir = self.dir(group);
        let made = match make_dir(&dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => match group.parent() {
                Some(parent) if parent != Path::new("") => {
                    self.try_create(parent)?;
                    make_dir(&dir)?
                }
                _ => return Err(error),
            },
            other => other?,
        };
        if made && !self.v2 && self.controllers.iter().any(|controller| controller == "cpuset") {
            self.inherit_cpuset(group)?;
        }
        Ok(())
    }

    /// A new group of v1 has no processors and no memory: nothing could run in it.
    fn inherit_cpuset(&self, group: &Path) -> io::Result<()> {
        let parent = group.parent().unwrap_or(Path::new(""));
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let path = self.dir(parent).join(file);
            let mut value = std::fs::read_to_string(&path)?;
            if value.trim().is_empty() && parent != Path::new("") {
                // Whoever made it has not come to it yet.
                self.inherit_cpuset(parent)?;
                value = std::fs::read_to_string(&path)?;
            }
            try_write(&self.dir(group).join(file), value.trim())?;
        }
        Ok(())
    }

    /// Hands the controllers down to the groups below `group` and everything above it.
    fn delegate(&self, group: &Path) -> Result<()> {
        let file = self.dir(group).join("cgroup.subtree_control");
        let enabled = std::fs::read_to_string(&file).doing(|| format!("cannot read `{}`", file.display()))?;
        let missing: Vec<String> = self
            .controllers
            .iter()
            .filter(|name| !enabled.split_ascii_whitespace().any(|has| has == name.as_str()))
            .map(|name| format!("+{name}"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        if let Some(parent) = group.parent() {
            self.delegate(parent)?;
        }
        // One by one: a controller that cannot be handed down must not take the others with it; a limit
        // that needs it then says so.
        for controller in missing {
            let _ = try_write(&file, &controller);
        }
        Ok(())
    }

    /// A file of a group; `unsupported` when this kernel does not have it.
    pub fn file(&self, group: &Path, name: &str, option: &str) -> Result<PathBuf> {
        let path = self.dir(group).join(name);
        if path.exists() {
            return Ok(path);
        }
        if let (true, Some(controller)) = (Privilege::current().is_rootless(), name.split('.').next()) {
            return Err(super::limits::missing(controller, option, None));
        }
        Err(Error::unsupported(format!("`{option}` cannot be set: this kernel has no `{name}`"))
            .hint(format!("leave `{option}` out")))
    }
}

/// Whether a group was taken away: between the look at it and the opening of a file, or while that was open.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENODEV as i32)
}

/// Whether an option of a v1 mount is a controller, or the name that stands for none.
fn is_controller(option: &str) -> bool {
    const CONTROLLERS: [&str; 14] = [
        "blkio",
        "cpu",
        "cpuacct",
        "cpuset",
        "debug",
        "devices",
        "freezer",
        "hugetlb",
        "memory",
        "misc",
        "net_cls",
        "net_prio",
        "perf_event",
        "pids",
    ];
    CONTROLLERS.contains(&option) || option == "rdma" || option.starts_with("name=")
}

/// proc(5): spaces, tabs, line ends and backslashes are written as octal escapes.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v1_v2_and_both_are_told_apart() {
        let hybrid = "\
24 1 0:21 / /sys rw - sysfs sysfs rw
30 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 24 0:27 /docker/x /mnt/part rw - cgroup cgroup rw,memory
34 24 0:27 / /mnt/again\\040x rw - cgroup cgroup rw,cpu,cpuacct
35 24 0:29 / /sys/fs/cgroup/me\\040m rw - cgroup cgroup rw,memory
";
        let found = Hierarchies::parse(hybrid);
        let names: Vec<_> = found.v1.iter().map(|hierarchy| hierarchy.controllers.join(",")).collect();
        assert_eq!(names, ["cpu,cpuacct", "name=systemd", "memory"]);
        assert_eq!(found.of("memory").unwrap().mount_point, Path::new("/sys/fs/cgroup/me m"));
        assert_eq!(found.unified.unwrap().mount_point, Path::new("/sys/fs/cgroup/unified"));

        let pure = Hierarchies::parse("30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        assert!(pure.v1.is_empty() && pure.unified.unwrap().is_v2());
    }

    /// As containers that begin and end at the same time do it.
    #[test]
    fn groups_are_made_while_others_take_the_parents_away() {
        let hierarchies = Hierarchies::discover().unwrap();
        let parent = PathBuf::from(format!("shanty-test-{}", std::process::id()));
        for hierarchy in hierarchies.all().filter(|it| it.v2 || it.controllers.iter().any(|name| name == "cpuset")) {
            std::thread::scope(|scope| {
                for name in ["a", "b", "c", "d"] {
                    let group = parent.join(name);
                    scope.spawn(move || {
                        for _ in 0..100 {
                            let dir = hierarchy.create(&group).unwrap();
                            if !hierarchy.v2 {
                                let processors = std::fs::read_to_string(dir.join("cpuset.cpus")).unwrap();
                                assert!(!processors.trim().is_empty(), "{} has none", dir.display());
                            }
                            std::fs::remove_dir(&dir).unwrap();
                            let _ = std::fs::remove_dir(dir.parent().unwrap());
                        }
                    });
                }
            });
            assert!(!hierarchy.dir(&parent).exists());
        }
    }
}
