//! Runs the commands of builds in containers of this engine.

use super::NativeEngine;
use crate::build::{RunRequest, RunStep};
use crate::container::{self, Base};
use crate::context::Context;
use crate::error::{Error, ExitDetails, Result};
use crate::model::{ContainerSpec, ExecIo, RunOutput};

impl RunStep for NativeEngine {
    fn run(&self, cx: &Context, step: RunRequest<'_>) -> Result<()> {
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
        let output = step.output;
        let mut on_output = |stream, bytes: &[u8]| {
            output(stream, bytes);
            Ok(())
        };
        let io = ExecIo { stdin: step.stdin, on_output: Some(&mut on_output) };
        let (output, remains) = container::run_once(&self.store, cx, &spec, base, io)?;
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
