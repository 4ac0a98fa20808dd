//! The files that a container finds under `/etc`, written anew at each start and mounted from there.

use super::row::Row;
use crate::error::{IoContext, Result};
use crate::model::Owner;
use crate::network::{HostsFile, ResolvConf, host_hosts, host_resolv_conf};
use crate::runtime::network::NetworkPlan;
use std::fs::{self, Permissions};
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

fn resolv_conf(row: &Row) -> Result<String> {
    match row.plan.network {
        NetworkPlan::Host => host_resolv_conf(),
        _ => ResolvConf { dns: &row.spec.dns, dns_search: &row.spec.dns_search }.of_this_host(),
    }
}

fn hosts(row: &Row) -> Result<String> {
    let (ip, gateway) = match &row.plan.network {
        NetworkPlan::Bridge(bridge) => (Some(bridge.ip), Some(bridge.gateway)),
        NetworkPlan::None | NetworkPlan::Joined => (None, None),
        NetworkPlan::Host => (None, Some(std::net::Ipv4Addr::LOCALHOST)),
    };
    let file = HostsFile {
        hostname: &row.plan.hostname,
        domainname: row.spec.domainname.as_deref(),
        ip,
        extra_hosts: &row.spec.extra_hosts,
        gateway,
    };
    match row.plan.network {
        NetworkPlan::Host => Ok(format!("{}{}", host_hosts()?, file.extra_lines()?)),
        _ => file.text(),
    }
}
