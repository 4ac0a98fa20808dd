//! Everything about an image, in the shape of `docker image inspect`.

use super::config::MAX_CONFIG;
use super::info;
use crate::error::{Error, Result};
use crate::model::Digest;
use crate::store::Store;
use serde_json::{Map, Value, json};

/// What Docker says of an image that has no name.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What `docker image inspect` shows; `Config` is as the image's config has it, unknown keys included.
pub fn inspect(store: &Store, id: &Digest) -> Result<Value> {
    let row =
        store.read(|db| info::row(db, id))?.ok_or_else(|| Error::not_found(format!("there is no image `{id}`")))?;
    let bytes = store.read_blob(id, MAX_CONFIG)?;
    let unreadable = |error| Error::corrupt(format!("the image's config cannot be read: {error}"));
    let config: Value = serde_json::from_slice(&bytes).map_err(unreadable)?;
    let tagged = row.tagged.and_then(|nanoseconds| jiff::Timestamp::from_nanosecond(nanoseconds.into()).ok());
    let mut shown = json!({
        "Id": id.to_string(),
        "RepoTags": row.tags,
        "RepoDigests": row.repo_digests,
        "Parent": row.parent.unwrap_or_default(),
        "Comment": comment(&config),
        "Created": config.get("created").cloned().unwrap_or(Value::Null),
        "Container": text(&config, "container"),
        "ContainerConfig": run_config(config.get("container_config")),
        "DockerVersion": text(&config, "docker_version"),
        "Author": text(&config, "author"),
        "Config": run_config(config.get("config")),
        "Architecture": text(&config, "architecture"),
        "Os": text(&config, "os"),
        "Size": row.size,
        "VirtualSize": row.size,
        "GraphDriver": { "Name": "overlay2", "Data": graph(store, id)? },
        "RootFS": {
            "Type": "layers",
            "Layers": config.pointer("/rootfs/diff_ids").cloned().unwrap_or_else(|| json!([])),
        },
        "Metadata": { "LastTagTime": tagged.map_or_else(|| NEVER.to_owned(), |time| time.to_string()) },
        "Descriptor": { "digest": row.manifest },
    });
    for (from, to) in [("variant", "Variant"), ("os.version", "OsVersion")] {
        let value = text(&config, from);
        if !value.is_empty() {
            shown[to] = value.into();
        }
    }
    Ok(shown)
}

/// As the config has it, and what Docker shows of keys that it does not have.
fn run_config(found: Option<&Value>) -> Value {
    let mut shown = json!({
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": false,
        "AttachStderr": false, "Tty": false, "OpenStdin": false, "StdinOnce": false, "Env": null, "Cmd": null,
        "Image": "", "Volumes": null, "WorkingDir": "", "Entrypoint": null, "OnBuild": null, "Labels": null,
    });
    let empty = Map::new();
    for (key, value) in found.and_then(Value::as_object).unwrap_or(&empty) {
        shown[key] = value.clone();
    }
    shown
}

/// Where its layers are.
fn graph(store: &Store, id: &Digest) -> Result<Value> {
    let chain_ids: Vec<String> = store.read(|db| {
        let mut statement =
            db.prepare_cached("SELECT chain_id FROM image_layers WHERE image = ?1 ORDER BY position DESC")?;
        Ok(statement.query_map([id.to_string()], |row| row.get(0))?.collect::<std::result::Result<_, _>>()?)
    })?;
    let mut folders = Vec::with_capacity(chain_ids.len());
    for chain_id in chain_ids {
        folders.push(store.layer_folder(&chain_id.parse()?).display().to_string());
    }
    let Some((top, lower)) = folders.split_first() else { return Ok(json!({})) };
    Ok(if lower.is_empty() {
        json!({ "UpperDir": top })
    } else {
        json!({ "LowerDir": lower.join(":"), "UpperDir": top })
    })
}

fn text(config: &Value, key: &str) -> String {
    config.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Its own, else that of the last step, as Docker shows it.
fn comment(config: &Value) -> String {
    let own = text(config, "comment");
    let last = config.get("history").and_then(Value::as_array).and_then(|history| history.last());
    if own.is_empty() { last.map(|step| text(step, "comment")).unwrap_or_default() } else { own }
}
