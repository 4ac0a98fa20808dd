//! What a container is made from: the options of `run` and `create` after they were parsed.

use super::{
    DeviceSpec, LogSpec, MountSpec, NamespaceMode, NetworkAttachment, OnUnhealthy, Platform, PortSpec, ResourceLimits,
    RestartPolicy, Ulimit, UsernsSpec,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Everything that `run` and `create` take. `Default` is a container without any option.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerSpec {
    /// Image reference, as the user wrote it.
    pub image: String,
    /// Name; `None`: one is made up.
    pub name: Option<String>,
    /// Arguments of the entrypoint, or the command when there is none; `None`: the image's.
    pub cmd: Option<Vec<String>>,
    /// Entrypoint; `Some(vec![])` clears the image's.
    pub entrypoint: Option<Vec<String>>,
    /// Environment on top of the image's, in order.
    pub env: Vec<(String, String)>,
    /// Working directory; `None`: the image's, or `/`.
    pub workdir: Option<String>,
    /// `user`, `user:group`, `uid`, `uid:gid`.
    pub user: Option<String>,
    /// Supplementary groups, names or ids of the container.
    pub group_add: Vec<String>,
    /// Host name; `None`: the short id.
    pub hostname: Option<String>,
    /// NIS domain name.
    pub domainname: Option<String>,
    /// Labels on top of the image's.
    pub labels: BTreeMap<String, String>,
    /// Ports to publish on the host.
    pub ports: Vec<PortSpec>,
    /// What it listens on besides the image's ports, such as `80/tcp`: shown, not published.
    pub expose: Vec<String>,
    /// Volumes, binds and tmpfs.
    pub mounts: Vec<MountSpec>,
    /// Networks; empty: the default bridge. `none`, `host` and `container:NAME` stand alone.
    pub networks: Vec<NetworkAttachment>,
    /// Name servers instead of the host's.
    pub dns: Vec<IpAddr>,
    /// Search domains instead of the host's.
    pub dns_search: Vec<String>,
    /// Lines for `/etc/hosts`: (name, address).
    pub extra_hosts: Vec<(String, String)>,
    /// What it may use of the machine.
    pub limits: ResourceLimits,
    /// Size of `/dev/shm`, bytes; `None`: 64 MiB.
    pub shm_size: Option<u64>,
    /// Resource limits of the process.
    pub ulimits: Vec<Ulimit>,
    /// The kernel's preference to kill it, -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// The root file system is not writable.
    pub read_only: bool,
    /// All capabilities and devices, no seccomp, nothing masked.
    pub privileged: bool,
    /// Capabilities to add: `NET_ADMIN`, `CAP_NET_ADMIN`, `ALL`.
    pub cap_add: Vec<String>,
    /// Capabilities to drop.
    pub cap_drop: Vec<String>,
    /// `None`, `default` and `builtin`: Docker's default profile; `unconfined`; or the text of a [`super::SeccompProfile`].
    pub seccomp: Option<String>,
    /// Set `no_new_privs`.
    pub no_new_privileges: bool,
    /// Its user namespace.
    pub userns: UsernsSpec,
    /// Its namespace of processes.
    pub pid: NamespaceMode,
    /// Its namespace of System V IPC, message queues and `/dev/shm`.
    pub ipc: NamespaceMode,
    /// Devices of the host.
    pub devices: Vec<DeviceSpec>,
    /// Namespaced kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// Run a small init as PID 1 that reaps and forwards signals.
    pub init: bool,
    /// A terminal.
    pub tty: bool,
    /// Keep standard input open.
    pub stdin: bool,
    /// What it reads on standard input; `None`: as `stdin` says.
    pub input: Option<InputSpec>,
    /// Remove it when it ends.
    pub remove: bool,
    /// What happens when it ends.
    pub restart: RestartPolicy,
    /// Health check instead of the image's.
    pub healthcheck: Option<HealthcheckSpec>,
    /// What happens when that fails too often.
    pub on_unhealthy: OnUnhealthy,
    /// Signal of `stop`; `None`: the image's, or TERM.
    pub stop_signal: Option<String>,
    /// Time between that signal and KILL; `None`: 10 s.
    pub stop_timeout: Option<Duration>,
    /// What becomes of its output.
    pub log: LogSpec,
    /// Platform to pull.
    pub platform: Option<Platform>,
    /// The OCI runtime that makes it, a name or a path; `None` or `shanty`: the built-in one.
    pub runtime: Option<String>,
    /// Replace a container of the same name.
    pub replace: bool,
    /// The scope of the script that owns it.
    pub scope: Option<String>,
}

/// What a container reads, and then the end of file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputSpec {
    /// The bytes: kept in a file of the container, not with the rest.
    #[serde(skip)]
    pub data: Vec<u8>,
}

/// How to find out whether a container is healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthcheckSpec {
    /// Docker's form: `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`.
    pub test: Vec<String>,
    /// Between two checks; `None`: 30 s.
    pub interval: Option<Duration>,
    /// Of one check; `None`: 30 s.
    pub timeout: Option<Duration>,
    /// Failures in a row that make it unhealthy; `None`: 3.
    pub retries: Option<u32>,
    /// Failures do not count so long after the start.
    pub start_period: Option<Duration>,
    /// Between two checks in the start period; `None`: 5 s.
    pub start_interval: Option<Duration>,
}

/// A command in a running container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecSpec {
    /// The command and its arguments.
    pub argv: Vec<String>,
    /// Environment on top of the container's.
    pub env: Vec<(String, String)>,
    /// Working directory; `None`: the container's.
    pub workdir: Option<String>,
    /// User; `None`: the container's.
    pub user: Option<String>,
    /// What it reads on standard input; `None`: nothing.
    pub stdin: Option<Vec<u8>>,
    /// Give it a terminal.
    pub tty: bool,
    /// Return at once and leave it running.
    pub detach: bool,
}
