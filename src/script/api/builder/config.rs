//! Steps that set what containers of the image start with.

use super::{Builder, inside};
use crate::engine::BuildStep;
use crate::error::{Error, Result};
use crate::model::{UserSpec, signal};
use crate::script::api::values::{CommandLine, Environment, ExposedPorts, Healthcheck, Labels, OneOrMany, SignalName};
use crate::script::binding::{FromScript, Refusal, api};
use rhai::Dynamic;

#[api]
impl Builder {
    /// Sets an environment variable, or several: `env("K", "v")`, `env(#{ K: "v" })`, `env("K=v")`.
    ///
    /// # Example
    /// let app = from("node:18").env("NODE_ENV", "production");
    pub fn env(&self, name: Dynamic, value: Option<Dynamic>) -> Result<Builder> {
        let Environment(pairs) = pairs("env", name, value)?;
        Ok(pairs.into_iter().fold(self.clone(), |builder, (name, value)| builder.step(BuildStep::Env(name, value))))
    }

    /// Sets a label, or several: `label("k", "v")`, `label(#{ k: "v" })`, `label("k=v")`.
    ///
    /// # Example
    /// let app = from("node:18").label("team", "shop");
    pub fn label(&self, name: Dynamic, value: Option<Dynamic>) -> Result<Builder> {
        let Labels(pairs) = pairs("label", name, value)?;
        Ok(self.step(BuildStep::Labels(pairs.into_iter().collect())))
    }

    /// Sets the working directory, which is made when it is missing.
    ///
    /// # Example
    /// let app = from("node:18").workdir("/app");
    pub fn workdir(&self, path: String) -> Result<Builder> {
        Ok(self.step(BuildStep::Workdir(inside(&path)?)))
    }

    /// Sets the user: `user`, `user:group`, `1000`, `1000:1000`.
    ///
    /// # Example
    /// let app = from("node:18").user("node");
    pub fn user(&self, user: OneOrMany) -> Result<Builder> {
        let user = user.0.concat();
        user.parse::<UserSpec>()?;
        Ok(self.step(BuildStep::User(user)))
    }

    /// Says that a port is listened on: `80`, `"53/udp"`, or several.
    ///
    /// # Example
    /// let app = from("node:18").expose(3000);
    pub fn expose(&self, port: ExposedPorts) -> Builder {
        port.0.into_iter().fold(self.clone(), |builder, port| builder.step(BuildStep::Expose(port)))
    }

    /// Sets the default command, or the arguments of the entrypoint.
    ///
    /// # Example
    /// let app = from("node:18").cmd(["node", "server.js"]);
    pub fn cmd(&self, cmd: CommandLine) -> Builder {
        self.step(BuildStep::Cmd(cmd.0))
    }

    /// Sets the program that always runs.
    ///
    /// # Example
    /// let app = from("node:18").entrypoint(["node"]).cmd(["server.js"]);
    pub fn entrypoint(&self, cmd: CommandLine) -> Builder {
        self.step(BuildStep::Entrypoint(cmd.0))
    }

    /// Declares a folder as a volume, or several.
    ///
    /// # Example
    /// let app = from("postgres").volume("/backup");
    pub fn volume(&self, path: OneOrMany) -> Result<Builder> {
        let OneOrMany(paths) = path;
        paths.iter().try_fold(self.clone(), |builder, path| Ok(builder.step(BuildStep::Volume(inside(path)?))))
    }

    /// Sets the health check: a shell line, or a map with `test`, `interval`, `timeout`, `retries`, `start_period`.
    ///
    /// # Example
    /// let app = from("node:18").healthcheck(#{ test: "curl -f localhost:3000", interval: "10s" });
    pub fn healthcheck(&self, check: Healthcheck) -> Builder {
        self.step(BuildStep::Healthcheck(check.0))
    }

    /// Sets the signal that `stop` sends.
    ///
    /// # Example
    /// let app = from("nginx").stop_signal("QUIT");
    pub fn stop_signal(&self, signal: SignalName) -> Result<Builder> {
        let SignalName(signal) = signal;
        signal::number(&signal)?;
        Ok(self.step(BuildStep::StopSignal(signal)))
    }
}

/// A name with a value, or one value that holds names and values.
fn pairs<T: FromScript>(function: &str, name: Dynamic, value: Option<Dynamic>) -> Result<T> {
    let refuse = |refusal: Refusal| refusal.into_error(function, "the argument");
    let Some(value) = value else { return T::from_script(name).map_err(refuse) };
    if !name.is_string() {
        return Err(Error::invalid(format!("{function}: a value goes with a name, which is a string")));
    }
    T::from_script(rhai::Map::from([(name.to_string().into(), value)]).into()).map_err(refuse)
}
