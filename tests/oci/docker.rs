//! A Docker engine of the test's own, with `shanty-oci` beside runc.

use super::bundle::LIMIT;
use super::engine::{Engine, IMAGE, is_used_at_a_terminal, lives_a_whole_life, runtime};
use crate::support::fixtures::{Missing, program};
use crate::support::{require, wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The engine. Dropping it removes its containers and ends it.
struct Docker {
    folder: TempDir,
    daemon: Child,
}

impl Docker {
    fn new() -> Result<Self, Missing> {
        let (daemon, _) = (program("dockerd")?, program("docker")?);
        let folder = TempDir::with_prefix("shanty-dockerd-").unwrap();
        let file = |name: &str| folder.path().join(name);
        let log = File::create(file("log")).unwrap();
        let daemon = Command::new(daemon)
            .args(["--bridge=none", "--iptables=false"])
            .arg("--data-root")
            .arg(file("data"))
            .arg("--exec-root")
            .arg(file("exec"))
            .arg("--pidfile")
            .arg(file("pid"))
            .arg("--host")
            .arg(format!("unix://{}", file("socket").display()))
            .arg("--add-runtime")
            .arg(format!("shanty={}", runtime(&folder).display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut docker = Self { folder, daemon };
        let log = docker.folder.path().join("log");
        wait_for(LIMIT, || {
            let ended = docker.daemon.try_wait().unwrap();
            assert!(ended.is_none(), "dockerd ended: {}", std::fs::read_to_string(&log).unwrap());
            (docker.call_with(&["info"], "").code == 0).then_some(())
        });
        docker.import(&docker.folder)?;
        Ok(docker)
    }
}

impl Engine for Docker {
    fn client(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.arg("--host").arg(format!("unix://{}", self.folder.path().join("socket").display())).args(args);
        command.env("DOCKER_CONFIG", self.folder.path());
        command
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let ids = self.call_with(&["ps", "-aq"], "").stdout;
        for id in ids.lines() {
            self.call_with(&["rm", "-f", id], "");
        }
        let pid = Pid::from_raw(self.daemon.id().try_into().unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        wait_until(LIMIT, || self.daemon.try_wait().unwrap().is_some());
    }
}

const OPTIONS: [&str; 4] = ["--runtime", "shanty", "--network", "none"];

#[test]
fn docker_runs_its_containers_on_shanty() {
    let docker = require!(Docker::new());
    lives_a_whole_life(&docker, &OPTIONS, |id| format!("docker/{id}"));
    is_used_at_a_terminal(&docker, &OPTIONS);
    // Changed limits, as Docker alone has them.
    docker.ok(&[&["run"], &OPTIONS[..], &["-d", "--name", "limits", IMAGE, "sleep", "1000"]].concat());
    docker.ok(&["update", "--pids-limit", "33", "limits"]);
    assert!(docker.ok(&["stats", "--no-stream", "--format", "{{.PIDs}}", "limits"]).trim() == "1");
    let limit =
        docker.ok(&["exec", "limits", "sh", "-c", "cat /sys/fs/cgroup/pids/pids.max || cat /sys/fs/cgroup/pids.max"]);
    assert_eq!(limit.trim(), "33");
    // What this machine's root lacks is left out: runc refuses.
    let privileged = [&["run"], &OPTIONS[..], &["--rm", "--privileged", IMAGE, "sh", "-c"]].concat();
    let script = "grep ^CapBnd /proc/self/status; mount -t tmpfs none /sys && echo mounted; ls /dev/ptmx";
    let output = docker.ok(&[&privileged[..], &[script]].concat());
    assert!(output.contains("mounted") && output.contains("/dev/ptmx"), "{output}");
}

/// Options of `docker run`, and what the container says: the same on runc and on Shanty.
#[test]
fn docker_gets_from_shanty_what_it_gets_from_runc() {
    let (docker, _runc) = require!(Docker::new(), program("runc"));
    docker.ok(&[&["run"], &OPTIONS[..], &["-d", "--name", "peer", "--ipc", "shareable", IMAGE, "sleep", "1000"]].concat());
    let mut wrong = Vec::new();
    // One run a line: a container of Docker's takes a second.
    let plain = "grep -E '^(Cap|NoNew|Seccomp|Groups|Uid|Gid)' /proc/self/status; ls -ln /dev | tr -s ' ' | cut -d' ' -f1,3-6,10-;
        cut -d' ' -f2,3 /proc/mounts | grep -v -e cgroup -e '^/ ' -e '^/proc/' -e '^/sys/' | sort;
        for p in kcore keys timer_list sysrq-trigger bus irq; do echo x >/proc/$p; cat /proc/$p | wc -c; done 2>&1 | grep -v 'No such';
        unshare -m true; mknod /x b 7 0 && head -c1 /x; echo $?";
    let changed = "id; ulimit -n; ulimit -Hn; umask; cat /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax;
        hostname; pwd; env | sort; cat /x /etc/hostname; echo a >/x; touch /y; touch /tmp/y && echo ok; df -k /dev/shm | tail -1;
        grep Cpus_allowed_list /proc/self/status; cat /proc/self/cgroup; head -c 3 /dev/nolla | wc -c; echo x >/dev/nolla";
    let all = "--user 1000:1000 --group-add 5 --ulimit nofile=100:200 --oom-score-adj 500 --read-only --tmpfs /tmp:size=1m --shm-size 1m
        -v /etc/hostname:/x:ro --device /dev/zero:/dev/nolla:r --sysctl net.ipv4.ip_forward=1 --sysctl kernel.shmmax=12345
        --hostname its-name --cgroupns private -w /a/b -e A=b --cpuset-cpus 0";
    for (options, script) in [
        ("--hostname its-name", plain),
        (all, changed),
        (
            "--cap-add SYS_PTRACE --cap-drop CHOWN --security-opt no-new-privileges --security-opt seccomp=unconfined",
            "grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status",
        ),
        ("--pid host --ipc host --uts host", "for n in pid ipc uts; do readlink /proc/self/ns/$n; done; hostname"),
        ("--pid container:peer --ipc container:peer", "ps | grep '[s]leep 1000'; readlink /proc/self/ns/ipc"),
    ] {
        let run = |runtime: &str| {
            let mut args = vec!["run", "--rm", "--network", "none", "--runtime", runtime];
            args.extend(options.split_ascii_whitespace());
            args.extend([IMAGE, "sh", "-c", script]);
            let output = docker.call_with(&args, "");
            (output.code, output.stdout, output.stderr)
        };
        let (ours, runcs) = std::thread::scope(|scope| {
            let ours = scope.spawn(|| run("shanty"));
            let runcs = run("runc");
            (ours.join().unwrap(), runcs)
        });
        assert!(runcs.0 < 125, "the case itself is wrong: {runcs:?}");
        if ours != runcs {
            wrong.push(format!("docker run {options} … sh -c \"{script}\"\n  gives {ours:?}\n  with runc {runcs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
