//! What follows from the facts: a sentence each, and the command that mends it.

use super::facts::{Facts, Groups, Person, Tool};
use crate::model::size;

/// The oldest kernel that Shanty is made for.
const OLDEST_KERNEL: (u32, u32) = (5, 14);
/// As many ids as images use: up to `nobody`.
const ENOUGH_IDS: u64 = 65_536;
/// Less room than this is worth a word, bytes.
const LITTLE_SPACE: u64 = 2 << 30;
/// Less than this stops a pull of anything, bytes.
const NO_SPACE: u64 = 64 << 20;
/// Open files that programs in containers may want.
const ENOUGH_FILES: u64 = 4096;
/// Has systemd delegate all controllers to users; in effect from their next login.
const DELEGATE: &str = "sudo mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload";
/// The controllers that limits need.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Something works less well.
    Note,
    /// It stops containers from running.
    Problem,
}

impl Level {
    /// `ok`, `note`, `problem`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it is.
    pub level: Level,
    /// A sentence.
    pub text: String,
    /// What mends it.
    pub command: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, text: text.into(), command: None }
    }

    fn note(check: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::ok(check, text) }
    }

    fn problem(check: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Problem, ..Self::ok(check, text) }
    }

    fn mend(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }
}

/// All findings, in the order in which they matter.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![kernel(facts), overlay(facts)];
    if let Some(person) = &facts.person {
        found.extend([user_namespaces(facts), ids(facts, person), way_out(facts), ports(facts), ping(facts, person)]);
    }
    found.extend([packet_filter(facts), control_groups(facts), space(facts), open_files(facts)]);
    found
}

fn kernel(facts: &Facts) -> Finding {
    let (release, (major, minor)) = (&facts.kernel, OLDEST_KERNEL);
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(a), Some(b)) if (a, b) < OLDEST_KERNEL => {
            Finding::problem("kernel", format!("Linux {release} is too old: {major}.{minor} is the oldest that works"))
        }
        _ => Finding::ok("kernel", format!("Linux {release}")),
    }
}

fn overlay(facts: &Facts) -> Finding {
    if facts.overlay {
        return Finding::ok("overlayfs", "the kernel has it");
    }
    Finding::problem("overlayfs", "the kernel has no overlayfs, or has not loaded it").mend("sudo modprobe overlay")
}

fn user_namespaces(facts: &Facts) -> Finding {
    const CHECK: &str = "user namespaces";
    let set = |name: &str, value: &str| format!("sudo sysctl -w {name}={value}");
    if facts.max_user_namespaces == Some(0) {
        return Finding::problem(CHECK, "nobody may make one: `user.max_user_namespaces` is 0")
            .mend(set("user.max_user_namespaces", "28633"));
    }
    if facts.unprivileged_userns_clone == Some(0) {
        return Finding::problem(CHECK, "only root may make one: `kernel.unprivileged_userns_clone` is 0")
            .mend(set("kernel.unprivileged_userns_clone", "1"));
    }
    if facts.apparmor_restricts == Some(1) {
        return Finding::problem(CHECK, "AppArmor takes their rights away from programs without a profile")
            .mend(set("kernel.apparmor_restrict_unprivileged_userns", "0"));
    }
    match &facts.user_namespace {
        Ok(()) => Finding::ok(CHECK, "you may make them"),
        Err(reason) => Finding::problem(CHECK, format!("the kernel makes none for you: {reason}")),
    }
}

fn ids(facts: &Facts, person: &Person) -> Finding {
    const CHECK: &str = "ids";
    const SINGLE: &str = "containers work with your own id alone";
    let own = |ranges: &[(String, u64, u64)]| -> u64 {
        let number = person.uid.to_string();
        ranges.iter().filter(|(whose, ..)| *whose == number || Some(whose) == person.name.as_ref()).map(|r| r.2).sum()
    };
    let count = own(&facts.subuids).min(own(&facts.subgids));
    if count < ENOUGH_IDS {
        let start = free_range(&facts.subuids, &facts.subgids);
        let range = format!("{start}-{}", start + ENOUGH_IDS - 1);
        let text = if count == 0 {
            format!("you have no ranges in `/etc/subuid` and `/etc/subgid`: {SINGLE}")
        } else {
            format!("your ranges have {count} ids, images use up to {ENOUGH_IDS}")
        };
        let finding = Finding::note(CHECK, text);
        return match &person.name {
            Some(name) => finding.mend(format!("sudo usermod --add-subuids {range} --add-subgids {range} {name}")),
            None => finding,
        };
    }
    for (name, tool) in [("newuidmap", &facts.newuidmap), ("newgidmap", &facts.newgidmap)] {
        match tool {
            Tool::Usable => {}
            Tool::Missing => {
                return Finding::note(CHECK, format!("`{name}` is not installed: {SINGLE}"))
                    .mend("sudo apt-get install uidmap    # or: sudo dnf install shadow-utils");
            }
            Tool::WithoutRights(path) => {
                return Finding::problem(
                    CHECK,
                    format!("`{path}` has no rights: it is neither setuid nor has capabilities"),
                )
                .mend(format!("sudo chmod u+s {path}"));
            }
        }
    }
    Finding::ok(CHECK, format!("{count} beside your own"))
}

/// The first range of ids that nobody has.
fn free_range(uids: &[(String, u64, u64)], gids: &[(String, u64, u64)]) -> u64 {
    uids.iter().chain(gids).map(|(_, start, count)| start + count).max().unwrap_or(0).max(100_000)
}

