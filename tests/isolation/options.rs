//! A table: options, what the container is asked, what it must answer.

use crate::support::busybox::with_busybox;
use crate::support::{Shanty, require};

/// What a shell prints in a container with these options.
#[track_caller]
fn of(shanty: &Shanty, options: &str, line: &str) -> String {
    let line = serde_json::to_string(line).unwrap();
    let network = if options.contains("network:") { "" } else { "network: \"none\"," };
    let code = format!(
        r#"let r = image("busybox:1").exec(["sh", "-c", {line}], #{{ {network} {options} check: false }}); print(r.stdout + r.stderr)"#
    );
    shanty.eval(&code).ok().stdout.trim_end().to_owned()
}

#[test]
fn every_option_is_what_the_kernel_says_it_is() {
    let shanty = require!(with_busybox());
    shanty.write("file.env", "# a comment\nA=1\nB=two words\n");
    for (options, line, expected) in [
        // Process.
        ("", "umask; ulimit -n > /dev/null; cat /proc/self/oom_score_adj", "0022\n0"),
        ("oom_score_adj: 500,", "cat /proc/self/oom_score_adj", "500"),
        ("ulimits: [\"nofile=100:200\", \"core=0\"],", "ulimit -Sn; ulimit -Hn; ulimit -Hc", "100\n200\n0"),
        ("user: \"1000\", group_add: [\"3000\", \"extra\"],", "id -u; id -g; id -G", "1000\n1000\n1000 2000 3000"),
        ("no_new_privileges: true,", "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1"),
        ("", "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t0"),
        ("env_file: \"file.env\", env: #{ A: 2 },", "echo $A $B", "2 two words"),
        // Names.
        (
            "hostname: \"h\", domainname: \"d.example\",",
            "hostname; cat /proc/sys/kernel/domainname; cat /etc/hostname",
            "h\nd.example\nh",
        ),
        // Capabilities.
        (
            "",
            "grep ^Cap /proc/self/status | cut -f2 | tr '\\n' ' '",
            "0000000000000000 00000000a80425fb 00000000a80425fb 00000000a80425fb 0000000000000000",
        ),
        (
            "user: \"1000\",",
            "grep ^Cap /proc/self/status | cut -f2 | tr '\\n' ' '",
            "0000000000000000 0000000000000000 0000000000000000 00000000a80425fb 0000000000000000",
        ),
        ("cap_drop: \"ALL\", cap_add: [\"NET_ADMIN\"],", "grep CapBnd /proc/self/status", "CapBnd:\t0000000000001000"),
        ("cap_drop: [\"MKNOD\", \"cap_chown\"],", "grep CapEff /proc/self/status", "CapEff:\t00000000a00425fa"),
        // Files.
        ("read_only: true,", "touch /x 2>&1; touch /dev/shm/x && echo shm", "touch: /x: Read-only file system\nshm"),
        ("shm_size: \"1m\",", "df -k /dev/shm | tail -1 | awk '{ print $2 }'", "1024"),
        ("", "df -k /dev/shm | tail -1 | awk '{ print $2 }'", "65536"),
        ("ipc: \"none\",", "ls -d /dev/shm 2>&1", "ls: /dev/shm: No such file or directory"),
        (
            "tmpfs: \"/home\",",
            "grep ' /home ' /proc/self/mounts; stat -c %a /home",
            "tmpfs /home tmpfs rw,nosuid,nodev,noexec,relatime,mode=755 0 0\n755",
        ),
        (
            "tmpfs: [\"/t:size=64k,mode=700,uid=1000,gid=2000,exec,suid,dev\"],",
            "grep ' /t ' /proc/self/mounts; stat -c '%a %u %g' /t",
            "tmpfs /t tmpfs rw,relatime,size=64k,mode=700,uid=1000,gid=2000 0 0\n700 1000 2000",
        ),
        (
            "tmpfs: #{ \"/tmp\": \"ro\" },",
            "touch /tmp/x 2>&1; stat -c %a /tmp",
            "touch: /tmp/x: Read-only file system\n1777",
        ),
        // Kernel parameters.
        (
            "sysctls: #{ \"net.ipv4.ip_forward\": 0, \"kernel.shmmax\": 4096, \"fs.mqueue.msg_max\": 20 },",
            "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/fs/mqueue/msg_max",
            "0\n4096\n20",
        ),
        (
            "",
            "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; cat /proc/sys/net/ipv4/ping_group_range | tr '\\t' ' '",
            "0\n0 2147483647",
        ),
        // Devices.
        (
            "",
            "ls /dev | grep -v core | tr '\\n' ' '",
            "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero",
        ),
        (
            "devices: \"/dev/fuse:/dev/mine:r\",",
            "stat -c '%t:%T %a' /dev/mine; head -c 0 /dev/mine && echo read; echo x 2>&1 > /dev/mine || echo refused",
            "a:e5 600\nread\nsh: can't create /dev/mine: Operation not permitted\nrefused",
        ),
        (
            "devices: #{ \"/dev/fuse\": \"/dev/sub/fuse\" },",
            "stat -c '%F %t:%T' /dev/sub/fuse; head -c 0 /dev/sub/fuse && echo opened",
            "character special file a:e5\nopened",
        ),
        // The first process.
        ("init: true,", "cat /proc/1/comm; echo $$; exit 7", "shanty-init\n2"),
        ("", "cat /proc/1/comm; echo $$", "sh\n1"),
        // The host's view.
        ("pid: \"host\",", "test -d /proc/2 && test $$ -gt 2 && echo host", "host"),
        ("", "set -- /proc/[0-9]*; echo $#", "1"),
    ] {
        assert_eq!(of(&shanty, options, line), expected, "{options} {line}");
    }
}

