//! Ports to publish: `8080:80`, `80`, `#{ target: 80, published: 8080 }`, `#{ "80/tcp": 8080 }`.

use super::{each, entries, items, script_value, text, text_or_refuse};
use crate::error::Error;
use crate::model::{PortSpec, Protocol, parse_expose};
use crate::script::binding::{Options, Refusal, options_from_map};
use rhai::Dynamic;

/// Ports to publish on the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ports(pub Vec<PortSpec>);

script_value!(
    Ports,
    "array of \"8080:80\", 80 or #{target, published}",
    |value| value.is_array() || value.is_map() || value.is_string() || value.is_int(),
    read
);

/// The map form of one port: Compose's keys.
#[derive(Default, Options)]
struct PortMap {
    /// Port inside the container.
    #[option(alias = "container", alias = "container_port")]
    target: Dynamic,
    /// Port of the host; a free one when it is left out.
    #[option(alias = "host", alias = "host_port")]
    published: Dynamic,
    /// Address of the host.
    #[option(alias = "ip")]
    host_ip: Option<String>,
    /// `tcp` or `udp`.
    protocol: Option<String>,
}

fn read(value: Dynamic) -> Result<Ports, Refusal> {
    // docker-py's form: the container's ports are the keys.
    if value.is_map() && is_keyed_by_port(&value) {
        let one = |(target, published): (rhai::Identifier, Dynamic)| {
            let at = |refusal: Refusal| refusal.inside(&format!("port `{target}`"));
            each(items(published), |published| by_key(&target, &published)).map_err(at)
        };
        let ports: Vec<Vec<Vec<PortSpec>>> = entries(value).into_iter().map(one).collect::<Result<_, _>>()?;
        return Ok(Ports(ports.into_iter().flatten().flatten().collect()));
    }
    let ports = each(items(value), |item| if item.is_map() { by_map(item) } else { by_text(&item) })?;
    Ok(Ports(ports.into_iter().flatten().collect()))
}

fn is_keyed_by_port(value: &Dynamic) -> bool {
    let keys = value.read_lock::<rhai::Map>();
    keys.is_some_and(|map| !map.is_empty() && map.keys().all(|key| key.starts_with(|c: char| c.is_ascii_digit())))
}

fn by_text(value: &Dynamic) -> Result<Vec<PortSpec>, Refusal> {
    Ok(PortSpec::parse(&text_or_refuse(value, "string, int or map")?)?)
}

fn by_key(target: &str, published: &Dynamic) -> Result<Vec<PortSpec>, Refusal> {
    if published.is_unit() {
        return Ok(PortSpec::parse(target)?);
    }
    let published = text_or_refuse(published, "port of the host")?;
    Ok(PortSpec::parse(&format!("{published}:{target}"))?)
}

fn by_map(value: Dynamic) -> Result<Vec<PortSpec>, Refusal> {
    let map: PortMap = options_from_map(value)?;
    let target = text_or_refuse(&map.target, "port").map_err(|refusal| refusal.inside("option `target`"))?;
    let ip = match map.host_ip {
        Some(ip) if ip.contains(':') => format!("[{ip}]:"),
        Some(ip) => format!("{ip}:"),
        None => String::new(),
    };
    let published = match text(&map.published) {
        Some(published) => format!("{published}:"),
        None if !map.published.is_unit() => {
            return Err(Refusal::wrong_type("port", &map.published).inside("option `published`"));
        }
        // An address goes with an empty port: a free one on that address.
        None => {
            if ip.is_empty() {
                String::new()
            } else {
                ":".to_owned()
            }
        }
    };
    let protocol = map.protocol.map(|protocol| format!("/{protocol}")).unwrap_or_default();
    Ok(PortSpec::parse(&format!("{ip}{published}{target}{protocol}"))?)
}

/// Ports that are said to be listened on, such as `80/tcp`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExposedPorts(pub Vec<String>);

script_value!(
    ExposedPorts,
    "port, \"53/udp\" or array of them",
    |value| value.is_array() || value.is_string() || value.is_int(),
    read_exposed
);

fn read_exposed(value: Dynamic) -> Result<ExposedPorts, Refusal> {
    let ports = each(items(value), |item| Ok(parse_expose(&text_or_refuse(&item, "port or \"53/udp\"")?)?))?;
    Ok(ExposedPorts(ports.into_iter().flatten().map(|(port, protocol)| format!("{port}/{protocol}")).collect()))
}

/// One port of a container: `80` or `"53/udp"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContainerPort(pub u16, pub Protocol);

script_value!(ContainerPort, "port such as 80 or \"53/udp\"", |value| value.is_string() || value.is_int(), read_port);

fn read_port(value: Dynamic) -> Result<ContainerPort, Refusal> {
    let text = text_or_refuse(&value, "port such as 80 or \"53/udp\"")?;
    match parse_expose(&text)?[..] {
        [(port, protocol)] => Ok(ContainerPort(port, protocol)),
        _ => Err(Error::invalid(format!("`{text}` is more than one port")).into()),
    }
}
