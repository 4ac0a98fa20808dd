//! What is known about a container at one moment.

use super::{PublishedPort, Status};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A container as it was when asked. Times are RFC 3339 in UTC when written as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerInfo {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Unique in its root.
    pub name: String,
    /// Image reference as the user wrote it.
    pub image: String,
    /// Id of that image: the digest of its config.
    pub image_id: String,
    /// Its state.
    pub status: Status,
    /// Exit code as a shell gives it, once it has ended.
    pub exit_code: Option<i32>,
    /// Process id of its init on the host, while it runs.
    pub pid: Option<i32>,
    /// Address in its first network, while it has one.
    pub ip: Option<IpAddr>,
    /// The networks it is in, or will be in when it starts.
    #[serde(default)]
    pub networks: Vec<ContainerNetwork>,
    /// Ports published on the host.
    pub ports: Vec<PublishedPort>,
    /// The image's labels and its own.
    pub labels: BTreeMap<String, String>,
    /// The command line: entrypoint and arguments.
    pub command: Vec<String>,
    /// Killed because it ran out of memory.
    pub oom_killed: bool,
    /// How often it was started again by its restart policy.
    pub restarts: u32,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// When it was started last.
    pub started: Option<jiff::Timestamp>,
    /// When it ended last.
    pub finished: Option<jiff::Timestamp>,
    /// `healthy`, `unhealthy`, `starting`; `None` without a health check.
    pub health: Option<String>,
}

/// A container in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerNetwork {
    /// Name of the network.
    pub name: String,
    /// Its address there, while it has one.
    pub ip: Option<IpAddr>,
    /// Its IPv6 address there.
    pub ip6: Option<IpAddr>,
    /// The names it is found by there, besides its own.
    pub aliases: Vec<String>,
}
