//! `check_store()`: whether the store is whole.

use crate::error::Result;
use crate::model;
use crate::script::api::shown;
use crate::script::binding::{Call, Object, Options, api, table};
use rhai::Dynamic;
use std::sync::Arc;

/// Options of `check_store`.
#[derive(Default, Options)]
pub struct CheckStoreOptions {
    /// Repairs what can be repaired.
    pub repair: bool,
}

/// What a check of the store found; printed as a table.
#[derive(Clone, Object)]
#[object(text = Self::text)]
pub struct StoreCheck(Arc<model::StoreCheck>);

/// Something that is wrong in the store.
#[derive(Clone, Object)]
pub struct Finding(model::Finding);

/// Reads every blob, compares every layer with its blob, file by file, and looks for rows and files without each other. Runs
/// beside everything else. With `repair`, layers are unpacked again, blobs fetched again from where they were pulled, rows that
/// refer to nothing dropped, and files that belong to nothing deleted.
///
/// # Example (engine)
/// let check = check_store(#{ repair: true });
/// print(check);
/// if !check.healthy { exit(1) }
#[api]
pub fn check_store(call: &Call, options: CheckStoreOptions) -> Result<StoreCheck> {
    call.engine()?.check_store(&call.context(), options.repair).map(|check| StoreCheck(Arc::new(check)))
}

#[api]
impl Finding {
    /// `stale_row`, `image_rows`, `container_without_image`, `blob_missing`, `blob_damaged`, `layer_missing`, `layer_damaged`,
    /// `layer_row` or `orphan`.
    #[get(column)]
    pub fn kind(&self) -> String {
        self.0.kind.name().to_owned()
    }

    /// The digest, name or id that it is about.
    #[get(column, shown = shown::id)]
    pub fn what(&self) -> String {
        self.0.what.clone()
    }

    /// What is wrong with it.
    #[get(column)]
    pub fn detail(&self) -> String {
        self.0.detail.clone()
    }

    /// What would repair it, or did, or why it could not be repaired.
    #[get(column)]
    pub fn repair(&self) -> String {
        self.0.repair.clone()
    }

    /// Whether it was repaired.
    #[get(column)]
    pub fn repaired(&self) -> bool {
        self.0.repaired
    }
}

#[api]
impl StoreCheck {
    /// Whether nothing is wrong, or nothing any more.
    #[get(column)]
    pub fn healthy(&self) -> bool {
        self.0.is_healthy()
    }

    /// What is wrong: `kind`, `what`, `detail`, `repair`, `repaired`.
    #[get]
    pub fn findings(&self) -> Vec<Finding> {
        self.0.findings.iter().cloned().map(Finding).collect()
    }

    /// How many images there are.
    #[get(column)]
    pub fn images(&self) -> usize {
        self.0.images
    }

    /// How many layers were compared with their blobs.
    #[get(column)]
    pub fn layers(&self) -> usize {
        self.0.layers
    }

    /// How many blobs were read.
    #[get(column)]
    pub fn blobs(&self) -> usize {
        self.0.blobs
    }

    /// Bytes of those.
    #[get(column, shown = shown::size)]
    pub fn size(&self) -> u64 {
        self.0.bytes
    }

    /// Whether somebody added content, so that files without rows were not looked for.
    #[get]
    pub fn busy(&self) -> bool {
        self.0.busy
    }
}

impl StoreCheck {
    fn text(&self, call: &Call) -> String {
        let check = &self.0;
        let mut lines = Vec::new();
        if !check.findings.is_empty() {
            let rows: Vec<Dynamic> = self.findings().into_iter().map(Dynamic::from).collect();
            lines.push(table(&rows, None, call));
        }
        if check.busy {
            lines.push("content is being added: files that belong to nothing were not looked for".to_owned());
        }
        let wrong = check.findings.iter().filter(|finding| !finding.repaired).count();
        let size = model::size::format(check.bytes);
        lines.push(format!(
            "{} images, {} layers, {} blobs ({size}): {}",
            check.images,
            check.layers,
            check.blobs,
            match (wrong, check.findings.len()) {
                (0, 0) => "nothing is wrong".to_owned(),
                (0, repaired) => format!("{repaired} repaired"),
                (wrong, all) => format!("{wrong} wrong, {} repaired", all - wrong),
            }
        ));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn what_is_wrong_prints_as_a_table() {
        let script = "let c = check_store(); print(c); print(c.healthy); print(check_store(#{ repair: true }).healthy)";
        let printed = RecordingEngine::default().eval(script).unwrap();
        let lines: Vec<&str> = printed.lines().collect();
        assert!(lines[0].starts_with("KIND") && lines[1].starts_with("layer_damaged"), "{printed}");
        assert!(lines[2].starts_with("2 images") && lines[2].ends_with("1 wrong, 0 repaired"), "{printed}");
        assert_eq!(lines[3..], ["false", "true"]);
    }
}
