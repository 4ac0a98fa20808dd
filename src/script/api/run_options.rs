//! The options of `run`, `create` and `image.exec`: Docker's names, with Compose's and docker-py's as aliases.

use super::run_values::{addresses, attachments, positive, runtime_program, seccomp, user};
use super::values::{
    CommandLine, Devices, Environment, ExposedPorts, ExtraHosts, Healthcheck, IpcMode, Labels, LogOption, Mounts,
    Networks, OneOrMany, PidMode, Ports, Pull, Restart, Stdin, Swap, TmpfsMounts, Ulimits, Userns, absolute,
    host_value,
};
use crate::engine::PullPolicy;
use crate::error::{IoContext, Result};
use crate::model::{
    ContainerSpec, InputSpec, MountKind, MountSpec, OnUnhealthy, ResourceLimits, env, name, signal, sysctl,
};
use crate::script::binding::{Options, Size};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What a container is made with.
#[derive(Clone, Default, Options)]
pub struct RunOptions {
    /// Name; one is made up without it.
    #[option(alias = "container_name")]
    pub name: Option<String>,
    /// Arguments of the entrypoint, or the command when the image has none.
    #[option(alias = "command")]
    pub cmd: Option<CommandLine>,
    /// Program to run instead of the image's; `[]` clears it.
    pub entrypoint: Option<CommandLine>,
    /// Environment on top of the image's: a map or `["K=V"]`; `K` alone takes the host's value.
    #[option(alias = "environment")]
    pub env: Environment,
    /// Files of `K=V` lines; `env` goes before them.
    pub env_file: OneOrMany,
    /// Working directory.
    #[option(alias = "working_dir")]
    pub workdir: Option<String>,
    /// `user`, `user:group`, `1000`, `1000:1000`.
    pub user: Option<OneOrMany>,
    /// Further groups, names or numbers.
    pub group_add: OneOrMany,
    /// Host name inside.
    pub hostname: Option<String>,
    /// NIS domain name inside.
    pub domainname: Option<String>,
    /// Labels on top of the image's.
    #[option(alias = "label")]
    pub labels: Labels,
    /// Ports to publish: `"8080:80"`, `"127.0.0.1:53:53/udp"`, `80` for a free port of the host.
    #[option(alias = "publish")]
    pub ports: Ports,
    /// Ports that are said to be listened on.
    pub expose: ExposedPorts,
    /// Volumes and folders: `"data:/var/lib"`, `"./app:/app:ro"`.
    #[option(alias = "mounts", alias = "volume", alias = "mount", alias = "binds")]
    pub volumes: Mounts,
    /// Mounts of memory: `"/run"`, `"/run:size=64m"`.
    pub tmpfs: TmpfsMounts,
    /// Network: a name, `none`, `host` or `container:NAME`.
    #[option(alias = "network_mode", alias = "net")]
    pub network: Option<String>,
    /// Networks: names, or a map of names to `#{ aliases, ip }`. The first one that is not internal leads out.
    pub networks: Networks,
    /// Other names in its networks.
    #[option(alias = "network_aliases")]
    pub aliases: OneOrMany,
    /// Fixed address in its first network, or IPv4 and IPv6 addresses.
    #[option(alias = "ipv4_address")]
    pub ip: OneOrMany,
    /// Fixed IPv6 address in its first network.
    #[option(alias = "ipv6_address")]
    pub ip6: Option<String>,
    /// Name servers instead of the host's.
    pub dns: OneOrMany,
    /// Search domains instead of the host's.
    pub dns_search: OneOrMany,
    /// Lines for `/etc/hosts`: `["name:address"]` or a map.
    #[option(alias = "add_host")]
    pub extra_hosts: ExtraHosts,
    /// Processor limit: 1.5 is one and a half.
    pub cpus: Option<f64>,
    /// Relative weight; 1024 is the default.
    pub cpu_shares: Option<u64>,
    /// Processors to run on: `"0-3,5"`.
    #[option(alias = "cpuset_cpus")]
    pub cpuset: Option<String>,
    /// Memory limit.
    #[option(alias = "mem_limit")]
    pub memory: Option<Size>,
    /// Memory and swap together; -1: unlimited swap.
    #[option(alias = "memswap_limit")]
    pub memory_swap: Option<Swap>,
    /// Soft memory limit.
    #[option(alias = "mem_reservation")]
    pub memory_reservation: Option<Size>,
    /// Most processes; -1 or 0: no limit.
    #[option(alias = "pids_limit")]
    pub pids: Option<i64>,
    /// Block I/O weight, 10 to 1000.
    #[option(alias = "blkio_weight")]
    pub io_weight: Option<u16>,
    /// Size of `/dev/shm`: 64m.
    pub shm_size: Option<Size>,
    /// Resource limits: `["nofile=1024:2048"]` or a map.
    #[option(alias = "ulimit")]
    pub ulimits: Ulimits,
    /// The kernel's preference to kill it when memory runs out, -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// The root file system is not writable.
    pub read_only: bool,
    /// All capabilities and devices, no filter, nothing hidden.
    pub privileged: bool,
    /// Capabilities to add: `NET_ADMIN`, `ALL`.
    pub cap_add: OneOrMany,
    /// Capabilities to drop.
    pub cap_drop: OneOrMany,
    /// `unconfined`, `builtin`, or the path of a system call filter in Docker's JSON format.
    pub seccomp: Option<String>,
    /// Programs cannot gain privileges, as by setuid.
    pub no_new_privileges: bool,
    /// User namespace: `host`, `auto`, `keep-id` (your own number inside, without root), or maps of ids. Without root, `auto`
    /// and maps need ranges of ids (`/etc/subuid`), and what is outside are ids of your own: 0 is you, 1 and more your ranges.
    #[option(alias = "userns_mode")]
    pub userns: Userns,
    /// Namespace of processes: `host`, `container:NAME`.
    #[option(alias = "pid_mode")]
    pub pid: PidMode,
    /// Namespace of IPC and `/dev/shm`: `host`, `private`, `shareable`, `none`, `container:NAME`.
    #[option(alias = "ipc_mode")]
    pub ipc: IpcMode,
    /// Devices of the host: `"/dev/fuse"`, `"/dev/sda:/dev/xvda:rwm"`.
    #[option(alias = "device")]
    pub devices: Devices,
    /// Kernel parameters of its namespaces.
    #[option(alias = "sysctl")]
    pub sysctls: Labels,
    /// A small init as process 1 that reaps and forwards signals.
    pub init: bool,
    /// A terminal, of 24 rows by 80 columns until somebody is attached.
    pub tty: bool,
    /// The text that it reads, or `true`: standard input is held open.
    #[option(alias = "stdin_open", alias = "interactive")]
    pub stdin: Stdin,
    /// Removes it when it ends.
    #[option(alias = "rm", alias = "auto_remove")]
    pub remove: Option<bool>,
    /// `no`, `on-failure:3`, `always`, `unless-stopped`.
    #[option(alias = "restart_policy")]
    pub restart: Restart,
    /// How to find out whether it is healthy.
    #[option(alias = "health")]
    pub healthcheck: Option<Healthcheck>,
    /// What happens when it is unhealthy: `"none"`, `"restart"`, `"stop"`, `"kill"`.
    #[option(alias = "health_on_failure")]
    pub on_unhealthy: Option<String>,
    /// Signal of `stop`.
    pub stop_signal: Option<String>,
    /// Time between that signal and KILL: 10 s.
    #[option(alias = "stop_grace_period")]
    pub stop_timeout: Option<Duration>,
    /// What becomes of its output: `#{ max_size: "10m", max_file: 3 }`, `"none"`.
    #[option(alias = "logging", alias = "log_config")]
    pub log: LogOption,
    /// Platform to pull: `linux/arm64`.
    pub platform: Option<String>,
    /// When to ask the registry: `missing`, `always`, `newer`, `never`.
    #[option(alias = "pull_policy")]
    pub pull: Pull,
    /// The OCI runtime that makes it: `"runc"`, `"crun"` or a path; `"shanty"`, the built-in one, is the default.
    pub runtime: Option<String>,
    /// Replaces a container of the same name.
    pub replace: bool,
}

