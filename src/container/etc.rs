//! The files that a container finds under `/etc`, written anew at each start and mounted from there.

use super::row::Row;
use crate::error::{IoContext, Result};
use crate::model::Owner;
use crate::network::{HostsFile, ResolvConf, host_address, host_hosts, host_resolv_conf};
use crate::runtime::network::{BridgePlan, NetworkPlan, RESOLVER};
use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

/// The files: name in the folder, path in the container.
pub const FILES: [(&str, &str); 3] =
    [("resolv.conf", "/etc/resolv.conf"), ("hostname", "/etc/hostname"), ("hosts", "/etc/hosts")];

/// Writes them into a folder, as the container's network wants them.
pub fn write(folder: &Path, row: &Row) -> Result<()> {
    for ((name, _), text) in FILES.iter().zip([resolv_conf(row)?, hostname(row), hosts(row)?]) {
        let path = folder.join(name);
        let doing = || format!("cannot write `{}`", path.display());
        fs::write(&path, text).doing(doing)?;
        // For every user of the container, whatever our umask is.
        fs::set_permissions(&path, Permissions::from_mode(0o644)).doing(doing)?;
    }
    Ok(())
}

/// Copies them from the folder of another container.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for (name, _) in FILES {
        let (from, to) = (from.join(name), to.join(name));
        fs::copy(&from, &to).doing(|| format!("cannot copy `{}`", from.display()))?;
    }
    Ok(())
}

/// Gives them to the root of a user namespace. Memory cannot have its owners mapped before Linux 6.3.
pub fn give(folder: &Path, (uid, gid): Owner) -> Result<()> {
    for (name, _) in FILES {
        let path = folder.join(name);
        chown(&path, Some(uid), Some(gid)).doing(|| format!("cannot give `{}` away", path.display()))?;
    }
    Ok(())
}

fn hostname(row: &Row) -> String {
    format!("{}\n", row.plan.hostname)
}

/// Changes them in place, since they are mounted: what programs wrote into them stays.
pub fn networks_changed(folder: &Path, row: &Row, before: &BridgePlan) -> Result<()> {
    let Some(now) = row.plan.network.bridge() else { return Ok(()) };
    let path = folder.join("hosts");
    let doing = || format!("cannot change `{}`", path.display());
    let (old, new) = (addresses(before), addresses(now));
    let text = fs::read_to_string(&path).doing(doing)?;
    let is_of = |line: &str, ip: &IpAddr| line.split_ascii_whitespace().next() == Some(&ip.to_string());
    let is_gone = |line: &&str| old.iter().any(|ip| !new.contains(ip) && is_of(line, ip));
    let mut lines: Vec<String> = text.lines().filter(|line| !is_gone(line)).map(str::to_owned).collect();
    lines.extend(new.iter().filter(|ip| !old.contains(ip)).map(|ip| format!("{ip}\t{}", row.plan.hostname)));
    lines.push(String::new());
    fs::write(&path, lines.join("\n")).doing(doing)?;
    if before.resolver.is_some() == now.resolver.is_some() {
        return Ok(());
    }
    let path = folder.join("resolv.conf");
    fs::write(&path, resolv_conf(row)?).doing(|| format!("cannot change `{}`", path.display()))
}

fn addresses(plan: &BridgePlan) -> Vec<IpAddr> {
    plan.links.iter().flat_map(|link| link.addresses.iter().map(|address| address.ip)).collect()
}

fn resolv_conf(row: &Row) -> Result<String> {
    let changes = ResolvConf { dns: &row.spec.dns, dns_search: &row.spec.dns_search };
    match &row.plan.network {
        NetworkPlan::Host => host_resolv_conf(),
        NetworkPlan::Bridge(plan) if plan.resolver.is_some() => changes.of_resolver(RESOLVER.into()),
        _ => changes.of_this_host(),
    }
}

fn hosts(row: &Row) -> Result<String> {
    let bridge = row.plan.network.bridge();
    let gateway = match &row.plan.network {
        NetworkPlan::Bridge(plan) => host_address(plan),
        NetworkPlan::Host => Some(Ipv4Addr::LOCALHOST),
        NetworkPlan::None | NetworkPlan::Joined => None,
    };
    let file = HostsFile {
        hostname: &row.plan.hostname,
        domainname: row.spec.domainname.as_deref(),
        ips: &bridge.map(addresses).unwrap_or_default(),
        extra_hosts: &row.spec.extra_hosts,
        gateway,
    };
    match row.plan.network {
        NetworkPlan::Host => Ok(format!("{}{}", host_hosts()?, file.extra_lines()?)),
        _ => file.text(),
    }
}
