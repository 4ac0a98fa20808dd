//! `disk_usage()`.

use super::plan::with_times;
use crate::error::{Error, Result};
use crate::model;
use crate::script::binding::{Call, Object, api, table};
use rhai::{Dynamic, Map};
use serde::Serialize;
use std::sync::Arc;

/// What takes space; printed as the table of `docker system df`.
#[derive(Clone, Object)]
#[object(text = Self::text)]
pub struct DiskUsage(Arc<model::DiskUsage>);

/// What takes space: images, containers, volumes and the build cache, each with how many there are and are used, bytes, what
/// would go with `prune`, and each of them.
///
/// # Example (engine)
/// print(disk_usage());
/// for i in disk_usage().images.items { print(`${i.tags} has ${i.unique_size} bytes of its own`) }
#[api]
pub fn disk_usage(call: &Call) -> Result<DiskUsage> {
    call.engine()?.disk_usage(&call.context()).map(|usage| DiskUsage(Arc::new(usage)))
}

#[api]
impl DiskUsage {
    /// Layers, unpacked, and blobs of images: `count`, `active` (a container was made from them), `size`, `reclaimable`, `items`
    /// (`id`, `tags`, `created`, `size`, `shared_size`, `unique_size`, `containers`; sizes are those of layers).
    #[get(column, shown = short)]
    pub fn images(&self) -> Result<Dynamic> {
        value(&self.0.images)
    }

    /// What containers changed, and their logs: `count`, `active` (they run), `size`, `reclaimable`, `items` (`id`, `name`,
    /// `image`, `status`, `created`, `size`).
    #[get(column, shown = short)]
    pub fn containers(&self) -> Result<Dynamic> {
        value(&self.0.containers)
    }

    /// Volumes: `count`, `active`, `size`, `reclaimable`, `items` (`name`, `containers`, `size`).
    #[get(column, shown = short)]
    pub fn volumes(&self) -> Result<Dynamic> {
        value(&self.0.volumes)
    }

    /// Steps of builds that are remembered: `count`, `active` (an image has their layer), `size` (layers and blobs),
    /// `reclaimable` (those that no image has), `items` (`id`, `step`, `size`, `shared`, `created`, `used`, `uses`).
    #[get(column, shown = short)]
    pub fn build_cache(&self) -> Result<Dynamic> {
        value(&self.0.build_cache)
    }

    /// Bytes of the layers of all images, unpacked.
    #[get]
    pub fn layers_size(&self) -> u64 {
        self.0.layers_size
    }

    /// Bytes of the blobs of all images.
    #[get]
    pub fn blobs_size(&self) -> u64 {
        self.0.blobs_size
    }
}

impl DiskUsage {
    fn text(&self, call: &Call) -> String {
        let usage = &self.0;
        let rows = [
            row("Images", &usage.images),
            row("Containers", &usage.containers),
            row("Volumes", &usage.volumes),
            row("Build cache", &usage.build_cache),
        ];
        let columns = ["type", "total", "active", "size", "reclaimable"].map(str::to_owned);
        table(&rows, Some(columns.to_vec()), call)
    }
}

fn row<T>(name: &str, usage: &model::Usage<T>) -> Dynamic {
    let size = model::size::format;
    let percent = (usage.reclaimable * 100).checked_div(usage.size);
    let percent = percent.map(|percent| format!(" ({percent}%)")).unwrap_or_default();
    let reclaimable = format!("{}{percent}", size(usage.reclaimable));
    Map::from([
        ("type".into(), name.to_owned().into()),
        ("total".into(), usage.count.to_string().into()),
        ("active".into(), usage.active.to_string().into()),
        ("size".into(), size(usage.size).into()),
        ("reclaimable".into(), reclaimable.into()),
    ])
    .into()
}

fn value<T: Serialize>(usage: &model::Usage<T>) -> Result<Dynamic> {
    let json = serde_json::to_value(usage).map_err(|error| Error::invalid(error.to_string()))?;
    with_times(json)
}

/// In a record: how much.
fn short(value: &Dynamic) -> String {
    let size = value.read_lock::<Map>().and_then(|map| map.get("size").and_then(|size| size.as_int().ok()));
    size.and_then(|size| u64::try_from(size).ok()).map(model::size::format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn it_prints_as_docker_does() {
        let printed = RecordingEngine::default().eval("print(disk_usage()); print(disk_usage().images.count)").unwrap();
        let lines: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]);
        assert_eq!(lines[1], ["Images", "3", "0", "98MiB", "49MiB", "(50%)"]);
        assert_eq!(lines[5], ["3"]);
    }
}
