//! Everything about an image, in the shape of `docker image inspect`.

use super::config::MAX_CONFIG;
use super::info::info;
use crate::error::{Error, Result};
use crate::model::Digest;
use crate::store::Store;
use serde_json::{Value, json};

/// What `docker image inspect` shows; `Config` is as the image's config has it, unknown keys included.
pub fn inspect(store: &Store, id: &Digest) -> Result<Value> {
    let info = info(store, id)?;
    let config: Value = serde_json::from_slice(&store.read_blob(id, MAX_CONFIG)?)
        .map_err(|error| Error::corrupt(format!("the image's config cannot be read: {error}")))?;
    Ok(json!({
        "Id": id.to_string(),
        "RepoTags": info.tags,
        "RepoDigests": info.repo_digests,
        "Parent": "",
        "Comment": comment(&config),
        "Created": config.get("created").cloned().unwrap_or(Value::Null),
        "Author": text(&config, "author"),
        "Config": config.get("config").cloned().unwrap_or_else(|| json!({})),
        "Architecture": info.platform.architecture,
        "Variant": info.platform.variant,
        "Os": info.platform.os,
        "Size": info.size,
        "RootFS": { "Type": "layers", "Layers": info.layers },
        "Descriptor": { "digest": info.digest },
    }))
}

fn text(config: &Value, key: &str) -> String {
    config.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// That of the last step, as Docker shows it.
fn comment(config: &Value) -> String {
    let last = config.get("history").and_then(Value::as_array).and_then(|history| history.last());
    last.map(|step| text(step, "comment")).unwrap_or_default()
}
