//! Security labels: of a program (AppArmor and SELinux), and of the file systems that are made for it (SELinux).

use crate::error::{IoContext, Result};
use oci_spec::runtime::{Linux, Process};
use std::path::Path;

/// How a file system gets its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labelled {
    /// By the option `context` of its mount: all files in it have it.
    ByOption,
    /// By an attribute of its root: it does not take the option.
    ByAttribute,
    /// Not at all: its files have labels of their own.
    Never,
}

/// The label of the file systems that are made for a container; none and a warning without SELinux.
pub fn of_mounts(linux: &Linux, warnings: &mut Vec<String>) -> Option<String> {
    let label = linux.mount_label().as_ref().filter(|label| !label.is_empty())?;
    if has_selinux() {
        return Some(label.clone());
    }
    warnings.push(format!("the label `{label}` of the mounts has no effect: this machine has no SELinux"));
    None
}

/// How it is done for this kind of file system, as runc does it.
pub fn way_of(kind: &str) -> Labelled {
    match kind {
        "proc" | "sysfs" => Labelled::Never,
        "mqueue" => Labelled::ByAttribute,
        _ => Labelled::ByOption,
    }
}

/// Takes the labels that the program gets when it is executed: a child inherits them until then. Needs the host's `/proc`.
/// Returns warnings, of those that this machine does not know.
pub fn of_process(process: &Process) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    let wanted = |label: &Option<String>| label.clone().filter(|label| !label.is_empty() && label != "unconfined");
    if let Some(profile) = wanted(process.apparmor_profile()) {
        let enabled = std::fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default();
        if enabled.starts_with('Y') {
            let own = Path::new("/proc/self/attr/apparmor/exec");
            let file = if own.exists() { own } else { Path::new("/proc/self/attr/exec") };
            std::fs::write(file, format!("exec {profile}"))
                .doing(|| format!("cannot take the AppArmor profile `{profile}`"))
                .map_err(|error| error.hint("load it first: `apparmor_parser FILE`"))?;
        } else {
            warnings.push(format!("the AppArmor profile `{profile}` has no effect: this machine has no AppArmor"));
        }
    }
    if let Some(label) = wanted(process.selinux_label()) {
        if has_selinux() {
            std::fs::write("/proc/self/attr/exec", &label)
                .doing(|| format!("cannot take the SELinux label `{label}`"))?;
        } else {
            warnings.push(format!("the SELinux label `{label}` has no effect: this machine has no SELinux"));
        }
    }
    Ok(warnings)
}

fn has_selinux() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_the_kernel_keep_their_own_labels() {
        for (kind, way) in [
            ("tmpfs", Labelled::ByOption),
            ("devpts", Labelled::ByOption),
            ("mqueue", Labelled::ByAttribute),
            ("proc", Labelled::Never),
            ("sysfs", Labelled::Never),
        ] {
            assert_eq!(way_of(kind), way, "{kind}");
        }
    }
}
