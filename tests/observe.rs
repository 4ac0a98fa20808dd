//! What can be seen of running containers from outside: `stats`, `top`, `rename`, `wait` for many.

use crate::support::busybox::with_busybox;
use crate::support::{require, wait_for, wait_until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn stats_are_what_the_kernel_counts() {
    let shanty = require!(with_busybox());
    // Works without a pause, holds 40 MB, has three processes; the other one sleeps.
    let busy = r#"a=$(head -c 40000000 /dev/zero | tr '\0' x); sleep 1000 & while :; do :; done"#;
    shanty
        .eval(&format!(
            r#"image("busybox:1").run(#{{ name: "busy", cmd: ["sh", "-c", `{busy}`], memory: "256m" }});
               image("busybox:1").run(#{{ name: "idle", cmd: ["sleep", "1000"], network: "none" }});"#
        ))
        .ok();
    let busy = wait_for(LIMIT, || {
        let stats = shanty.json(r#"container("busy").stats()"#);
        (stats["memory"].as_u64().unwrap() > 40_000_000).then_some(stats)
    });
    assert!(busy["memory"].as_u64().unwrap() < 200_000_000, "{busy}");
    assert_eq!(busy["memory_limit"], 256 << 20);
    let percent = busy["memory"].as_f64().unwrap() / f64::from(256 << 20) * 100.0;
    assert!((busy["memory_percent"].as_f64().unwrap() - percent).abs() < 0.01, "{busy}");
    assert_eq!((&busy["name"], &busy["id"]), (&json!("busy"), &shanty.json(r#"container("busy").id"#)));
    assert!(busy["cpu_percent"].as_f64().unwrap() > 1.0, "{busy}");
    assert!(busy["cpu_seconds"].as_f64().unwrap() > 0.0, "{busy}");

    let idle = shanty.json(r#"container("idle").stats(#{ interval: "50ms" })"#);
    assert!(idle["cpu_percent"].as_f64().unwrap() < 5.0, "{idle}");
    assert_eq!((&idle["pids"], &idle["network_rx"], &idle["network_tx"]), (&json!(1), &json!(0), &json!(0)), "{idle}");
    let machine = std::fs::read_to_string("/proc/meminfo").unwrap();
    let machine: u64 = machine.lines().next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(idle["memory_limit"], machine * 1024);

    // Through the bridge to the host, and to a block device.
    let before = shanty.json(r#"container("busy").stats()"#);
    shanty
        .eval(
            r#"let c = container("busy");
               c.sh("ping -c 3 -i 0.1 -s 1000 $(ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p')");
               c.sh("dd if=/dev/zero of=/big bs=1M count=8 && sync /big || sync");"#,
        )
        .ok();
    let after = shanty.json(r#"container("busy").stats()"#);
    let more = |key: &str| after[key].as_u64().unwrap() - before[key].as_u64().unwrap();
    assert!(more("network_tx") >= 3000 && more("network_rx") >= 3000, "{before} {after}");
    assert!(after["cpu_seconds"].as_f64() > before["cpu_seconds"].as_f64());

    let seen = shanty.json(
        r#"let seen = []; container("busy").stats(#{ interval: "20ms" }, |s| { seen.push(s.cpu_percent); seen.len < 3 }); seen.len"#,
    );
    assert_eq!(seen, 3);
    shanty.eval(r#"container("busy").stats(#{ timeout: "50ms", interval: "20ms" }, |s| ())"#).fails_with("timeout");
    let table = shanty.call(&["stats"]).ok().stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("CONTAINER ID  NAME") && lines.len() == 3, "{table}");
    assert!(table.contains("busy") && table.contains("/ 256MiB"), "{table}");
    assert_eq!(shanty.call(&["stats", "--json", "idle"]).ok().stdout.lines().count(), 1);

    // A stream ends with its container; then there is nothing to see.
    let stream =
        shanty.eval(r#"container("idle").stats(#{ interval: "20ms" }, |s| print("look")); print("ended")"#).spawn();
    stream.wait_for_stdout("look");
    shanty.eval(r#"container("idle").kill()"#).ok();
    assert!(stream.wait(LIMIT).stdout.ends_with("ended\n"));
    shanty.eval(r#"container("idle").stats()"#).fails_with("conflict");
}

#[test]
fn top_lists_what_runs_in_the_container_with_the_hosts_pids() {
    let shanty = require!(with_busybox());
    let top = shanty.json(
        r#"let c = image("busybox:1").run(#{ name: "web", cmd: ["sh", "-c", "sleep 1001 & exec sleep 1002"], network: "none" });
           c.exec(["sleep", "1003"], #{ detach: true, user: "1000" });
           eventually(|| c.top().len == 3);
           #{ top: c.top(), pid: c.pid }"#,
    );
    let rows = top["top"].as_array().unwrap();
    let row = |cmd: &str| rows.iter().find(|row| row["cmd"] == cmd).unwrap_or_else(|| panic!("{top}"));
    let first = row("sleep 1002");
    assert_eq!((&first["pid"], &first["uid"], &first["tty"]), (&top["pid"], &json!("root"), &json!("?")));
    assert_eq!(row("sleep 1001")["ppid"], first["pid"]);
    for row in rows {
        let pid = row["pid"].as_i64().unwrap();
        let cmdline = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap().replace('\0', " ");
        assert_eq!(cmdline.trim_end(), row["cmd"].as_str().unwrap());
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains(&format!("PPid:\t{}\n", row["ppid"])), "{row}");
    }
    let uid = row("sleep 1003")["uid"].as_str().unwrap();
    assert!(uid == "1000" || std::fs::read_to_string("/etc/passwd").unwrap().contains(&format!("{uid}:x:1000:")));
    let table = shanty.call(&["top", "web"]).ok().stdout;
    assert_eq!(
        table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    );
    shanty.eval(r#"container("web").kill(); container("web").wait(); container("web").top()"#).fails_with("conflict");
}

#[test]
fn renaming_changes_the_name_and_nothing_inside() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"let c = image("busybox:1").run(#{ name: "old", cmd: ["sleep", "1000"], network: "none" });
           image("busybox:1").create(#{ name: "other" });
           let host = c.exec("cat /etc/hostname").text;
           let kinds = [];
           for name in ["other", "old", "not a name", ""] { try { c.rename(name); kinds.push("") } catch (e) { kinds.push(e.kind) } }
           let again = container("old").rename("new");
           let seen = #{ kinds: kinds, name: again.name, gone: container("old").exists, id: again.id == c.id,
                         host: c.exec("cat /etc/hostname").text == host, inspect: c.inspect().Name };
           image("busybox:1").create(#{ name: "old" });
           again.kill(); again.wait();
           seen.stopped = again.rename("stopped").name;
           // Ends are written down when those who wait for them go on already.
           let listed = events(#{ filter: #{ container: c.id } }).filter(|e| !["exec_die", "die"].contains(e.action));
           seen.events = listed.map(|e| [e.action, e.name]);
           seen.old_name = events(#{ filter: #{ event: "rename" } })[0].attributes.oldName;
           seen"#,
    );
    assert_eq!(
        value,
        json!({
            "kinds": ["conflict", "conflict", "invalid", "invalid"], "name": "new", "gone": false, "id": true, "host": true,
            "inspect": "/new", "stopped": "stopped", "old_name": "old",
            "events": [
                ["create", "old"], ["start", "old"],
                ["exec_create: cat /etc/hostname", "old"], ["exec_start: cat /etc/hostname", "old"],
                ["rename", "new"],
                ["exec_create: cat /etc/hostname", "new"], ["exec_start: cat /etc/hostname", "new"],
                ["kill", "new"], ["rename", "stopped"],
            ],
        })
    );
    shanty.eval(r#"container("nobody").rename("x")"#).fails_with("not_found");
}

#[test]
fn many_are_waited_for_at_once() {
    let shanty = require!(with_busybox());
    let codes = shanty.json(
        r#"let all = [];
           for code in 0..20 {
               // One in three is gone when it is looked at.
               all.push(image("busybox:1").run(#{ cmd: ["sh", "-c", `exit ${code}`], network: "none", remove: code % 3 == 0 }));
           }
           wait(all)"#,
    );
    assert_eq!(codes, json!((0..20).collect::<Vec<_>>()));
    // By a name that is free again when its turn comes.
    let codes = shanty.json(
        r#"image("busybox:1").run(#{ name: "long", cmd: ["sleep", "2"], network: "none" });
           image("busybox:1").run(#{ name: "short", cmd: ["sh", "-c", "sleep 0.5; exit 4"], network: "none", remove: true });
           wait([container("long"), container("short")], #{ timeout: "60s" })"#,
    );
    assert_eq!(codes, json!([0, 4]));
    let started = Instant::now();
    shanty
        .eval(
            r#"let runs = image("busybox:1").run(#{ name: "runs", cmd: ["sleep", "1000"], network: "none" });
               let made = image("busybox:1").create(#{ name: "made" });
               wait([runs, made])"#,
        )
        .fails_with("conflict");
    shanty.eval(r#"wait([container("runs"), container("nobody")])"#).fails_with("not_found");
    let failed = shanty.eval(r#"wait([container("runs")], #{ timeout: "50ms" })"#).fails_with("timeout");
    assert!(failed.stderr.contains("runs"), "{failed}");
    assert!(started.elapsed() < LIMIT, "nobody waits for a container whose neighbour cannot be waited for");
    let waiting = shanty.eval(r#"print("waits"); wait([container("runs")])"#).spawn();
    waiting.wait_for_stdout("waits");
    waiting.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(waiting.wait(LIMIT).code, 130);
}

#[test]
fn a_thousand_stopped_containers_are_listed_without_looking_at_their_files() {
    let shanty = require!(with_busybox());
    shanty.eval(r#"for i in 0..30 { image("busybox:1").create(#{ name: `c${i}`, labels: #{ i: `${i}` } }) }"#).ok();
    // Files that nobody may look at.
    let folder = shanty.root().join("containers");
    let aside = shanty.root().join("containers.aside");
    std::fs::rename(&folder, &aside).unwrap();
    let listed = shanty.json(r#"[containers(#{ all: true }).len, containers(#{ all: true, label: "i=7" }).map(|c| c.name), containers().len]"#);
    std::fs::rename(&aside, &folder).unwrap();
    assert_eq!(listed, json!([30, ["c7"], 0]));
    let found: Value = shanty.json(r#"containers(#{ all: true, image: "busybox:1", name: "c1" }).len"#);
    assert_eq!(found, 11);
    wait_until(LIMIT, || shanty.json("containers(#{ all: true }).len") == 30);
}

#[test]
fn inspect_has_the_keys_of_docker_inspect() {
    let shanty = require!(with_busybox());
    // Docker 20.10's, without the ids of things that are not there: sandboxes, endpoints.
    let keys = [
        (
            "",
            "Id Created Path Args State Image ResolvConfPath HostnamePath HostsPath LogPath Name RestartCount \
            Driver Platform MountLabel ProcessLabel AppArmorProfile ExecIDs HostConfig GraphDriver Mounts \
            Config NetworkSettings",
        ),
        ("State", "Status Running Paused Restarting OOMKilled Dead Pid ExitCode Error StartedAt FinishedAt Health"),
        (
            "HostConfig",
            "Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver \
            VolumesFrom CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode \
            Cgroup Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs SecurityOpt UTSMode \
            UsernsMode ShmSize Runtime ConsoleSize Isolation CpuShares Memory NanoCpus CgroupParent \
            BlkioWeight BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps \
            BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpusetCpus \
            CpusetMems Devices DeviceCgroupRules DeviceRequests KernelMemory KernelMemoryTCP \
            MemoryReservation MemorySwap MemorySwappiness OomKillDisable PidsLimit Ulimits CpuCount \
            CpuPercent IOMaximumIOps IOMaximumBandwidth MaskedPaths ReadonlyPaths",
        ),
        (
            "Config",
            "Hostname Domainname User AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce Env Cmd \
            Healthcheck Image Volumes WorkingDir Entrypoint OnBuild Labels",
        ),
        (
            "NetworkSettings",
            "Bridge HairpinMode LinkLocalIPv6Address LinkLocalIPv6PrefixLen Ports SandboxKey \
            SecondaryIPAddresses SecondaryIPv6Addresses Gateway GlobalIPv6Address GlobalIPv6PrefixLen \
            IPAddress IPPrefixLen IPv6Gateway MacAddress Networks",
        ),
        ("GraphDriver/Data", "LowerDir MergedDir UpperDir WorkDir"),
        (
            "NetworkSettings/Networks/none",
            "IPAMConfig Links Aliases Gateway IPAddress IPPrefixLen IPv6Gateway GlobalIPv6Address \
            GlobalIPv6PrefixLen MacAddress DriverOpts",
        ),
    ];
    let seen = shanty.json(
        r#"let c = image("busybox:1").run(#{ name: "web", entrypoint: ["sleep"], cmd: ["1000"], network: "none", memory: "64m",
               labels: #{ a: "b" }, healthcheck: "true", expose: ["80"], tmpfs: ["/t"], volumes: ["/etc/passwd:/p:ro"] });
           c.inspect()"#,
    );
    for (path, keys) in keys {
        let part = path.split('/').filter(|key| !key.is_empty()).fold(&seen, |value, key| &value[key]);
        let part = part.as_object().unwrap_or_else(|| panic!("{path}: {part}"));
        let missing: Vec<&str> = keys.split_whitespace().filter(|key| !part.contains_key(*key)).collect();
        assert!(missing.is_empty(), "{path} lacks {missing:?}");
    }
    let (config, host) = (&seen["Config"], &seen["HostConfig"]);
    assert_eq!((&config["Entrypoint"], &config["Cmd"]), (&json!(["sleep"]), &json!(["1000"])));
    assert_eq!(
        (&config["ExposedPorts"], &config["Healthcheck"]["Test"]),
        (&json!({ "80/tcp": {} }), &json!(["CMD-SHELL", "true"]))
    );
    assert_eq!((&host["Memory"], &host["MemorySwap"]), (&json!(64 << 20), &json!(128 << 20)));
    assert_eq!((&host["Binds"], &host["Tmpfs"]), (&json!(["/etc/passwd:/p:ro"]), &json!({ "/t": "" })));
    assert_eq!((&host["CapAdd"], &host["PidsLimit"]), (&Value::Null, &Value::Null));
    assert_eq!((&seen["State"]["Health"]["Status"], &seen["State"]["Paused"]), (&json!("starting"), &json!(false)));
}
