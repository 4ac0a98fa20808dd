//! Networks of a container: `"front"`, `["front", "back"]`, `#{ front: #{ aliases: ["web"], ip: "10.1.2.3" } }`.

use super::{OneOrMany, each, entries, items, script_value, string_or_refuse};
use crate::error::Error;
use crate::model::NetworkAttachment;
use crate::script::binding::{Options, Refusal, options_from_map};
use rhai::Dynamic;
use std::net::IpAddr;

/// How a container is connected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Networks(pub Vec<NetworkAttachment>);

script_value!(
    Networks,
    "name, array of names, or map of name to #{aliases, ip}",
    |value| value.is_array() || value.is_map() || value.is_string(),
    read
);

/// How it is connected to one network: Compose's keys.
#[derive(Default, Options)]
struct AttachmentMap {
    /// Name of the network.
    #[option(alias = "network")]
    name: Option<String>,
    /// Other names that it is found by.
    aliases: OneOrMany,
    /// Its address.
    #[option(alias = "ipv4_address")]
    ip: Option<String>,
    /// Its IPv6 address.
    #[option(alias = "ipv6_address")]
    ip6: Option<String>,
}

fn read(value: Dynamic) -> Result<Networks, Refusal> {
    if value.is_map() && !is_one(&value) {
        let one = |(name, options): (rhai::Identifier, Dynamic)| {
            let options = options.flatten();
            let read = if options.is_unit() { Ok(AttachmentMap::default()) } else { options_from_map(options) };
            read.and_then(|map| attachment(name.to_string(), map)).map_err(|at| at.inside(&format!("network `{name}`")))
        };
        return entries(value).into_iter().map(one).collect::<Result<_, _>>().map(Networks);
    }
    each(items(value), |item| {
        if !item.is_map() {
            return Ok(NetworkAttachment::to(string_or_refuse(&item, "name or map")?));
        }
        let mut map: AttachmentMap = options_from_map(item)?;
        let name = map.name.take().ok_or_else(|| Error::invalid("the network has no name").hint("add `name`"))?;
        attachment(name, map)
    })
    .map(Networks)
}

fn is_one(value: &Dynamic) -> bool {
    let is_name = |map: &rhai::Map| map.get("name").or(map.get("network")).is_some_and(Dynamic::is_string);
    value.read_lock::<rhai::Map>().is_some_and(|map| is_name(&map))
}

fn attachment(network: String, map: AttachmentMap) -> Result<NetworkAttachment, Refusal> {
    let mut attachment = NetworkAttachment { aliases: map.aliases.0, ..NetworkAttachment::to(network) };
    for text in map.ip.iter().chain(&map.ip6) {
        set_address(&mut attachment, text)?;
    }
    Ok(attachment)
}

/// Sets the address of its family.
pub fn set_address(attachment: &mut NetworkAttachment, text: &str) -> crate::error::Result<()> {
    match text.parse() {
        Ok(IpAddr::V4(ip)) => attachment.ip = Some(ip),
        Ok(IpAddr::V6(ip)) => attachment.ip6 = Some(ip),
        Err(_) => {
            return Err(Error::invalid(format!("`{text}` is not an address"))
                .hint("write it as `10.1.2.3` or `fd00::3`, without a prefix"));
        }
    }
    Ok(())
}
