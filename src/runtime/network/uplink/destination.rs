//! Where containers may go.

use std::net::{IpAddr, SocketAddr};

/// Whether something outside is meant: not this machine's loopback, which is another one in the container, by whatever
/// address it could be reached, and nothing that is for a whole link.
pub fn is_outside(destination: SocketAddr) -> bool {
    let ip = destination.ip().to_canonical();
    if destination.port() == 0 || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() {
        return false;
    }
    match ip {
        // The kernel takes all of 0.0.0.0/8 for something of this machine.
        IpAddr::V4(ip) => ip.octets()[0] != 0 && !ip.is_broadcast(),
        // Addresses of a link mean nothing on another; those that carry one of IPv4 (`::127.0.0.1`) lead back.
        IpAddr::V6(ip) => ip.segments()[..6] != [0; 6] && ip.segments()[0] & 0xffc0 != 0xfe80,
    }
}

#[cfg(test)]
mod tests {
    use super::is_outside;

    #[test]
    fn loopback_and_links_are_not_outside() {
        for inside in [
            "127.0.0.1:80",
            "127.9.9.9:80",
            "0.0.0.0:80",
            "0.1.2.3:80",
            "224.0.0.1:80",
            "255.255.255.255:80",
            "10.0.0.1:0",
            "[::1]:80",
            "[::]:80",
            "[::ffff:127.0.0.1]:80",
            "[::127.0.0.1]:80",
            "[fe80::1]:80",
            "[ff02::1]:80",
        ] {
            assert!(!is_outside(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["10.0.0.1:80", "192.0.2.1:1", "[2001:db8::1]:80", "[fd00::1]:80", "[::ffff:192.0.2.1]:80"] {
            assert!(is_outside(outside.parse().unwrap()), "{outside}");
        }
    }
}
