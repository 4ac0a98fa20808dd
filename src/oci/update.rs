//! `update`: other limits for a container.

use super::arguments::Update;
use super::container::Container;
use super::log::Log;
use crate::error::{Error, IoContext, Result};
use crate::runtime::bundle;
use crate::runtime::cgroup::Hierarchies;
use oci_spec::runtime::LinuxResources;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Sets them now, and writes them down.
pub fn run(root: &Path, update: &Update, log: &Log) -> Result<()> {
    let container = Container::load(root, &update.id)?;
    let mut resources = resources(update)?;
    container.running_init()?;
    if let Some(rules) = resources.devices().clone().filter(|rules| !rules.is_empty()) {
        // Engines send those of its creation along.
        let spec = container.spec()?;
        let before = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref()?.devices().as_deref());
        if !before.unwrap_or_default().windows(rules.len()).any(|before| before == rules) {
            log.warning("`devices` has no effect: the rules for devices stay as they were at the container's creation");
        }
        resources.set_devices(None);
    }
    for warning in container.group(&Hierarchies::discover()?).update(&resources)? {
        log.warning(&warning);
    }
    bundle::set_limits(&container.dir, &resources)
}

/// Where 0 is a value.
const WITH_ZERO: [&str; 5] = ["burst", "hcaHandles", "hcaObjects", "idle", "swappiness"];

/// Nothing but what is given: 0 and an empty text mean that something is to stay as it is.
fn resources(update: &Update) -> Result<LinuxResources> {
    let mut value = match &update.resources {
        Some(file) => {
            let mut text = String::new();
            let read = if file == Path::new("-") {
                std::io::stdin().read_to_string(&mut text)
            } else {
                File::open(file).and_then(|mut file| file.read_to_string(&mut text))
            };
            read.doing(|| format!("cannot read the limits from `{}`", file.display()))?;
            serde_json::from_str(&text).map_err(|error| Error::invalid(format!("the limits are no JSON: {error}")))?
        }
        None => serde_json::json!({
            "memory": { "limit": update.memory, "reservation": update.memory_reservation, "swap": update.memory_swap },
            "cpu": {
                "shares": update.cpu_share, "quota": update.cpu_quota, "period": update.cpu_period,
                "burst": update.cpu_burst, "idle": update.cpu_idle,
                "realtimePeriod": update.cpu_rt_period, "realtimeRuntime": update.cpu_rt_runtime,
                "cpus": update.cpuset_cpus, "mems": update.cpuset_mems,
            },
            "blockIO": { "weight": update.blkio_weight },
            "pids": { "limit": update.pids_limit },
        }),
    };
    leave_out_nothings(&mut value);
    serde_json::from_value(value).map_err(|error| Error::invalid(format!("the limits cannot be read: {error}")))
}

fn leave_out_nothings(value: &mut serde_json::Value) {
    let Some(object) = value.as_object_mut() else { return };
    object.values_mut().for_each(leave_out_nothings);
    object.retain(|name, value| match value {
        serde_json::Value::Null => false,
        serde_json::Value::Number(number) => number.as_i64() != Some(0) || WITH_ZERO.contains(&name.as_str()),
        serde_json::Value::String(text) => !text.is_empty(),
        serde_json::Value::Object(object) => !object.is_empty(),
        _ => true,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_zero_or_empty_stays_as_it_is() {
        let mut value = serde_json::json!({
            "memory": { "limit": 0, "swap": -1 }, "cpu": { "cpus": "", "shares": null }, "pids": { "limit": 5 },
            "blockIO": { "throttleReadBpsDevice": [{ "major": 8, "minor": 0, "rate": 0 }] },
        });
        let throttle = value["blockIO"].clone();
        leave_out_nothings(&mut value);
        assert_eq!(value, serde_json::json!({ "memory": { "swap": -1 }, "pids": { "limit": 5 }, "blockIO": throttle }));
        let mut zero = serde_json::json!({ "memory": { "swappiness": 0 }, "cpu": { "idle": 0, "burst": 0 } });
        let before = zero.clone();
        leave_out_nothings(&mut zero);
        assert_eq!(zero, before);
    }
}
