//! Everything about a volume, in the shape of `docker volume inspect`.

use super::Row;
use super::folder;
use crate::store::Store;
use serde_json::{Value, json};

/// The whole record.
pub fn inspect(store: &Store, row: &Row) -> Value {
    json!({
        "CreatedAt": row.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "Driver": "local",
        "Labels": if row.labels.is_empty() { Value::Null } else { json!(row.labels) },
        "Mountpoint": store.volume_dir(&row.name).join(folder::DATA),
        "Name": row.name,
        "Options": null,
        "Scope": "local",
    })
}
