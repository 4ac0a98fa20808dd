//! Lists containers.

use super::info::info;
use super::row::{self, Listed};
use crate::error::Result;
use crate::model::{ContainerFilter, ContainerInfo};
use crate::store::Store;

/// Containers that the filter wants, newest first.
pub fn list(store: &Store, filter: &ContainerFilter) -> Result<Vec<ContainerInfo>> {
    // A status other than the living ones asks for containers that `all` would show.
    let all = filter.all || filter.status.is_some_and(|status| !status.is_alive());
    let alive = |row| Listed::MaybeAlive(Box::new(row));
    let rows =
        store.read(|db| if all { row::all(db) } else { Ok(row::maybe_alive(db)?.into_iter().map(alive).collect()) })?;
    let mut containers = Vec::new();
    for row in rows {
        let container = match row {
            Listed::Ended(container) => *container,
            Listed::MaybeAlive(row) => info(store, *row)?,
        };
        if (all || container.status.is_alive()) && wanted(&container, filter) {
            containers.push(container);
        }
    }
    Ok(containers)
}

fn wanted(container: &ContainerInfo, filter: &ContainerFilter) -> bool {
    let labelled = |(key, value): &(String, String)| {
        container.labels.get(key).is_some_and(|found| value.is_empty() || found == value)
    };
    filter.name.as_ref().is_none_or(|name| container.name.contains(name.as_str()))
        && filter.status.is_none_or(|status| container.status == status)
        && filter.labels.iter().all(labelled)
        && filter.image.as_ref().is_none_or(|image| {
            container.image == *image
                || container
                    .image_id
                    .strip_prefix("sha256:")
                    .is_some_and(|id| id.starts_with(image.trim_start_matches("sha256:")))
        })
}
