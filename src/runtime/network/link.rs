//! One link of a namespace to a bridge.

use super::plan::LinkPlan;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::sys::netlink::{Refusal, RouteSocket, link_index};
use crate::sys::netns;
use nix::errno::Errno;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::{Duration, Instant};

/// Links the namespace to the bridge and gives the link its addresses, with the default route when it is the way out.
pub fn add(plan: &LinkPlan, is_way_out: bool, netns: BorrowedFd<'_>) -> Result<()> {
    let bridge = link_index(&plan.bridge)
        .ok_or_else(|| Error::not_found(format!("the bridge `{}` is gone", plan.bridge)).hint("start it again"))?;
    let linking = |refusal: Refusal| refusal.doing(format!("cannot link the container to bridge `{}`", plan.bridge));
    let ip = plan.ipv4().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip);
    let mut links = RouteSocket::open()?;
    links.create_veth(&plan.host_link, bridge, plan.mtu, &plan.interface, mac(ip), netns).map_err(linking)?;
    netns::inside(netns, || configure(plan, is_way_out))?;
    // The port first: with it the bridge gets its carrier.
    let port = link_index(&plan.host_link).ok_or_else(|| linking(Refusal::of(Errno::ENODEV)))?;
    wait_until_running(&mut links, &plan.host_link, port)?;
    wait_until_running(&mut links, &plan.bridge, bridge)
}

/// Removes the link. Succeeds when it is gone.
pub fn remove(plan: &LinkPlan) -> Result<()> {
    let Some(index) = link_index(&plan.host_link) else { return Ok(()) };
    match RouteSocket::open()?.delete_link(index) {
        Err(refusal) if refusal.errno != Errno::ENODEV => {
            Err(refusal.doing(format!("cannot take the container off bridge `{}`", plan.bridge)))
        }
        _ => Ok(()),
    }
}

/// Makes the link the way out, or takes that away.
pub fn set_way_out(plan: &LinkPlan, is_way_out: bool, netns: BorrowedFd<'_>) -> Result<()> {
    netns::inside(netns, || {
        let Some(link) = link_index(&plan.interface) else { return Ok(()) };
        let mut links = RouteSocket::open()?;
        for address in &plan.addresses {
            let changed = if is_way_out {
                links.add_default_route(link, address.gateway)
            } else {
                links.delete_default_route(link, address.gateway)
            };
            match changed {
                // The container's administrator was there before.
                Err(refusal) if !matches!(refusal.errno, Errno::EEXIST | Errno::ESRCH) => {
                    return Err(refusal.doing("cannot change the container's default route"));
                }
                _ => {}
            }
        }
        Ok(())
    })
}

fn configure(plan: &LinkPlan, is_way_out: bool) -> Result<()> {
    let link = link_index(&plan.interface)
        .ok_or_else(|| Error::not_found(format!("the container's link `{}` is not there", plan.interface)))?;
    set_ipv6(&plan.interface, plan.ipv6().is_some())?;
    let addresses: Vec<(IpAddr, u8)> = plan.addresses.iter().map(|address| (address.ip, address.prefix)).collect();
    let gateways: Vec<IpAddr> = plan.addresses.iter().filter(|_| is_way_out).map(|address| address.gateway).collect();
    let mut links = RouteSocket::open()?;
    links
        .configure(link, &addresses, &gateways)
        .map_err(|refusal| refusal.doing(format!("cannot give the container its addresses {addresses:?}")))?;
    wait_until_running(&mut links, &plan.interface, link)
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
fn set_ipv6(interface: &str, wanted: bool) -> Result<()> {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
    match fs::write(&path, if wanted { "0" } else { "1" }) {
        // The kernel has no IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !wanted => Ok(()),
        result => result.doing(|| format!("cannot write `{path}`")),
    }
}

/// Docker's scheme: the same address has the same MAC, so neighbours' caches are right after a restart.
fn mac(ip: IpAddr) -> [u8; 6] {
    let [a, b, c, d] = match ip {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(_) => [0; 4],
    };
    [0x02, 0x42, a, b, c, d]
}

/// The hardware address of the link with this IPv4 address, as people write it.
pub fn mac_address(ip: IpAddr) -> String {
    mac(ip).map(|byte| format!("{byte:02x}")).join(":")
}
