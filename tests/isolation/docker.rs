//! The same probe in a container of Docker's and in one of ours, both with nothing but defaults.

use crate::support::busybox::{BUSYBOX, with_busybox};
use crate::support::docker::Docker;
use crate::support::require;
use std::collections::BTreeSet;

/// What a program sees of where it is, a line a fact.
const PROBE: &str = r#"
grep -E '^(Cap|Seccomp:|NoNewPrivs|Uid|Gid|Groups)' /proc/self/status | sed 's/^/status /'
echo umask $(umask); echo oom_score_adj $(cat /proc/self/oom_score_adj)
for f in n u c l; do echo ulimit -$f $(ulimit -S$f) $(ulimit -H$f); done
for p in acpi asound interrupts kcore keys latency_stats sched_debug scsi timer_list timer_stats; do
    [ -d /proc/$p ] && echo hidden /proc/$p $(ls /proc/$p | wc -l)
    [ -f /proc/$p -o -c /proc/$p ] && echo hidden /proc/$p $(wc -c < /proc/$p)
done
for p in /sys/firmware /sys/devices/virtual/powercap; do [ -e $p ] && echo hidden $p $(ls $p | wc -l); done
cd /dev; for f in $(find . | grep -v '^./pts/[0-9]' | sort); do echo dev $f $(stat -c '%F %a %t:%T %u:%g' $f) $(readlink $f); done; cd /
awk '{ print $2, $3, $4 }' /proc/self/mounts | grep -vE '^(/proc/|/sys/(firmware|devices)|/sys/fs/cgroup)' | sed -E 's#^(/etc/[a-z.]*|/probe.sh) .*#\1#; s#^/ overlay ([a-z,]*),lowerdir.*#/ \1#; s/^/mount /'
grep -E '^[^ ]+ /proc/(bus|fs|irq|sys|sysrq-trigger) ' /proc/self/mounts | awk '{ print $2, $4 }' | sed 's/^/read-only /'
for p in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/x /proc/bus/x /proc/fs/x /sys/x; do (echo x > $p) 2>/dev/null && echo writable $p; done
echo sysctl $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range)
env | grep -v HOSTNAME= | sort | sed 's/^/env /'
unshare -u true 2>/dev/null && echo may unshare; chroot / true && echo may chroot
ls -ld / /dev/shm /etc/hosts /etc/hostname /etc/resolv.conf | awk '{ print "ls", $1, $3, $4, $NF }'
"#;

/// Facts that may differ, as they begin, and why.
const REASONS: [(&str, &str); 1] =
    [("hidden /proc/interrupts", "Docker before 25 showed it: moby GHSA-6fw5-f8r9-fgfm")];

#[test]
fn a_default_container_is_like_dockers() {
    let docker = require!(Docker::start());
    let shanty = require!(with_busybox());
    let probe = shanty.write("probe.sh", PROBE).display().to_string();
    docker.import(&shanty.work().join("busybox.tar"), BUSYBOX, "/bin");
    let mount = format!("{probe}:/probe.sh:ro");
    let theirs = docker.ok(&["run", "--rm", "--network=none", "--volume", &mount, BUSYBOX, "sh", "/probe.sh"]);
    let ours = shanty
        .eval(&format!(
            r#"print(image("{BUSYBOX}").exec(["sh", "/probe.sh"], #{{ network: "none", volumes: "{mount}" }}).stdout)"#
        ))
        .ok()
        .stdout;
    let facts = |text: &str| -> BTreeSet<String> {
        let is_excused = |line: &str| REASONS.iter().any(|(start, _)| line.starts_with(start));
        text.lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty() && !is_excused(line))
            .map(str::to_owned)
            .collect()
    };
    let (theirs, ours) = (facts(&theirs), facts(&ours));
    assert!(theirs.len() > 50, "the probe found {} facts only: {theirs:?}", theirs.len());
    let list = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).cloned().collect::<Vec<_>>().join("\n  ")
    };
    assert!(theirs == ours, "Docker's only:\n  {}\nours only:\n  {}", list(&theirs, &ours), list(&ours, &theirs));
}
