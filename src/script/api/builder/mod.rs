//! `Builder`: an image in the making. Every step gives a new one; nothing runs until `.tag()` or `.build()`.

mod config;
mod files;
mod finish;
mod run;

use crate::engine::{BuildPlan, BuildStep};
use crate::error::{Error, Result};
use crate::model::Reference;
use crate::script::binding::{Call, Object, api};
use std::sync::Arc;

/// An image in the making: a base and steps. Every step gives a new builder.
#[derive(Clone, Object)]
pub struct Builder {
    plan: Arc<BuildPlan>,
}

/// A new image on top of another one, or `from("scratch")` for an empty one; nothing is executed until `.tag(ref)` or
/// `.build()`.
///
/// # Example
/// let tool = from("scratch").write("/etc/motd", "hello\n").env("LANG", "C.UTF-8");
///
/// # Errors
/// `invalid` when `reference` is not an image reference.
#[api]
pub fn from(call: &Call, reference: String) -> Result<Builder> {
    let is_id =
        reference.starts_with("sha256:") || reference.len() >= 12 && reference.bytes().all(|b| b.is_ascii_hexdigit());
    if reference != "scratch" && !is_id {
        reference.parse::<Reference>()?;
    }
    let plan = BuildPlan { from: reference, context: call.session().folder().to_owned(), ..BuildPlan::default() };
    Ok(Builder { plan: Arc::new(plan) })
}

#[api]
impl Builder {
    /// What it starts from.
    #[get(column)]
    pub fn base(&self) -> String {
        self.plan.from.clone()
    }

    /// How many steps it has.
    #[get(column)]
    pub fn steps(&self) -> usize {
        self.plan.steps.len()
    }
}

impl Builder {
    /// The same with one more step.
    fn step(&self, step: BuildStep) -> Self {
        let mut plan = BuildPlan::clone(&self.plan);
        plan.steps.push(step);
        Self { plan: Arc::new(plan) }
    }
}

/// A path inside the image: absolute, or below the working directory where that makes sense.
fn inside(path: &str) -> Result<String> {
    if path.is_empty() || path.contains('\0') {
        return Err(Error::invalid(format!("`{path}` is not a path inside the image")).hint("give it as `/path`"));
    }
    Ok(path.to_owned())
}
