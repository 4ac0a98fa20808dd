//! Which networks a container gets.

use super::isolation;
use super::row::Row;
use crate::error::{Error, Result};
use crate::model::{ContainerSpec, NetworkAttachment};
use crate::network::{self, Member};
use crate::runtime::network::NetworkPlan;
use crate::store::Store;
use std::os::fd::OwnedFd;

/// Reserves addresses and the published ports; the sockets hold the ports and are for the monitor.
///
/// # Errors
/// `conflict` when a port or an address is taken, which says by whom.
pub fn connect(store: &Store, row: &Row) -> Result<(NetworkPlan, Vec<OwnedFd>)> {
    match alone(&row.spec) {
        Some("none") => Ok((NetworkPlan::None, Vec::new())),
        Some("host") => Ok((NetworkPlan::Host, Vec::new())),
        Some(_) => Ok((NetworkPlan::Joined, Vec::new())),
        None => {
            let attachments = attachments(&row.spec.networks);
            let attachment = network::allocate(store, member(row), &attachments, &row.spec.ports)?;
            Ok((NetworkPlan::Bridge(attachment.plan), attachment.sockets))
        }
    }
}

/// What networks know of a container.
pub fn member(row: &Row) -> Member<'_> {
    Member { id: row.id.as_str(), name: &row.name, labels: &row.plan.labels, dns: &row.spec.dns }
}

/// The networks of a container that has some; the default one when it asked for none.
pub fn attachments(asked: &[NetworkAttachment]) -> Vec<NetworkAttachment> {
    if asked.is_empty() { vec![NetworkAttachment::to(network::DEFAULT)] } else { asked.to_vec() }
}

/// `none`, `host` or `container:…`, which stand alone.
pub fn alone(spec: &ContainerSpec) -> Option<&str> {
    spec.networks.iter().map(|wanted| wanted.network.as_str()).find(|name| stands_alone(name))
}

fn stands_alone(name: &str) -> bool {
    matches!(name, "none" | "host") || name.starts_with(isolation::CONTAINER)
}

/// What cannot be, whatever networks there are.
pub fn check(spec: &ContainerSpec) -> Result<()> {
    let names: Vec<&str> = spec.networks.iter().map(|wanted| network::canonical(&wanted.network)).collect();
    if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Err(Error::invalid(format!("the network `{}` is named twice", twice.1)).hint("name it once"));
    }
    if let Some(name) = alone(spec) {
        if names.len() > 1 {
            return Err(
                Error::invalid(format!("the network `{name}` excludes all others")).hint("leave it out, or the others")
            );
        }
        if !spec.ports.is_empty() {
            let hint = match name {
                "host" => "leave `ports` out: the container's ports are the host's",
                _ => "leave `ports` out, or the network",
            };
            return Err(Error::invalid(format!("ports cannot be published on network `{name}`")).hint(hint));
        }
    }
    spec.networks.iter().try_for_each(check_attachment)
}

/// What needs a network with a name of its own, as in Docker.
pub fn check_attachment(wanted: &NetworkAttachment) -> Result<()> {
    let name = network::canonical(&wanted.network);
    let has_own_name = name != network::DEFAULT && !stands_alone(name);
    let given = [("aliases", !wanted.aliases.is_empty()), ("ip", wanted.ip.is_some()), ("ip6", wanted.ip6.is_some())];
    if let Some((option, _)) = given.iter().find(|(_, given)| *given && !has_own_name) {
        return Err(Error::invalid(format!("`{option}` cannot be set on the network `{name}`"))
            .hint("it is for networks that were made with `create_network`"));
    }
    for alias in &wanted.aliases {
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if alias.len() > 253 || !alias.split('.').all(is_label) {
            return Err(Error::invalid(format!("`{alias}` cannot be an alias"))
                .hint("it is a name as in the DNS: letters, digits, `-`, `_`, with dots between them"));
        }
    }
    Ok(())
}
