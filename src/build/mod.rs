//! Images from steps: `from("scratch").host_program("/bin/sh").cmd(…)`. Steps are cached by content, and the
//! same inputs always give the same digests.

mod cache;
pub mod cache_mounts;
mod cache_prune;
pub mod cache_space;
mod canvas;
mod changes;
mod commit;
mod config;
mod copy;
mod elf;
mod glob;
mod host_program;
mod import;
mod layer;
mod libraries;
mod run_step;
pub mod secrets;
pub mod ssh;
mod state;

pub use commit::commit;
pub use import::import;
pub use run_step::{RunRequest, RunStep, StepMount, StepNetwork};

use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::image;
use crate::model::{BuildPlan, BuildStep, Digest, Platform, Reference};
use crate::store::{Content, LayersInUse, Store};
use canvas::{Canvas, Source};
use state::State;
use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Builds an image and gives its id. The base image must be in the store.
///
/// # Errors
/// The failing step's, with its number and text. Then there is no image, and names mean what they did.
pub fn build(store: &Store, plan: &BuildPlan, runner: &dyn RunStep, cx: &Context) -> Result<Digest> {
    let names = plan.tags.iter().map(|tag| tag.parse()).collect::<Result<Vec<Reference>>>()?;
    let content = store.content(&cx.cancel)?;
    let mut state = match plan.from.as_str() {
        "scratch" => State::scratch(&Platform::host()),
        base => State::from_image(store, &image::require(store, base)?)?,
    };
    let in_use = RefCell::new(store.use_layers([])?);
    for (index, step) in plan.steps.iter().enumerate() {
        cx.check()?;
        let text = describe(step);
        cx.progress.note(&format!("step {}/{}: {text}", index + 1, plan.steps.len()));
        let build = Step { content: &content, context: &plan.context, runner, in_use: &in_use, cx };
        build
            .apply(&mut state, step, &text)
            .map_err(|error| error.context(format!("building, step {} (`{text}`)", index + 1)))?;
    }
    let id = state.commit(&content, &names)?;
    cache::remember(store, &state.fresh)?;
    Ok(id)
}

struct Step<'a> {
    content: &'a Content<'a>,
    context: &'a Path,
    runner: &'a dyn RunStep,
    /// Layers stay mounted for all steps.
    in_use: &'a RefCell<LayersInUse<'a>>,
    cx: &'a Context,
}

impl Step<'_> {
    /// Layers so far, the topmost first, ready to be looked into.
    fn layers(&self, state: &State) -> Result<Vec<PathBuf>> {
        let folders = state.layer_folders();
        self.in_use.borrow_mut().add(&folders)?;
        Ok(folders)
    }

    fn apply(&self, state: &mut State, step: &BuildStep, text: &str) -> Result<()> {
        match step {
            BuildStep::Copy { source, target, owner, mode } => {
                let mut canvas = Canvas::new(self.layers(state)?);
                copy::copy(&mut canvas, &self.context.join(source), target, owner.as_deref(), *mode)?;
                self.add_files(state, canvas, text)
            }
            BuildStep::Write { path, content, mode } => {
                let mut canvas = Canvas::new(self.layers(state)?);
                let inside = canvas.resolve(path.as_bytes(), true)?;
                canvas.add_file(inside, mode.unwrap_or(0o644), content.len() as u64, Source::Bytes(content.clone()))?;
                self.add_files(state, canvas, text)
            }
            BuildStep::HostProgram { path, to } => {
                let mut canvas = Canvas::new(self.layers(state)?);
                host_program::copy(&mut canvas, path, to.as_deref(), self.context)?;
                self.add_files(state, canvas, text)
            }
            BuildStep::LayerFromTar { path } => self.add_tar(state, &self.context.join(path), text),
            BuildStep::Run { argv } => self.run(state, argv, text),
            metadata => {
                config::apply(state, metadata)?;
                state.note(text, true);
                Ok(())
            }
        }
    }

    fn add_files(&self, state: &mut State, canvas: Canvas, text: &str) -> Result<()> {
        let key = cache::key(state.chain(), "files", &canvas.digest(self.cx)?);
        state.add_layer(self.content, key, text, self.cx, |output| canvas.write(output, self.cx))
    }

    fn add_tar(&self, state: &mut State, path: &Path, text: &str) -> Result<()> {
        let file = File::open(path).doing(|| format!("cannot open `{}`", path.display()))?;
        state.add_archive(self.content, file, serde_json::json!({ "created_by": text }), self.cx)
    }

    fn run(&self, state: &mut State, argv: &[String], text: &str) -> Result<()> {
        let config = state.config()?;
        let bytes = serde_json::to_vec(&(argv, config.config()))
            .map_err(|error| Error::invalid(format!("the config cannot be written: {error}")))?;
        let key = cache::key(state.chain(), "run", &bytes);
        let (runner, cx) = (self.runner, self.cx);
        let layers = self.layers(state)?;
        let scratch = self.content.scratch()?;
        let (upper, work) = (scratch.path().join("upper"), scratch.path().join("work"));
        state.add_layer(self.content, key, text, cx, |output| {
            for folder in [&upper, &work] {
                std::fs::create_dir(folder).doing(|| format!("cannot make `{}`", folder.display()))?;
            }
            let request = RunRequest {
                layers: &layers,
                config: &config,
                argv,
                upper: &upper,
                work: &work,
                env: &[],
                secret_env: &[],
                mounts: &[],
                network: &StepNetwork::Default,
                extra_hosts: &[],
                insecure: false,
                stdin: None,
                output: &mut |_, _| {},
            };
            runner.run(cx, request)?;
            crate::archive::pack(&upper, &crate::archive::PackOptions { whiteouts: true, ..Default::default() }, output)
        })
    }
}

/// The step as its script says it, for messages and for the image's history.
fn describe(step: &BuildStep) -> String {
    match step {
        BuildStep::Copy { source, target, .. } => format!("copy {source} {target}"),
        BuildStep::Write { path, .. } => format!("write {path}"),
        BuildStep::HostProgram { path, to: None } => format!("host_program {path}"),
        BuildStep::HostProgram { path, to: Some(to) } => format!("host_program {path} {to}"),
        BuildStep::LayerFromTar { path } => format!("layer_from {path}"),
        BuildStep::Run { argv } => format!("run {}", argv.join(" ")),
        BuildStep::Env(name, value) => format!("env {name}={value}"),
        BuildStep::Workdir(path) => format!("workdir {path}"),
        BuildStep::User(user) => format!("user {user}"),
        BuildStep::Expose(port) => format!("expose {port}"),
        BuildStep::Label(name, value) => format!("label {name}={value}"),
        BuildStep::Labels(labels) => {
            let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("label {}", pairs.join(" "))
        }
        BuildStep::Cmd(argv) => format!("cmd {}", argv.join(" ")),
        BuildStep::Entrypoint(argv) => format!("entrypoint {}", argv.join(" ")),
        BuildStep::Volume(path) => format!("volume {path}"),
        BuildStep::Healthcheck(check) => format!("healthcheck {}", check.test.join(" ")),
        BuildStep::StopSignal(signal) => format!("stop_signal {signal}"),
    }
}
