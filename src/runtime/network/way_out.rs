//! How packets leave the home of an ordinary user's networks.

use super::uplink::rules;
use crate::error::{IoContext, Result};
use crate::privilege::Privilege;
use crate::sys::netns;
use serde::{Deserialize, Serialize};
use std::fs::File;

/// What makes the device that pasta needs.
const TUN: &str = "/dev/net/tun";
/// `forwarding`: no pasta, for machines where it does not work; `connections`: as on a kernel without `tproxy`.
pub(super) const OVERRIDE: &str = "SHANTY_WAY_OUT";
const CONNECTIONS: &str = "connections";

/// Which way it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WayKind {
    /// The machine forwards, with its own address: for root.
    Kernel,
    /// `pasta`, by a tun device.
    Pasta,
    /// Our own process forwards connections and datagrams.
    Forwarding,
    /// The same for connections alone: this kernel cannot give away datagrams to other addresses.
    Connections,
    /// None: this kernel gives ordinary users no packet filter either.
    Nothing,
}

/// How the outside is reached, and why so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Which way.
    pub kind: WayKind,
    /// Why it is not a better one; empty for the best.
    pub reason: String,
}

impl Way {
    /// The kernel's own.
    fn of_root() -> Self {
        Self { kind: WayKind::Kernel, reason: String::new() }
    }

    /// What it is called: `kernel`, `pasta`, `forwarding`, `forwarding of TCP alone`, `none`.
    pub fn name(&self) -> &'static str {
        match self.kind {
            WayKind::Kernel => "kernel",
            WayKind::Pasta => "pasta",
            WayKind::Forwarding => "forwarding",
            WayKind::Connections => "forwarding of TCP alone",
            WayKind::Nothing => "none",
        }
    }

    /// Whether UDP gets out.
    pub fn forwards_datagrams(&self) -> bool {
        matches!(self.kind, WayKind::Kernel | WayKind::Pasta | WayKind::Forwarding)
    }

    /// What does not work, a sentence each.
    pub fn limits(&self) -> Vec<&'static str> {
        const ICMP: &str = "ICMP to the outside (`ping`) is not forwarded";
        const REFUSED: &str = "a connection that the outside refuses is accepted first, and then reset";
        const BROADCAST: &str = "broadcasts and multicasts do not leave the networks";
        match self.kind {
            WayKind::Kernel => Vec::new(),
            WayKind::Nothing => vec!["containers do not reach the outside"],
            WayKind::Pasta => vec![BROADCAST],
            WayKind::Forwarding => vec![ICMP, REFUSED, BROADCAST],
            WayKind::Connections => vec![ICMP, REFUSED, BROADCAST, "UDP to the outside is not forwarded"],
        }
    }
}

/// The way out of the networks of who asks: the one in use, or the one that would be taken.
pub fn way_out() -> Way {
    if !Privilege::current().is_rootless() {
        return Way::of_root();
    }
    let is_severed = super::home::is_severed().unwrap_or(false);
    if (is_severed || super::home::is_there())
        && let Some(mut home) = crate::privilege::run_base().ok().and_then(|base| super::home::Home::read(&base))
    {
        if is_severed {
            home.way.reason =
                "the process that did it was killed: the next container that starts brings it back".into();
        }
        return home.way;
    }
    match pasta_is_usable() {
        Ok(()) => Way { kind: WayKind::Pasta, reason: String::new() },
        Err(reason) => Way { kind: forwarding_kind(), reason },
    }
}

/// What our own forwarding can do on this kernel.
pub(super) fn forwarding_kind() -> WayKind {
    let tried = netns::alone(|| {
        netns::unshare_thread()?;
        Ok(match () {
            () if !is_without_proxy() && rules::can_proxy() => WayKind::Forwarding,
            () if rules::can_redirect() => WayKind::Connections,
            () => WayKind::Nothing,
        })
    });
    tried.unwrap_or(WayKind::Nothing)
}

/// Whether transparent sockets are not to be used.
pub(super) fn is_without_proxy() -> bool {
    std::env::var(OVERRIDE).is_ok_and(|way| way == CONNECTIONS)
}

/// Why pasta is not used, where it is not.
pub(super) fn pasta_is_usable() -> Result<(), String> {
    let wanted = std::env::var(OVERRIDE).is_ok_and(|way| way == "forwarding" || way == CONNECTIONS);
    let tun = || File::options().read(true).write(true).open(TUN).doing(|| format!("cannot open `{TUN}`"));
    decide(wanted, is_installed("pasta"), || tun().map(drop).map_err(|error| error.message()))
}

fn decide(
    forwarding_is_wanted: bool,
    is_installed: bool,
    tun: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    if forwarding_is_wanted {
        return Err(format!("`{OVERRIDE}` asks for it"));
    }
    if !is_installed {
        return Err("`pasta` is not installed (package `passt`)".to_owned());
    }
    tun()
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasta_is_used_where_it_is_installed_and_its_device_opens() {
        let no_device = || Err("cannot open `/dev/net/tun`: permission denied".to_owned());
        assert_eq!(decide(false, true, || Ok(())), Ok(()));
        assert!(decide(true, true, || Ok(())).unwrap_err().contains(OVERRIDE));
        assert!(decide(false, false, || Ok(())).unwrap_err().contains("passt"));
        assert!(decide(false, true, no_device).unwrap_err().contains("denied"));
    }
}
