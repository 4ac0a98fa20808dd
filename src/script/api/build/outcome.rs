//! What came of a build: the image, and what was done for it.

use crate::engine::{BuildSpec, BuiltStep};
use crate::error::Result;
use crate::script::api::image::Image;
use crate::script::binding::{Call, api};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Builds, and gives a handle to the image by its first tag, else by its id.
pub fn image_of(call: &Call<'_>, spec: &BuildSpec) -> Result<Image> {
    let outcome = call.engine()?.build(&call.context(), spec)?;
    let reference = spec.tags.first().cloned().unwrap_or_else(|| outcome.id.to_string());
    Ok(Image::new(reference).built(outcome.steps))
}

#[api]
impl Image {
    /// What was done to build it, with all that commands wrote; empty when it was not built by this script.
    ///
    /// # Example (engine)
    /// print(build(".").log);
    #[get(lazy)]
    pub fn log(&self) -> String {
        let mut log = String::new();
        for step in self.build_steps() {
            let state = if step.cached { "cached".to_owned() } else { format!("{:.2} s", step.duration.as_secs_f64()) };
            let _ = writeln!(log, "{} ({state})", step.name);
            let text = String::from_utf8_lossy(&step.log);
            log.push_str(&text);
            if !text.is_empty() && !text.ends_with('\n') {
                log.push('\n');
            }
        }
        log
    }

    /// The same, a map a step: `name`, `stage`, `step`, `cached`, `seconds` and `log`.
    ///
    /// # Example (engine)
    /// for step in build(".").steps { if !step.cached { print(step.step) } }
    #[get(lazy)]
    pub fn steps(&self) -> Vec<Value> {
        self.build_steps().iter().map(as_map).collect()
    }
}

fn as_map(step: &BuiltStep) -> Value {
    json!({
        "name": step.name,
        "stage": step.stage,
        "step": step.step,
        "cached": step.cached,
        "seconds": step.duration.as_secs_f64(),
        "log": String::from_utf8_lossy(&step.log),
    })
}
