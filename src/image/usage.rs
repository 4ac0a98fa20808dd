//! What images take on the disk.

use super::holdings::Holdings;
use super::info::familiar;
use super::mapped;
use crate::error::Result;
use crate::model::{DiskUsage, ImageUsage, Usage};
use crate::store::Store;

/// Fills in what is said of images.
pub fn usage(store: &Store, usage: &mut DiskUsage) -> Result<()> {
    let mut holdings = Holdings::read(store)?;
    (usage.layers_size, usage.blobs_size) = (holdings.layer_bytes(), holdings.blob_bytes());
    let mut items: Vec<ImageUsage> = holdings
        .images
        .iter()
        .map(|image| {
            let shared = holdings.shared(image);
            ImageUsage {
                id: image.id.to_string(),
                tags: image.tags.iter().map(|name| familiar(name)).collect(),
                created: image.created,
                size: image.size,
                shared_size: shared,
                unique_size: image.size.saturating_sub(shared),
                containers: image.containers.len(),
            }
        })
        .collect();
    items.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
    let unused: Vec<usize> =
        (0..holdings.images.len()).filter(|index| holdings.images[*index].containers.is_empty()).collect();
    let (mapped, unused_mapped) = mapped::usage(store)?;
    usage.layers_size += mapped;
    usage.images = Usage {
        count: items.len(),
        active: items.len() - unused.len(),
        size: usage.layers_size + usage.blobs_size,
        reclaimable: unused.into_iter().map(|index| holdings.take(index)).sum::<u64>() + unused_mapped,
        items,
    };
    Ok(())
}