fn way_out(facts: &Facts) -> Finding {
    const CHECK: &str = "way out";
    const FORWARDING: &str = "TCP and UDP are forwarded by Shanty itself, `ping` is not";
    match &facts.tun {
        Ok(()) if facts.pasta => Finding::ok(CHECK, "pasta"),
        Err(reason) => Finding::note(CHECK, format!("`/dev/net/tun` does not open ({reason}): {FORWARDING}")),
        Ok(()) => Finding::note(CHECK, format!("pasta is not installed: {FORWARDING}"))
            .mend("sudo apt-get install passt    # or: sudo dnf install passt"),
    }
}

fn ports(facts: &Facts) -> Finding {
    match facts.first_port {
        Some(first) if first > 80 => Finding::note("ports", format!("those below {first} cannot be published"))
            .mend("sudo sysctl -w net.ipv4.ip_unprivileged_port_start=80"),
        _ => Finding::ok("ports", "80 and those above can be published"),
    }
}

fn ping(facts: &Facts, person: &Person) -> Finding {
    match facts.ping_groups {
        Some((first, last)) if !(first..=last).contains(&u64::from(person.gid)) => {
            Finding::note("ping", "your group may not send pings without rights of its own")
                .mend("sudo sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"")
        }
        _ => Finding::ok("ping", "your group may send pings"),
    }
}

fn packet_filter(facts: &Facts) -> Finding {
    if facts.netfilter {
        return Finding::ok("nf_tables", "the kernel has netfilter");
    }
    Finding::note("nf_tables", "the kernel has no netfilter, or has not loaded it: networks are not kept apart")
        .mend("sudo modprobe nf_tables")
}

fn control_groups(facts: &Facts) -> Finding {
    const CHECK: &str = "control groups";
    const WITHOUT: &str = "limits are refused, pauses stop the processes by signals";
    let Some(person) = &facts.person else {
        return match facts.cgroup_controllers.as_deref() {
            None | Some([]) if !facts.cgroup1 => {
                Finding::problem(CHECK, "none are mounted").mend("sudo mount -t cgroup2 none /sys/fs/cgroup")
            }
            None | Some([]) => Finding::ok(CHECK, "version 1"),
            Some(controllers) => Finding::ok(CHECK, format!("version 2: {}", controllers.join(", "))),
        };
    };
    if facts.cgroup1 && facts.groups.is_err() {
        return Finding::note(CHECK, format!("this machine has version 1, which nobody but root can use: {WITHOUT}"))
            .mend("sudo grubby --update-kernel=ALL --args=systemd.unified_cgroup_hierarchy=1    # or in GRUB_CMDLINE_LINUX, then reboot");
    }
    let linger = |name: &str| format!("sudo loginctl enable-linger {name}");
    let own = person.name.clone().unwrap_or_else(|| person.uid.to_string());
    let (controllers, how) = match &facts.groups {
        Err(reason) => {
            let finding = Finding::note(CHECK, format!("{reason}: {WITHOUT}"));
            return if facts.systemd {
                finding.mend(format!("sudo apt-get install dbus-user-session && {}", linger(&own)))
            } else {
                finding.mend(format!(
                    "sudo sh -c 'd=/sys/fs/cgroup/user-{0}; mkdir -p $d/commands && chown -R {0} $d && echo '$$' > $d/commands/cgroup.procs'",
                    person.uid
                ))
            };
        }
        Ok(Groups::Delegated(controllers)) => (controllers, "delegated to you"),
        Ok(Groups::Systemd(controllers, _)) => (controllers, "in a scope that your systemd makes for each container"),
    };
    let missing: Vec<&str> =
        CONTROLLERS.into_iter().filter(|name| !controllers.iter().any(|has| has == name)).collect();
    if !missing.is_empty() {
        let finding =
            Finding::note(CHECK, format!("not delegated to you: {}; such limits are refused", missing.join(", ")));
        return if facts.systemd { finding.mend(DELEGATE) } else { finding };
    }
    let text = format!("{how}: {}", controllers.join(", "));
    match &facts.groups {
        Ok(Groups::Systemd(_, false)) => {
            Finding::note(CHECK, format!("{text}; containers end with your last login")).mend(linger(&own))
        }
        _ => Finding::ok(CHECK, text),
    }
}

fn space(facts: &Facts) -> Finding {
    const CHECK: &str = "disk space";
    let Some(free) = facts.free_space else { return Finding::note(CHECK, "it cannot be told how much is free") };
    let text = format!("{} free for `{}`", size::format(free), facts.root.display());
    match free {
        _ if free < NO_SPACE => Finding::problem(CHECK, text).mend("shanty cleanup --help"),
        _ if free < LITTLE_SPACE => Finding::note(CHECK, text).mend("shanty cleanup --help"),
        _ => Finding::ok(CHECK, text),
    }
}

fn open_files(facts: &Facts) -> Finding {
    let most = facts.most_files;
    if most >= ENOUGH_FILES {
        return Finding::ok("open files", format!("a process may have {most}"));
    }
    let whose = facts.person.as_ref().and_then(|person| person.name.as_deref()).unwrap_or("root");
    Finding::note("open files", format!("a process may have {most}, which is few for servers in containers"))
        .mend(format!("echo '{whose} hard nofile 1048576' | sudo tee -a /etc/security/limits.conf"))
}

#[cfg(test)]
mod tests;
