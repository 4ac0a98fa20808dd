//! What a spec comes to with its image: decided once at creation, so that starting needs no image.

use super::base::Base;
use super::mapped::Mapped;
use super::{health, keep_id};
use crate::error::{Error, Result};
use crate::model::{ContainerSpec, Id, UsernsSpec};
use crate::privilege::Privilege;
use crate::runtime::health::HealthPlan;
use crate::runtime::network::NetworkPlan;
use oci_spec::runtime::Mount;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Docker's default time between the stop signal and KILL.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How a container runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Environment of the image and its own; the runtime adds `PATH`, `HOSTNAME`, `HOME` and `TERM` where missing.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub workdir: String,
    /// `user`, `user:group`, ids of either; empty: root.
    pub user: String,
    /// Host name.
    pub hostname: String,
    /// Labels of the image and its own.
    pub labels: BTreeMap<String, String>,
    /// Name of the signal of `stop`.
    pub stop_signal: String,
    /// Between that signal and KILL.
    pub stop_timeout: Duration,
    /// Unpacked layers, the topmost first.
    pub layers: Vec<PathBuf>,
    /// Whose ids its files have on the disk; `None`: their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapped: Option<Mapped>,
    /// Where changes go, and the work folder beside it; `None`: into the container's folder.
    #[serde(default)]
    pub changes: Option<(PathBuf, PathBuf)>,
    /// What else is mounted, beside what the spec says.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// How its health is checked.
    #[serde(default)]
    pub health: Option<HealthPlan>,
    /// How it is connected.
    pub network: NetworkPlan,
}

impl Plan {
    /// Resolves a spec against the config of its image. The network is decided later.
    pub fn new(id: &Id, spec: &ContainerSpec, base: Base<'_>) -> Result<Self> {
        let config = base.config.config().clone().unwrap_or_default();
        let argv = argv(
            spec,
            config.entrypoint().as_deref().unwrap_or_default(),
            config.cmd().as_deref().unwrap_or_default(),
        )?;
        let host_network = spec.networks.iter().any(|wanted| wanted.network == "host");
        let hostname = match (&spec.hostname, host_network) {
            (Some(hostname), _) => hostname.clone(),
            (None, true) => nix::unistd::gethostname()
                .ok()
                .and_then(|name| name.into_string().ok())
                .unwrap_or_else(|| id.short().to_owned()),
            (None, false) => id.short().to_owned(),
        };
        let image_labels = config.labels().clone().unwrap_or_default();
        let mut labels: BTreeMap<String, String> = image_labels.into_iter().collect();
        labels.extend(spec.labels.clone());
        let pick = |own: &Option<String>, image: &Option<String>| {
            own.clone().or_else(|| image.clone()).filter(|text| !text.is_empty())
        };
        // Who asks for its own number wants to be that user.
        let keeps_id = spec.userns == UsernsSpec::KeepId;
        Ok(Self {
            argv,
            env: environment(spec, config.env().as_deref().unwrap_or_default()),
            workdir: pick(&spec.workdir, config.working_dir()).unwrap_or_else(|| "/".into()),
            user: pick(&spec.user, if keeps_id { &None } else { config.user() })
                .unwrap_or_else(|| if keeps_id { keep_id::user(Privilege::current()) } else { String::new() }),
            hostname,
            labels,
            stop_signal: pick(&spec.stop_signal, config.stop_signal()).unwrap_or_else(|| "TERM".into()),
            stop_timeout: spec.stop_timeout.unwrap_or(STOP_TIMEOUT),
            layers: base.layers.to_vec(),
            mapped: None,
            changes: base.changes.map(|(upper, work)| (upper.to_owned(), work.to_owned())),
            mounts: base.mounts.to_vec(),
            health: health::plan(spec, base.health),
            network: NetworkPlan::None,
        })
    }
}

/// Docker's rule: an own entrypoint drops the image's command, an own command keeps the entrypoint.
fn argv(spec: &ContainerSpec, image_entrypoint: &[String], image_cmd: &[String]) -> Result<Vec<String>> {
    let (entrypoint, cmd) = match (&spec.entrypoint, &spec.cmd) {
        (Some(entrypoint), Some(cmd)) => (&entrypoint[..], &cmd[..]),
        (Some(entrypoint), None) => (&entrypoint[..], &[][..]),
        (None, Some(cmd)) => (image_entrypoint, &cmd[..]),
        (None, None) => (image_entrypoint, image_cmd),
    };
    let argv: Vec<String> = entrypoint.iter().chain(cmd).cloned().collect();
    match argv.first() {
        None => Err(Error::invalid(format!("nothing to run: the image `{}` names no command", spec.image))
            .hint("say what to run: `cmd: [\"sh\", \"-c\", \"…\"]`")),
        Some(program) if program.is_empty() => {
            Err(Error::invalid("the program to run is an empty string").hint("give it a path or a name"))
        }
        Some(_) => Ok(argv),
    }
}

/// The image's variables, overridden in place by the spec's.
fn environment(spec: &ContainerSpec, image: &[String]) -> Vec<(String, String)> {
    let image = image.iter().map(|line| line.split_once('=').unwrap_or((line, "")));
    let own = spec.env.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let mut env: Vec<(String, String)> = Vec::new();
    for (key, value) in image.chain(own) {
        match env.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => value.clone_into(known),
            None => env.push((key.to_owned(), value.to_owned())),
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn entrypoint_and_command_combine_as_in_docker() {
        // (own entrypoint, own cmd, what runs) on an image with `ENTRYPOINT e`, `CMD c`.
        let cases: [(Option<&str>, Option<&str>, &str); 5] = [
            (None, None, "e c"),
            (None, Some("x y"), "e x y"),
            (Some("n"), None, "n"),
            (Some("n"), Some("x"), "n x"),
            (Some(""), Some("x"), "x"),
        ];
        for (entrypoint, cmd, expected) in cases {
            let spec =
                ContainerSpec { entrypoint: entrypoint.map(words), cmd: cmd.map(words), ..ContainerSpec::default() };
            let got = argv(&spec, &words("e"), &words("c")).unwrap();
            assert_eq!(got, words(expected), "{entrypoint:?} {cmd:?}");
        }
        let nothing = argv(&ContainerSpec::default(), &[], &[]).unwrap_err();
        assert!(nothing.hint_text().is_some());
    }

    #[test]
    fn the_environment_is_overridden_in_place() {
        let spec = ContainerSpec {
            env: vec![("A".into(), "own".into()), ("B".into(), "x=y".into())],
            ..ContainerSpec::default()
        };
        let env = environment(&spec, &["PATH=/bin".into(), "A=image".into()]);
        let expected = [("PATH", "/bin"), ("A", "own"), ("B", "x=y")];
        assert_eq!(env, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
