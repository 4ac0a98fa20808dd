//! Steps that run commands: `.run()` and `.sh()`.

use super::Builder;
use crate::engine::BuildStep;
use crate::error::{Error, Result};
use crate::script::api::values::CommandLine;
use crate::script::binding::{Options, api};
use rhai::Dynamic;

/// Options of `run` and `sh`.
#[derive(Default, Options)]
pub struct StepOptions {
    /// Mounts that are there only while it runs.
    pub mounts: Option<Dynamic>,
    /// The network while it runs.
    pub network: Option<Dynamic>,
}

#[api]
impl Builder {
    /// Runs a command in a container and keeps what it changed.
    ///
    /// # Example
    /// let app = from("node:18").workdir("/app").run(["npm", "install"]);
    ///
    /// # Errors
    /// `unsupported` for the options `mounts` and `network` in this version. When it is built: `exit` on a code other
    /// than 0.
    pub fn run(&self, cmd: CommandLine, options: StepOptions) -> Result<Builder> {
        for (name, value) in [("mounts", &options.mounts), ("network", &options.network)] {
            if value.is_some() {
                return Err(Error::unsupported(format!("the option `{name}` cannot be used in this version"))
                    .hint(format!("leave `{name}` out")));
            }
        }
        let CommandLine(argv) = cmd;
        if argv.is_empty() {
            return Err(Error::invalid("the command is empty"));
        }
        Ok(self.step(BuildStep::Run { argv }))
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
