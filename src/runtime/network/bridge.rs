//! A namespace with a link to a bridge.

use super::plan::BridgePlan;
use super::published;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::sys::netlink::{Refusal, RouteSocket, link_index};
use crate::sys::netns;
use nix::errno::Errno;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::{Duration, Instant};

/// Name of the link inside the container.
pub const INTERFACE: &str = "eth0";

/// Links the namespace to the bridge, configures it, and opens the published ports last, when there is
/// something to lead them to.
pub fn attach(plan: &BridgePlan, netns: BorrowedFd<'_>) -> Result<()> {
    let bridge = link_index(&plan.bridge)
        .ok_or_else(|| Error::not_found(format!("the bridge `{}` is gone", plan.bridge)).hint("start it again"))?;
    let linking = |refusal: Refusal| refusal.doing(format!("cannot link the container to bridge `{}`", plan.bridge));
    let mut links = RouteSocket::open()?;
    links.create_veth(&plan.host_link, bridge, plan.mtu, INTERFACE, mac(plan.ip), netns).map_err(linking)?;
    netns::inside(netns, || configure(plan))?;
    // The port first: with it the bridge gets its carrier.
    let port = link_index(&plan.host_link).ok_or_else(|| linking(Refusal::of(Errno::ENODEV)))?;
    wait_until_running(&mut links, &plan.host_link, port)?;
    wait_until_running(&mut links, &plan.bridge, bridge)?;
    if plan.ports.is_empty() {
        return Ok(());
    }
    published::publish(&plan.table, plan.ip, &plan.ports)
}

/// Closes the published ports.
pub fn detach(plan: &BridgePlan) -> Result<()> {
    if plan.ports.is_empty() {
        return Ok(());
    }
    published::withdraw(&plan.table, plan.ip, &plan.ports)
}

fn configure(plan: &BridgePlan) -> Result<()> {
    let link = link_index(INTERFACE)
        .ok_or_else(|| Error::not_found(format!("the container's link `{INTERFACE}` is not there")))?;
    disable_ipv6()?;
    let mut links = RouteSocket::open()?;
    links
        .configure(link, plan.ip, plan.prefix, plan.gateway)
        .map_err(|refusal| refusal.doing(format!("cannot give the container the address {}", plan.ip)))?;
    wait_until_running(&mut links, INTERFACE, link)
}

/// Waits until a link passes packets on: those sent before are lost, and a lost ARP request costs the
/// program in the container a second.
fn wait_until_running(links: &mut RouteSocket, name: &str, link: u32) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(5);
    const STEP: Duration = Duration::from_micros(200);
    let start = Instant::now();
    while !links.is_running(link).map_err(|refusal| refusal.doing(format!("cannot look at link `{name}`")))? {
        if start.elapsed() > LIMIT {
            return Err(Error::new(ErrorKind::Timeout, format!("link `{name}` does not come up")));
        }
        thread::sleep(STEP);
    }
    Ok(())
}

/// A network without IPv6 addresses has no use for link-local ones, as in Docker; without them the link
/// needs no duplicate address detection either.
fn disable_ipv6() -> Result<()> {
    let path = format!("/proc/sys/net/ipv6/conf/{INTERFACE}/disable_ipv6");
    match fs::write(&path, "1") {
        // The kernel has no IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.doing(|| format!("cannot write `{path}`")),
    }
}

/// Docker's scheme: the same address has the same MAC, so neighbours' caches are right after a restart.
fn mac(ip: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = ip.octets();
    [0x02, 0x42, a, b, c, d]
}