impl RunOptions {
    /// When to ask the registry.
    pub fn pull_policy(&self) -> PullPolicy {
        self.pull.0
    }

    /// The container that these options describe. Relative paths of the host start at `folder`.
    pub fn into_spec(self, image: &str, folder: &Path) -> Result<ContainerSpec> {
        if let Some(name) = &self.name {
            name::check("container", name)?;
        }
        if let Some(signal) = &self.stop_signal {
            signal::number(signal)?;
        }
        for (name, _) in &self.sysctls.0 {
            sysctl::namespace(name)?;
        }
        let environment = self.environment(folder)?;
        let ips: Vec<String> = self.ip.0.iter().chain(&self.ip6).cloned().collect();
        let mounts = self.mounts(folder);
        Ok(ContainerSpec {
            image: image.to_owned(),
            name: self.name,
            cmd: self.cmd.map(|CommandLine(argv)| argv),
            entrypoint: self.entrypoint.map(|CommandLine(argv)| argv),
            env: environment,
            workdir: self.workdir,
            user: self.user.map(user).transpose()?,
            group_add: self.group_add.0,
            hostname: self.hostname,
            domainname: self.domainname,
            labels: self.labels.0.into_iter().collect(),
            ports: self.ports.0,
            expose: self.expose.0,
            mounts,
            networks: attachments(self.network, self.networks.0, &self.aliases.0, &ips)?,
            dns: addresses(&self.dns.0)?,
            dns_search: self.dns_search.0,
            extra_hosts: self.extra_hosts.0,
            limits: ResourceLimits {
                cpus: self.cpus.map(positive).transpose()?,
                cpu_shares: self.cpu_shares,
                cpuset: self.cpuset,
                memory: self.memory.map(|Size(bytes)| bytes),
                memory_swap: self.memory_swap.map(|Swap(bytes)| bytes),
                memory_reservation: self.memory_reservation.map(|Size(bytes)| bytes),
                pids: self.pids.map(|count| u64::try_from(count).unwrap_or(0)),
                io_weight: self.io_weight,
            },
            shm_size: self.shm_size.map(|Size(bytes)| bytes),
            ulimits: self.ulimits.0,
            oom_score_adj: self.oom_score_adj,
            read_only: self.read_only,
            privileged: self.privileged,
            cap_add: self.cap_add.0,
            cap_drop: self.cap_drop.0,
            seccomp: self.seccomp.map(|profile| seccomp(profile, folder)).transpose()?,
            no_new_privileges: self.no_new_privileges,
            userns: self.userns.0,
            pid: self.pid.0,
            ipc: self.ipc.0,
            devices: self.devices.0,
            sysctls: self.sysctls.0.into_iter().collect::<BTreeMap<_, _>>(),
            init: self.init,
            tty: self.tty,
            stdin: self.stdin == Stdin::Open,
            input: match self.stdin {
                Stdin::Data(data) => Some(InputSpec { data }),
                Stdin::Open | Stdin::Closed => None,
            },
            remove: self.remove.unwrap_or(false),
            restart: self.restart.0,
            healthcheck: self.healthcheck.map(|Healthcheck(check)| check),
            on_unhealthy: self.on_unhealthy.map_or(Ok(OnUnhealthy::None), |action| action.parse())?,
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            log: self.log.0,
            platform: self.platform.map(|platform| platform.parse()).transpose()?,
            runtime: self.runtime.map(|runtime| runtime_program(runtime, folder)),
            replace: self.replace,
            scope: None,
        })
    }

