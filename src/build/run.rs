//! `RUN` and `.run()`: a command in a container, and what it changed.

use super::cache::{self, Made};
use super::mounts::{self, Mounted};
use super::run_step::{RunRequest, StepNetwork};
use super::state::State;
use super::tree::Tree;
use super::worker::Work;
use crate::archive::member::Time;
use crate::archive::{PackOptions, pack};
use crate::dockerfile::mount::Mount;
use crate::error::{Error, IoContext, Result};
use serde_json::{Value, json};

/// A command and what it runs in.
pub struct Command<'a> {
    /// The command.
    pub argv: Vec<String>,
    /// Environment beside the config's, which the result depends on.
    pub env: Vec<(String, String)>,
    /// More of it, which the result does not depend on: proxies.
    pub quiet_env: Vec<(String, String)>,
    /// What else it sees.
    pub mounts: Vec<Mount>,
    /// A file at `/dev/pipes/NAME`: a script that brings its own interpreter.
    pub script: Option<(String, Vec<u8>)>,
    /// Network; `None`: that of the build.
    pub network: Option<String>,
    /// With all rights.
    pub insecure: bool,
    /// What `from=` of a mount means; without a name the build context.
    pub sources: &'a dyn Fn(Option<&str>) -> Result<Tree>,
}

/// Runs it, unless the cache has what comes of it.
///
/// # Errors
/// `exit` when its code is not 0; `denied` for what has to be allowed.
pub fn run(work: &mut Work<'_, '_>, state: &State, command: &Command<'_>) -> Result<Made> {
    let network = network(work, command.network.as_deref())?;
    if command.insecure {
        work.require("security.insecure", "a command with all rights")?;
    }
    let config = state.config()?;
    let mounts = mounts::plan(work, command)?;
    let inputs = json!({
        "argv": command.argv,
        "env": command.env,
        "config": relevant(state),
        "mounts": mounts.key(),
        "script": command.script.as_ref().map(|(name, content)| (name, cache::key(None, "script", content))),
        "network": format!("{network:?}"),
        "insecure": command.insecure,
        "epoch": work.session.spec.epoch,
    });
    let key = cache::key(work.below.as_ref(), "run", inputs.to_string().as_bytes());
    let layers = state.layer_folders();
    work.session.keep_mounted(&layers)?;
    let (session, cx, log) = (work.session, work.cx, work.log());
    work.find_or_make(&key, |output| {
        let scratch = session.content.scratch()?;
        let (upper, workdir) = (scratch.path().join("upper"), scratch.path().join("work"));
        for folder in [&upper, &workdir] {
            std::fs::create_dir(folder).doing(|| format!("cannot make `{}`", folder.display()))?;
        }
        let Mounted { mounts, env, secret_env, held } = mounts.take(session, cx, command, scratch.path())?;
        let env: Vec<_> = command.quiet_env.iter().chain(&command.env).cloned().chain(env).collect();
        let mut write = |stream, bytes: &[u8]| log.write(stream, bytes);
        let request = RunRequest {
            layers: &layers,
            config: &config,
            argv: &command.argv,
            upper: &upper,
            work: &workdir,
            env: &env,
            secret_env: &secret_env,
            mounts: &mounts,
            network: &network,
            extra_hosts: &session.spec.extra_hosts,
            insecure: command.insecure,
            stdin: None,
            output: &mut write,
        };
        session.machine.run(cx, request)?;
        drop(held);
        let newest = session.spec.epoch.map(|seconds| Time { seconds, nanoseconds: 0 });
        pack(&upper, &PackOptions { whiteouts: true, newest, ..PackOptions::default() }, output)
    })
}

/// What of the config a command can see.
fn relevant(state: &State) -> Value {
    let config = state.raw_config();
    json!([config.get("Env"), config.get("User"), config.get("WorkingDir")])
}

fn network(work: &Work<'_, '_>, asked: Option<&str>) -> Result<StepNetwork> {
    // A step may choose less than the build has, not more.
    let network = match asked {
        None | Some("default") => work.session.spec.network.as_deref().unwrap_or("default"),
        Some("host") => {
            if work.session.spec.network.as_deref() != Some("host") {
                work.require("network.host", "the network of the host")?;
            }
            "host"
        }
        Some("none") => "none",
        Some(other) => {
            return Err(Error::invalid(format!("`{other}` is not a network of a step"))
                .hint("it is `default`, `none` or `host`; others are for the whole build: `network: \"NAME\"`"));
        }
    };
    Ok(match network {
        "default" | "bridge" => StepNetwork::Default,
        "none" => StepNetwork::None,
        "host" => StepNetwork::Host,
        name => StepNetwork::Named(name.to_owned()),
    })
}
