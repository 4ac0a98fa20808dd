//! One command in a container of its own.

use super::NativeEngine;
use crate::container;
use crate::context::Context;
use crate::engine::PullPolicy;
use crate::error::Result;
use crate::model::{ContainerSpec, ExecIo, RunOutput};

impl NativeEngine {
    /// Runs the spec's command; the container is removed when the caller has its answer.
    pub(super) fn run_to_its_end(
        &self,
        cx: &Context,
        spec: &ContainerSpec,
        pull: PullPolicy,
        io: ExecIo<'_>,
    ) -> Result<RunOutput> {
        let mut io = Some(io);
        let (output, remains) = self.with_image(cx, spec, pull, |image| {
            container::run_once(&self.store, cx, spec, image.into(), io.take().unwrap_or_default())
        })?;
        self.reaper.take(remains);
        Ok(output)
    }
}
