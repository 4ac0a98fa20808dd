//! Devices: `"/dev/fuse"`, `"/dev/sda:/dev/xvda:rw"`, `#{ source: "/dev/sda", target: "/dev/xvda" }`.

use super::{each, entries, items, script_value, text_or_refuse};
use crate::model::DeviceSpec;
use crate::script::binding::{Options, Refusal, options_from_map};
use rhai::Dynamic;

/// Devices of the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Devices(pub Vec<DeviceSpec>);

script_value!(
    Devices,
    "path, array of \"/dev/sda:/dev/xvda:rwm\" or #{source, target, permissions}",
    |value| value.is_array() || value.is_map() || value.is_string(),
    read
);

/// The map form of one device: the keys of Compose, the API and docker-py.
#[derive(Default, Options)]
struct DeviceMap {
    /// Path on the host.
    #[option(alias = "host", alias = "path_on_host", alias = "PathOnHost")]
    source: String,
    /// Path in the container; the same without it.
    #[option(alias = "container", alias = "path_in_container", alias = "PathInContainer")]
    target: Option<String>,
    /// Letters of `rwm`.
    #[option(alias = "access", alias = "cgroup_permissions", alias = "CgroupPermissions")]
    permissions: Option<String>,
}

fn read(value: Dynamic) -> Result<Devices, Refusal> {
    let sources = ["source", "host", "path_on_host", "PathOnHost"];
    let is_one = value.read_lock::<rhai::Map>().is_some_and(|map| sources.iter().any(|key| map.contains_key(*key)));
    if value.is_map() && !is_one {
        // Sources are the keys.
        let one = |(source, target): (rhai::Identifier, Dynamic)| {
            let target = target.flatten();
            let device = text_or_refuse(&target, "path").and_then(|target| Ok(format!("{source}:{target}").parse()?));
            device.map_err(|refusal| refusal.inside(&format!("device `{source}`")))
        };
        return entries(value).into_iter().map(one).collect::<Result<_, _>>().map(Devices);
    }
    each(items(value), |item| {
        if !item.is_map() {
            return Ok(text_or_refuse(&item, "string or map")?.parse()?);
        }
        let map: DeviceMap = options_from_map(item)?;
        let target = map.target.as_deref().unwrap_or(&map.source);
        Ok(DeviceSpec::new(&map.source, target, map.permissions.as_deref().unwrap_or("rwm"))?)
    })
    .map(Devices)
}
