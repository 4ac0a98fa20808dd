//! What volumes take.

use super::row;
use crate::error::Result;
use crate::model::{Usage, VolumeUsage};
use crate::store::{Store, folder_size};

/// Bytes of the files of one.
pub fn size(store: &Store, name: &str) -> Result<u64> {
    let row = super::find(store, name)?;
    Ok(folder_size(&store.volume_dir(&row.name).join(super::folder::DATA)))
}

/// What all of them take.
pub fn usage(store: &Store) -> Result<Usage<VolumeUsage>> {
    let mut usage = Usage::default();
    for (row, containers) in store.read(row::all)? {
        let size = folder_size(&store.volume_dir(&row.name).join(super::folder::DATA));
        usage.count += 1;
        usage.size += size;
        if containers > 0 {
            usage.active += 1;
        } else {
            usage.reclaimable += size;
        }
        usage.items.push(VolumeUsage { name: row.name, containers, size });
    }
    Ok(usage)
}
