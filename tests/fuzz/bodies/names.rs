//! What a container asks for names.

use shanty::runtime::network::resolver::names::Entry;
use shanty::runtime::network::resolver::{Directory, Transport, Upstream, Verdict, Zone, answer};
use std::sync::Arc;

/// A packet of a container: what is answered is an answer to it, and no longer than its sender takes. The same bytes
/// are a `resolv.conf`, which always names servers.
pub fn dns_query(data: &[u8]) {
    let entries = [
        Entry {
            container: "1".into(),
            addresses: vec![[10, 0, 0, 1].into()],
            names: vec!["web-1".into(), "web".into()],
        },
        Entry {
            container: "2".into(),
            addresses: vec!["fd00::2".parse().unwrap()],
            names: vec!["web-2".into(), "web".into()],
        },
    ];
    let networks = vec![("backend".into(), Arc::new(Directory::of(&entries)))];
    for forwards in [true, false] {
        let zone = Zone::new(&[("host.docker.internal".into(), [10, 0, 0, 254].into())], networks.clone(), forwards);
        for (transport, longest) in [(Transport::Udp, 4096), (Transport::Tcp, 65_535)] {
            match answer(&zone, data, transport) {
                Verdict::Silence => {}
                Verdict::Reply(reply) => {
                    assert!((12..=longest).contains(&reply.len()), "{} bytes", reply.len());
                    assert_eq!(reply[..2], data[..2], "the id");
                    assert!(data[2] & 0x80 == 0 && reply[2] & 0x80 != 0, "an answer to an answer");
                    assert_eq!(reply[2] & 0x79, data[2] & 0x79, "the operation, and whether to ask others");
                }
                Verdict::Forward(_) => assert!(forwards && data.len() >= 12 && data[4..6] == [0, 1]),
            }
        }
    }
    let upstream = Upstream::parse(&String::from_utf8_lossy(data));
    assert!((1..=3).contains(&upstream.servers.len()) && (1..=5).contains(&upstream.attempts));
}
