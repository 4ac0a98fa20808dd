//! How properties look in records and tables, where their value is not what people read.

use crate::model::{short_id, size};
use rhai::Dynamic;

/// Characters that are shown of an output.
const OUTPUT_LENGTH: usize = 60;

/// An id or digest by its first twelve digits.
pub fn id(value: &Dynamic) -> String {
    let text = value.to_string();
    short_id(text.strip_prefix("sha256:").unwrap_or(&text)).to_owned()
}

/// Names of an image: digests by their beginning; what has none is `<none>`.
pub fn names(value: &Dynamic) -> String {
    let names = value.clone().into_array().unwrap_or_default();
    let short = |name: &Dynamic| {
        let name = name.to_string();
        match name.split_once("@sha256:") {
            Some((repository, digits)) => format!("{repository}@sha256:{}…", short_id(digits)),
            None => name,
        }
    };
    if names.is_empty() { "<none>".to_owned() } else { names.iter().map(short).collect::<Vec<_>>().join(", ") }
}

/// The beginning of an output on one line: `"one\ntwo\n"`.
pub fn output(value: &Dynamic) -> String {
    let text = value.to_string();
    if text.is_empty() {
        return text;
    }
    let beginning: String = text.chars().take(OUTPUT_LENGTH).collect();
    let rest = if beginning.len() < text.len() { "…" } else { "" };
    format!("{beginning:?}{rest}")
}

/// Bytes as `98.1MiB`.
pub fn size(value: &Dynamic) -> String {
    value.as_int().ok().and_then(|bytes| u64::try_from(bytes).ok()).map(size::format).unwrap_or_default()
}

/// Published ports as `0.0.0.0:8080->80/tcp`.
pub fn ports(value: &Dynamic) -> String {
    let ports = value.clone().into_array().unwrap_or_default();
    let port = |port: &Dynamic| {
        let port = port.read_lock::<rhai::Map>()?;
        let field = |name: &str| port.get(name).map(ToString::to_string).unwrap_or_default();
        let address = field("host_ip");
        let address = if address.contains(':') { format!("[{address}]") } else { address };
        Some(format!("{address}:{}->{}/{}", field("host_port"), field("container_port"), field("protocol")))
    };
    ports.iter().filter_map(port).collect::<Vec<_>>().join(", ")
}