    /// The files first, so that `env` wins.
    fn environment(&self, folder: &Path) -> Result<Vec<(String, String)>> {
        let mut variables = Vec::new();
        for path in &self.env_file.0 {
            let file = absolute(folder, path);
            let content = std::fs::read(&file).doing(|| format!("cannot read `{}`", file.display()))?;
            variables.extend(env::parse_file(path, &content, &host_value)?);
        }
        variables.extend(self.env.0.iter().cloned());
        Ok(variables)
    }

    fn mounts(&self, folder: &Path) -> Vec<MountSpec> {
        let mut mounts: Vec<MountSpec> = self.volumes.0.iter().chain(&self.tmpfs.0).cloned().collect();
        for mount in mounts.iter_mut().filter(|mount| mount.kind == MountKind::Bind) {
            mount.source = absolute(folder, &mount.source).to_string_lossy().into_owned();
        }
        mounts
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::PullPolicy;
    use crate::error::ErrorKind;
    use crate::model::{
        ContainerSpec, HealthcheckSpec, MountKind, NetworkAttachment, ResourceLimits, RestartPolicy, Ulimit,
    };
    use crate::script::api::recording_engine::RecordingEngine;
    use std::time::Duration;

    fn spec(options: &str) -> ContainerSpec {
        let engine = RecordingEngine::default();
        engine.eval(&format!("image(\"node:18\").run(#{{ {options} }});")).unwrap();
        engine.with(|recording| recording.specs.remove(0))
    }

    #[test]
    fn wrong_types_are_refused_with_the_name_of_the_option() {
        for (script, at) in [
            (r#"image("a").run(#{ env: 5 })"#, "option `env`"),
            (r#"image("a").run(#{ env: ["A=1", 5] })"#, "option `env`: item 2"),
            (r"images(#{ label: 5 })", "option `label`"),
        ] {
            let error = RecordingEngine::default().eval(script).expect_err(script);
            assert!(error.is(ErrorKind::Invalid) && error.message().contains(at), "{error:?}");
        }
    }

    #[test]
    fn options_become_a_spec() {
        let spec = spec(
            r#"name: "web", cmd: "node app.js", entrypoint: [], env: #{ A: 1, B: "x" }, workdir: "/app", user: 1000,
               labels: ["app=shop"], hostname: "h", networks: ["none"], dns: "1.1.1.1", extra_hosts: ["db:10.0.0.2"],
               cpus: 1.5, memory: "512m", memory_swap: -1, pids: -1, shm_size: 1024, cap_add: "NET_ADMIN",
               ulimits: #{ nofile: #{ soft: 10, hard: 20 } }, init: true, tty: true, stdin: true, remove: true,
               restart: "on-failure:3", stop_signal: "INT", stop_timeout: "1m30s", platform: "linux/arm64",
               expose: 80, healthcheck: "true", replace: true, sysctls: #{ "net.core.somaxconn": 1024 }"#,
        );
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let expected = ContainerSpec {
            image: "node:18".into(),
            name: Some("web".into()),
            cmd: Some(vec!["node".into(), "app.js".into()]),
            entrypoint: Some(vec![]),
            env: vec![pair("A", "1"), pair("B", "x")],
            workdir: Some("/app".into()),
            user: Some("1000".into()),
            labels: [pair("app", "shop")].into(),
            hostname: Some("h".into()),
            networks: vec![NetworkAttachment::to("none")],
            dns: vec!["1.1.1.1".parse().unwrap()],
            extra_hosts: vec![pair("db", "10.0.0.2")],
            limits: ResourceLimits {
                cpus: Some(1.5),
                memory: Some(512 << 20),
                memory_swap: Some(-1),
                pids: Some(0),
                ..ResourceLimits::default()
            },
            shm_size: Some(1024),
            cap_add: vec!["NET_ADMIN".into()],
            ulimits: vec![Ulimit { name: "nofile".into(), soft: 10, hard: 20 }],
            init: true,
            tty: true,
            stdin: true,
            remove: true,
            restart: RestartPolicy::OnFailure(3),
            stop_signal: Some("INT".into()),
            stop_timeout: Some(Duration::from_secs(90)),
            platform: Some("linux/arm64".parse().unwrap()),
            expose: vec!["80/tcp".into()],
            healthcheck: Some(HealthcheckSpec {
                test: vec!["CMD-SHELL".into(), "true".into()],
                ..HealthcheckSpec::default()
            }),
            replace: true,
            sysctls: [pair("net.core.somaxconn", "1024")].into(),
            ..ContainerSpec::default()
        };
        assert_eq!(spec, expected);
    }

    #[test]
    fn the_keys_of_compose_and_docker_py_mean_the_same() {
        for (names, alias) in [
            (r#"name: "web""#, r#"container_name: "web""#),
            (r#"cmd: "a b""#, r#"command: ["a", "b"]"#),
            (r#"env: #{ A: "1" }"#, r#"environment: ["A=1"]"#),
            (r#"workdir: "/a""#, r#"working_dir: "/a""#),
            (r#"memory: "1k", cpuset: "0""#, r#"mem_limit: 1024, cpuset_cpus: "0""#),
            ("remove: true, stdin: true", "rm: true, stdin_open: true"),
            (r#"stdin: "text""#, r#"interactive: "text""#),
            ("remove: true", "auto_remove: true"),
            ("pids: 5, io_weight: 10", "pids_limit: 5, blkio_weight: 10"),
            (r#"restart: "on-failure:2""#, r#"restart_policy: #{ Name: "on-failure", MaximumRetryCount: 2 }"#),
            (r#"network: "none""#, r#"networks: ["none"]"#),
            (r#"network: "host""#, r#"network_mode: "host""#),
            (r#"ports: ["8080:80"]"#, r#"ports: #{ "80/tcp": 8080 }"#),
            (
                r#"ports: ["127.0.0.1:53:53/udp"]"#,
                r#"ports: [#{ target: 53, published: 53, host_ip: "127.0.0.1", protocol: "udp" }]"#,
            ),
            ("ports: [80]", r#"ports: #{ "80/tcp": () }"#),
            (r#"ports: ["127.0.0.1::80"]"#, r#"ports: [#{ target: 80, host_ip: "127.0.0.1" }]"#),
            (r#"volumes: ["./a:/a:ro"]"#, r#"mounts: [#{ source: "./a", target: "/a", read_only: true }]"#),
            (r#"volumes: ["dd:/a"]"#, r#"volumes: #{ dd: "/a" }"#),
            (
                r#"volumes: ["dd:/a:nocopy"]"#,
                r#"volumes: [#{ source: volume("dd"), target: "/a", volume: #{ nocopy: true } }]"#,
            ),
            (r#"volumes: ["/x:/a:ro"]"#, r#"volumes: #{ "/x": #{ bind: "/a", mode: "ro" } }"#),
            (
                r#"tmpfs: "/t:size=1m,mode=755""#,
                r#"mounts: [#{ "type": "tmpfs", target: "/t", size: "1m", mode: 0o755 }]"#,
            ),
            (r#"healthcheck: ["CMD", "x"]"#, r#"health: #{ test: ["x"] }"#),
            ("healthcheck: false", "healthcheck: #{ disable: true }"),
        ] {
            assert_eq!(spec(names), spec(alias), "{alias}");
        }
    }

    #[test]
    fn relative_host_paths_start_at_the_scripts_folder() {
        let mounts = spec(r#"volumes: ["./app:/app", "data:/data"], tmpfs: ["/run"]"#).mounts;
        let shown: Vec<_> = mounts.iter().map(|mount| (mount.kind, mount.source.as_str())).collect();
        assert_eq!(shown, [(MountKind::Bind, "/scripts/app"), (MountKind::Volume, "data"), (MountKind::Tmpfs, "")]);
    }

    #[test]
    fn variables_of_a_file_come_before_those_given() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.env");
        std::fs::write(&file, "A=file\nB=file\n").unwrap();
        let env = spec(&format!("env: #{{ A: \"given\" }}, env_file: \"{}\"", file.display())).env;
        assert_eq!(env.last(), Some(&("A".to_owned(), "given".to_owned())));
        assert!(env.contains(&("B".to_owned(), "file".to_owned())));
    }

    #[test]
    fn what_is_wrong_or_not_possible_is_refused_by_name() {
        for (options, kind, text) in [
            (r#"aliases: ["db"]"#, ErrorKind::Invalid, "`aliases`"),
            (r#"ip: "10.0.0.2""#, ErrorKind::Invalid, "`ip`"),
            (r#"network: "n1", ip: "10.0.0""#, ErrorKind::Invalid, "`10.0.0`"),
            (r"networks: #{ n1: #{ alias: [] } }", ErrorKind::Invalid, "network `n1`"),
            (r#"log: "syslog""#, ErrorKind::Unsupported, "`syslog`"),
            (r#"nmae: "web""#, ErrorKind::Invalid, "`nmae`"),
            (r#"name: "-x""#, ErrorKind::Invalid, "`-x`"),
            (r#"memory: "lots""#, ErrorKind::Invalid, "option `memory`"),
            ("memory: []", ErrorKind::Invalid, "option `memory`"),
            (r#"ports: ["8080:80", "x"]"#, ErrorKind::Invalid, "item 2"),
            ("env: #{ A: [] }", ErrorKind::Invalid, "variable `A`"),
            (r#"cmd: "a | b""#, ErrorKind::Invalid, "`|`"),
            (r#"stop_signal: "HUPP""#, ErrorKind::Invalid, "`HUPP`"),
            (r#"restart: "sometimes""#, ErrorKind::Invalid, "`sometimes`"),
            (r#"dns: ["x"]"#, ErrorKind::Invalid, "`x`"),
            ("cpus: -1", ErrorKind::Invalid, "`-1`"),
        ] {
            let script = format!("image(\"node:18\").run(#{{ {options} }});");
            let error = RecordingEngine::default().eval(&script).expect_err(options);
            assert!(error.is(kind) && error.message().contains(text), "{options}: {error:?}");
        }
    }

    #[test]
    fn the_command_may_come_before_the_options_but_only_once() {
        let engine = RecordingEngine::default();
        engine.eval(r#"image("a").run("x y", #{ pull: "never" }); image("a").create(["z"]);"#).unwrap();
        engine.with(|recording| {
            assert_eq!(recording.specs[0].cmd, Some(vec!["x".to_owned(), "y".to_owned()]));
            assert_eq!(recording.calls, [format!("run {:?}", PullPolicy::Never), "create Missing".into()]);
        });
        assert!(engine.eval(r#"image("a").run("x", #{ cmd: "y" })"#).is_err());
    }
}
