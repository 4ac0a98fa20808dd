//! `image.run()` and `image.create()`.

use super::Image;
use crate::error::{Error, Result};
use crate::model::ContainerSpec;
use crate::script::api::container::Container;
use crate::script::api::run_options::RunOptions;
use crate::script::api::values::CommandLine;
use crate::script::binding::{Call, api};

#[api]
impl Image {
    /// Starts a container and gives it once its program has been executed; pulls the image when it is missing.
    ///
    /// # Example (engine)
    /// let web = image("node:18").run(#{ name: "web", ports: ["3000:3000"], cmd: ["node", "app.js"] });
    ///
    /// # Errors
    /// `not_found` for an unknown image, `conflict` when the name or a port is taken, `exit` with code 127 or 126 when
    /// the program cannot be executed, `unsupported` for an option that this version cannot do.
    pub fn run(&self, call: &Call, cmd: Option<CommandLine>, options: RunOptions) -> Result<Container> {
        let pull = options.pull_policy();
        let spec = self.spec(call, cmd, options)?;
        call.engine()?.run(&call.context(), &spec, pull).map(Container::new)
    }

    /// Makes a container without starting it; takes the options of `run`.
    ///
    /// # Example (engine)
    /// let job = image("node:18").create("node --version");
    /// job.start();
    ///
    /// # Errors
    /// Those of `run`, but for the program.
    pub fn create(&self, call: &Call, cmd: Option<CommandLine>, options: RunOptions) -> Result<Container> {
        let pull = options.pull_policy();
        let spec = self.spec(call, cmd, options)?;
        call.engine()?.create(&call.context(), &spec, pull).map(Container::new)
    }
}

impl Image {
    /// The container that a command and options describe.
    pub(super) fn spec(&self, call: &Call, cmd: Option<CommandLine>, options: RunOptions) -> Result<ContainerSpec> {
        if cmd.is_some() && options.cmd.is_some() {
            return Err(Error::invalid("the command is given twice").hint("leave the option `cmd` out"));
        }
        let options = RunOptions { cmd: cmd.or(options.cmd.clone()), ..options };
        options.into_spec(self.reference(), call.session().folder())
    }
}
