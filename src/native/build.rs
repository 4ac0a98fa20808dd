//! Builds images; their commands run in containers of this engine.

use super::NativeEngine;
use crate::build::{self, RunRequest, RunStep};
use crate::container::{self, Base};
use crate::context::Context;
use crate::engine::BuildPlan;
use crate::error::{Error, ErrorKind, ExitDetails, Result};
use crate::events::{self, Occurrence};
use crate::image;
use crate::model::{ContainerSpec, ExecIo, ImageInfo, Platform, Reference, RunOutput};

impl NativeEngine {
    /// Builds an image; the base image is pulled when it is missing.
    pub(super) fn build_image(&self, cx: &Context, plan: &BuildPlan) -> Result<ImageInfo> {
        let built = match build::build(&self.store, plan, self, cx) {
            Err(error) if error.is(ErrorKind::NotFound) && self.is_missing(&plan.from)? => {
                let reference: Reference = plan.from.parse()?;
                image::pull(&self.store, self.client()?, &reference, &Platform::host(), cx)?;
                build::build(&self.store, plan, self, cx)
            }
            built => built,
        };
        let id = built.map_err(|error| self.store.explain_full_disk(error, 0))?;
        for tag in &plan.tags {
            self.own_image(cx, tag)?;
            events::record(self.store.root(), &[Occurrence::image("tag", &id.to_string(), tag)]);
        }
        image::info(&self.store, &id)
    }

    fn is_missing(&self, from: &str) -> Result<bool> {
        Ok(from != "scratch" && from.parse::<Reference>().is_ok() && image::find(&self.store, from)?.is_none())
    }
}

impl RunStep for NativeEngine {
    fn run(&self, cx: &Context, step: &RunRequest<'_>) -> Result<()> {
        let spec = ContainerSpec {
            image: "build".into(),
            entrypoint: Some(Vec::new()),
            cmd: Some(step.argv.to_vec()),
            ..ContainerSpec::default()
        };
        let base = Base {
            image: None,
            config: step.config,
            health: None,
            layers: step.layers,
            changes: Some((step.upper, step.work)),
        };
        let (output, remains) = container::run_once(&self.store, cx, &spec, base, ExecIo::default())?;
        // The folder is read next: nothing may be mounted on it then.
        container::finish(&self.store, cx, remains)?;
        if output.code == 0 {
            return Ok(());
        }
        let command = step.argv.join(" ");
        let message = format!("`{command}` ended with code {}", output.code);
        let log = [&output.stdout[..], &output.stderr[..]].concat();
        let RunOutput { code, stdout, stderr, oom_killed } = output;
        let details = ExitDetails { code, stdout, stderr, oom_killed };
        Err(Error::exit(message, details).log_tail(String::from_utf8_lossy(&log)))
    }
}
