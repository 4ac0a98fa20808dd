//! Steps that run commands: `.run()` and `.sh()`.

use super::Builder;
use super::mounts::StepMounts;
use crate::engine::BuildStep;
use crate::error::{Error, Result};
use crate::script::api::values::CommandLine;
use crate::script::binding::{Options, api};

/// Options of `run` and `sh`.
#[derive(Default, Options)]
pub struct StepOptions {
    /// Mounts that are there only while it runs, as after `RUN --mount=`: `"type=cache,target=/root/.npm"`, `#{ type: "secret", id: "npm" }`,
    /// `#{ type: "bind", from: builder, target: "/src" }`; one or several.
    #[option(alias = "mount")]
    pub mounts: StepMounts,
    /// The network while it runs: `none`, or `host` where that is allowed.
    pub network: Option<String>,
}

#[api]
impl Builder {
    /// Runs a command in a container and keeps what it changed.
    ///
    /// # Example
    /// let app = from("node:18").workdir("/app").run(["npm", "install"]);
    ///
    /// # Errors
    /// When it is built: `exit` on a code other than 0, `denied` for the network of the host unless it is allowed.
    pub fn run(&self, cmd: CommandLine, options: StepOptions) -> Result<Builder> {
        let CommandLine(argv) = cmd;
        if argv.is_empty() {
            return Err(Error::invalid("the command is empty"));
        }
        let StepMounts { mounts, stages } = options.mounts;
        Ok(self.step(BuildStep::Run { argv, mounts, stages, network: options.network }))
    }

    /// Runs a line with `/bin/sh -c` in a container and keeps what it changed.
    ///
    /// # Example
    /// let app = from("debian").sh("apt-get update && apt-get install -y curl");
    ///
    /// # Errors
    /// Those of `run`.
    pub fn sh(&self, line: String, options: StepOptions) -> Result<Builder> {
        self.run(CommandLine::shell(line), options)
    }
}
