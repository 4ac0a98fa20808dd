//! Lists volumes.

use super::folder;
use super::row::{self, Row};
use crate::error::Result;
use crate::model::{VolumeFilter, VolumeInfo};
use crate::store::Store;

/// Volumes that the filter wants, by name.
pub fn list(store: &Store, filter: &VolumeFilter) -> Result<Vec<VolumeInfo>> {
    let labelled = |row: &Row| {
        let has = |(key, value): &(String, String)| {
            row.labels.get(key).is_some_and(|found| value.is_empty() || found == value)
        };
        filter.labels.iter().all(has)
    };
    let wanted = |(row, users): &(Row, usize)| {
        filter.name.as_ref().is_none_or(|name| row.name.contains(name.as_str()))
            && filter.dangling.is_none_or(|dangling| dangling == (*users == 0))
            && labelled(row)
    };
    let rows = store.read(row::all)?;
    Ok(rows.into_iter().filter(wanted).map(|(row, _)| info(store, row)).collect())
}

/// A row as scripts see it.
pub fn info(store: &Store, row: Row) -> VolumeInfo {
    VolumeInfo {
        path: store.volume_dir(&row.name).join(folder::DATA).display().to_string(),
        name: row.name,
        driver: "local".to_owned(),
        labels: row.labels,
        created: row.created,
        anonymous: row.anonymous,
    }
}
