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
    let resources = resources(update)?;
    container.running_init()?;
    for warning in container.group(&Hierarchies::discover()?).update(&resources)? {
        log.warning(&warning);
    }
    bundle::set_limits(&container.dir, &resources)
}

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
    object.retain(|_, value| match value {
        serde_json::Value::Null => false,
        serde_json::Value::Number(number) => number.as_i64() != Some(0),
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
        });
        leave_out_nothings(&mut value);
        assert_eq!(value, serde_json::json!({ "memory": { "swap": -1 }, "pids": { "limit": 5 } }));
    }
}
