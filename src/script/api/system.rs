//! `version()`, `info()` and `recover()`.

use crate::error::Result;
use crate::model::Platform;
use crate::script::binding::{Call, api};
use rhai::Map;
use serde_json::{Value, json};

/// What this program is: `version`, `platform`.
///
/// # Example
/// print(version().version);
#[api]
pub fn version() -> Map {
    Map::from([
        ("version".into(), env!("CARGO_PKG_VERSION").into()),
        ("platform".into(), Platform::host().to_string().into()),
    ])
}

/// What the engine is and runs on: its root, the kernel, the numbers of images and containers; and which ways are in use,
/// and why: `rootless`, `ids` (`all`, `ranges`, `single`), `storage`, `way_out`, `control_groups`, `security`.
///
/// # Example (engine)
/// print(info());
#[api]
pub fn info(call: &Call) -> Result<Value> {
    call.engine()?.info(&call.context())
}

/// Starts what its restart policy asks for and does not run, after a reboot or a crash; the first command after a reboot
/// does it by itself. One map each: `name`, `id`, and `error` when it could not be started.
///
/// # Example (engine)
/// for c in recover() { print(c.name) }
#[api]
pub fn recover(call: &Call) -> Result<Value> {
    let recovered = call.engine()?.recover(&call.context())?;
    Ok(recovered
        .into_iter()
        .map(|container| json!({ "id": container.id, "name": container.name, "error": container.error }))
        .collect())
}
