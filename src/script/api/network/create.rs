//! `create_network()`.

use super::Network;
use crate::error::{Error, Result};
use crate::model::NetworkSpec;
use crate::script::api::values::{Labels, OneOrMany};
use crate::script::binding::{Call, Options, api};

/// Options of `create_network`.
#[derive(Default, Options)]
pub struct CreateNetworkOptions {
    /// Its subnet: `"10.5.0.0/16"`, or one of IPv4 and one of IPv6. A free one is chosen without it.
    #[option(alias = "subnets")]
    pub subnet: OneOrMany,
    /// The host's address in it; the first of the subnet without it.
    #[option(alias = "gateways")]
    pub gateway: OneOrMany,
    /// Nothing leads out of it, nor in.
    pub internal: bool,
    /// It has IPv6 addresses, too.
    #[option(alias = "enable_ipv6")]
    pub ipv6: bool,
    /// Largest packet, bytes; that of the host's route without it.
    pub mtu: Option<u32>,
    /// Its labels: `"key=value"`, several, or a map.
    #[option(alias = "label")]
    pub labels: Labels,
    /// `bridge`, the only one there is.
    pub driver: Option<String>,
}

/// Makes a network whose containers find each other by name, alias and short id. Those of other networks, and other
/// machines, reach only the ports that they publish. Made inside a scope, it goes with that.
///
/// # Example (engine)
/// let shop = create_network("shop", #{ labels: "app=shop" });
/// image("redis:7").run(#{ name: "cache", networks: ["shop"] });
/// image("node:18").run(#{ networks: #{ shop: #{ aliases: ["web"] } } });
///
/// # Errors
/// `conflict` when there is one of this name, or the subnet is in use; `invalid` for a subnet or gateway that cannot be.
#[api]
pub fn create_network(call: &Call, name: String, options: CreateNetworkOptions) -> Result<Network> {
    if let Some(driver) = options.driver.filter(|driver| driver != "bridge") {
        return Err(Error::unsupported(format!("there is no network driver `{driver}`"))
            .hint("leave `driver` out: it is `bridge`"));
    }
    let gateway = |text: &String| {
        let invalid = || Error::invalid(format!("the gateway `{text}` is not an address"));
        text.parse().map_err(|_| invalid().hint("write it as `10.5.0.1`"))
    };
    let spec = NetworkSpec {
        name,
        subnets: options.subnet.0,
        gateways: options.gateway.0.iter().map(gateway).collect::<Result<_>>()?,
        internal: options.internal,
        ipv6: options.ipv6,
        mtu: options.mtu,
        labels: options.labels.0.into_iter().collect(),
    };
    let info = call.engine()?.create_network(&call.context(), &spec)?;
    Ok(Network::new(info.name))
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn networks_are_made_used_and_removed() {
        let engine = RecordingEngine::default();
        let script = r#"
            let n = create_network("shop", #{ subnet: ["10.5.0.0/16", "fd00::/64"], gateway: "10.5.0.9", label: "a=b" });
            n.connect("web", #{ aliases: ["w"], ip: "10.5.0.7" }).disconnect(container("web"));
            print([n.name, n.subnet, n.internal, network("missing").exists, n.containers()[0].name]);
            keep(n).remove(#{ force: true });
            networks(#{ label: "a", dangling: true });
        "#;
        assert_eq!(engine.eval(script).unwrap(), r#"["shop", "10.5.0.0/16", false, false, "web"]"#);
        let calls = engine.with(|recording| recording.calls.clone());
        assert!(calls[0].contains("10.5.0.0/16") && calls[0].contains("[10.5.0.9]"), "{calls:?}");
        assert!(calls[1].contains("connect web") && calls[1].contains(r#"["w"], ip: Some(10.5.0.7)"#), "{calls:?}");
        let rest = ["disconnect web shop", "keep network shop", "disconnect web shop", "remove network shop"];
        assert_eq!(calls[2..6], rest, "{calls:?}");
        assert!(calls[6].contains("dangling: Some(true)"), "{calls:?}");
    }

    #[test]
    fn what_cannot_be_a_network_is_refused() {
        for (script, kind) in [
            (r#"create_network("n1", #{ driver: "overlay" })"#, ErrorKind::Unsupported),
            (r#"create_network("n1", #{ gateway: "x" })"#, ErrorKind::Invalid),
            (r#"create_network("n1", #{ subnett: "x" })"#, ErrorKind::Invalid),
            (r#"network("n1").connect("web", #{ ip: "10.0.0.0/8" })"#, ErrorKind::Invalid),
        ] {
            assert!(RecordingEngine::default().eval(script).expect_err(script).is(kind), "{script}");
        }
    }
}
