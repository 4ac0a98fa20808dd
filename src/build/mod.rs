//! Images from Dockerfiles, and from the steps of a script: `from("scratch").host_program("/bin/sh").cmd(…)`.
//!
//! One executor (`worker`) and one cache serve both. A Dockerfile is read by [`crate::dockerfile`]; `dockerfile` says what
//! its instructions come to. Files are copied from trees (`tree`): a folder of this machine, a stage, an image.

mod cache;
pub mod cache_mounts;
mod cache_prune;
pub mod cache_space;
mod canvas;
mod changes;
mod commit;
mod config;
mod copy;
mod dockerfile;
mod elf;
mod fetch;
mod host_program;
mod import;
mod layer;
mod libraries;
mod mounts;
mod output;
mod remote_cache;
mod run;
mod run_step;
pub mod secrets;
mod session;
pub mod ssh;
mod state;
mod steps;
mod tree;
mod worker;

pub use commit::commit;
pub use import::import;
pub use run_step::{RunRequest, RunStep, StepMount, StepNetwork};
pub use session::Machine;

use crate::context::Context;
use crate::error::Result;
use crate::image;
use crate::model::{BuildOutcome, BuildSource, BuildSpec, Reference};
use crate::store::Store;
use session::Session;

/// Builds an image. Base images that are missing are fetched by the machine.
///
/// # Errors
/// The failing step's, which says where it stands. Then there is no image, and names mean what they did; what steps made is
/// remembered.
pub fn build(store: &Store, spec: &BuildSpec, machine: &dyn Machine, cx: &Context) -> Result<BuildOutcome> {
    let names = spec.tags.iter().map(|tag| tag.parse()).collect::<Result<Vec<Reference>>>()?;
    let content = store.content(&cx.cancel)?;
    let session = Session::new(&content, machine, spec, cx)?;
    let mut state = match &spec.source {
        BuildSource::Steps(plan) => steps::build(&session, plan, cx)?,
        BuildSource::Dockerfile(source) => dockerfile::build(&session, source, cx)?,
    };
    for (name, value) in &spec.labels {
        config::label(&mut state, name, value)?;
    }
    if spec.epoch.is_some() || matches!(spec.source, BuildSource::Dockerfile(_)) {
        state.set_times(spec.epoch);
    }
    let unsettled = session.cache.is_unsettled()?;
    if unsettled {
        content.sync_layers()?;
    }
    session.cache.settle(unsettled)?;
    let id = state.commit(&content, &names)?;
    if let Some(target) = &spec.output {
        let layers = image::prepare_id(store, id.clone())?.layers;
        output::write(&session, &layers, target, cx)?;
    }
    for reference in &spec.cache_to {
        remote_cache::send(&session, reference, cx)?;
    }
    Ok(BuildOutcome { id, steps: session.take_report() })
}