#[test]
fn privileged_has_everything_that_the_caller_has() {
    let shanty = require!(with_busybox());
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap();
    let line = "grep -E '^Cap(Eff|Bnd)' /proc/self/status | cut -f2 | tr '\\n' ' '; mount -t tmpfs x /tmp && echo mounted; \
                grep -E ' /(sys|proc/sys|proc/keys) ' /proc/self/mounts | grep -v ' rw,'; grep ^Seccomp: /proc/self/status; \
                test -c /dev/kmsg && head -c 0 /dev/kmsg && echo device; ls /dev/ptmx -l | grep -c pts/ptmx";
    let text = of(&shanty, "privileged: true,", line);
    assert_eq!(text, format!("{own} {own} mounted\nSeccomp:\t0\ndevice\n1"));
    let all = of(&shanty, "cap_add: \"ALL\",", "grep CapEff /proc/self/status | cut -f2");
    assert_eq!(all, own);
}

#[test]
fn what_cannot_be_is_an_error_with_a_hint() {
    let shanty = require!(with_busybox());
    let bounding = std::fs::read_to_string("/proc/self/status").unwrap();
    let bounding = bounding.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap();
    let lacks_resource = u64::from_str_radix(bounding, 16).unwrap() >> 24 & 1 == 0;
    let mut cases = vec![
        (r#"sysctls: #{ "vm.swappiness": 1 }"#, "invalid", "not of the container alone"),
        (r#"sysctls: #{ "net.ipv4.ip_forward": 1 }, network: "host""#, "invalid", "in the host's network namespace"),
        (r#"sysctls: #{ "kernel.shmmax": 1 }, ipc: "host""#, "invalid", "in the host's IPC namespace"),
        (r#"sysctls: #{ "net.no.such": 1 }"#, "not_found", "net.no.such"),
        (r#"devices: "/dev/no-such-device""#, "not_found", "/dev/no-such-device"),
        (r#"devices: "/etc/passwd""#, "invalid", "is no device"),
        (r#"cap_add: "NET_ADMIM""#, "invalid", "no capability `NET_ADMIM`"),
        (r#"pid: "container:nobody""#, "not_found", "nobody"),
        (r#"pid: "shareable""#, "invalid", "not a mode of `pid`"),
        (r#"ipc: "hosts""#, "invalid", "not a mode of `ipc`"),
        (r#"tmpfs: "/t:sizes=1""#, "invalid", "not an option of a tmpfs"),
        (r#"volumes: "/:/host:rshares""#, "invalid", "rshares"),
        (r#"userns: "other""#, "invalid", "not a user namespace"),
    ];
    if lacks_resource {
        cases.push((r#"ulimits: ["nofile=100000000:100000000"]"#, "denied", "nofile"));
        cases.push((r#"cap_add: "SYS_RESOURCE""#, "denied", "this process does not have it"));
    }
    for (options, kind, says) in cases {
        let output = shanty.eval(&format!(r#"image("busybox:1").run("true", #{{ {options} }})"#)).fails_with(kind);
        assert!(output.stderr.contains(says), "{options}: {output}");
    }
}
