//! Mounts of a step: text as in a Dockerfile, or a map of the same.

use super::origin;
use crate::engine::{BuildPlan, CopyFrom};
use crate::script::api::values::{each, entries, items, script_value, string_or_refuse, text_or_refuse};
use crate::script::binding::Refusal;
use rhai::Dynamic;
use std::sync::Arc;

/// Mounts, and what `from` of some of them names.
#[derive(Clone, Default)]
pub struct StepMounts {
    /// As after `RUN --mount=`.
    pub mounts: Vec<String>,
    /// Builders under the names that the mounts have for them.
    pub stages: Vec<(String, Arc<BuildPlan>)>,
}

script_value!(
    StepMounts,
    "string, map or array of them",
    |value| value.is_string() || value.is_map() || value.is_array(),
    read
);

fn read(value: Dynamic) -> Result<StepMounts, Refusal> {
    let mut stages = Vec::new();
    let mounts = each(items(value), |item| {
        if !item.is_map() {
            return string_or_refuse(&item, "string or map");
        }
        let mut parts = Vec::new();
        for (key, value) in entries(item) {
            let value = value.flatten();
            let text = match origin(&value).filter(|_| key == "from") {
                Some(CopyFrom::Plan(plan)) => {
                    let name = format!("builder-{}", stages.len());
                    stages.push((name.clone(), plan));
                    name
                }
                Some(CopyFrom::Image(reference)) => reference,
                _ => {
                    text_or_refuse(&value, "string").map_err(|refusal| refusal.inside(&format!("mount key `{key}`")))?
                }
            };
            parts.push(format!("{key}={text}"));
        }
        Ok(parts.join(","))
    })?;
    Ok(StepMounts { mounts, stages })
}
