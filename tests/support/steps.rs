//! Builds from steps on a store alone: images are those of the store, and nothing can be fetched.

use shanty::build::{Machine, RunRequest, RunStep, build};
use shanty::context::Context;
use shanty::error::{Error, ErrorKind, Result};
use shanty::image;
use shanty::model::{BuildPlan, BuildSource, BuildSpec, Digest, Platform};
use shanty::registry::Client;
use shanty::store::Store;

/// Runs the commands of steps: what there is to run them.
type Runner<'a> = &'a (dyn Fn(RunRequest<'_>) -> Result<()> + Sync);

struct Bare<'a> {
    store: &'a Store,
    runner: Runner<'a>,
}

impl RunStep for Bare<'_> {
    fn run(&self, _cx: &Context, step: RunRequest<'_>) -> Result<()> {
        (self.runner)(step)
    }
}

impl Machine for Bare<'_> {
    fn image(&self, _cx: &Context, reference: &str, _platform: &Platform, _always: bool) -> Result<Digest> {
        image::require(self.store, reference)
    }

    fn client(&self) -> Result<&Client> {
        Err(Error::new(ErrorKind::Unsupported, "nothing can be fetched here"))
    }
}

/// Builds a plan whose steps run nothing.
pub fn build_plan(store: &Store, plan: BuildPlan, tag: &str) -> Result<Digest> {
    build_plan_with(store, plan, tag, &|_| panic!("nothing was to be run"))
}

/// Builds a plan; `runner` does what its commands would.
pub fn build_plan_with(store: &Store, plan: BuildPlan, tag: &str, runner: Runner<'_>) -> Result<Digest> {
    let spec = BuildSpec { source: BuildSource::Steps(plan), tags: vec![tag.to_owned()], ..BuildSpec::default() };
    build(store, &spec, &Bare { store, runner }, &Context::background()).map(|outcome| outcome.id)
}

/// Builds a plan and forgets its steps: the image alone has its layers.
pub fn build_alone(store: &Store, plan: BuildPlan, tag: &str) -> Result<Digest> {
    let id = build_plan(store, plan, tag)?;
    store.write(|tx| Ok(tx.execute("DELETE FROM build_cache", []).map(drop)?))?;
    Ok(id)
}
