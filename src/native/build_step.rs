//! Runs the commands of builds in containers of this engine.

use super::NativeEngine;
use crate::build::{RunRequest, RunStep, StepMount, StepNetwork};
use crate::container::{self, Base};
use crate::context::Context;
use crate::error::{Error, ExitDetails, IoContext, Result};
use crate::model::{ContainerSpec, ExecIo, NetworkAttachment, RunOutput};
use crate::runtime::made_places;
use crate::runtime::spec;
use oci_spec::runtime::Mount;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The host name of every step: what a step writes must not differ from one machine, or one time, to the next. It is
/// BuildKit's, since some scripts ask for it.
const HOSTNAME: &str = "buildkitsandbox";

impl RunStep for NativeEngine {
    fn run(&self, cx: &Context, step: RunRequest<'_>) -> Result<()> {
        // It is the command's `/`, whatever our umask is.
        let open = Permissions::from_mode(0o755);
        fs::set_permissions(step.upper, open).doing(|| format!("cannot use `{}`", step.upper.display()))?;
        let mounts = step.mounts.iter().map(|mount| oci_mount(mount, &step)).collect::<Result<Vec<_>>>()?;
        let base = Base {
            image: None,
            config: step.config,
            health: None,
            layers: step.layers,
            changes: Some((step.upper, step.work)),
            mounts: &mounts,
            secret_env: step.secret_env,
        };
        let (spec, output) = (container_spec(&step), step.output);
        let mut on_output = |stream, bytes: &[u8]| {
            output(stream, bytes);
            Ok(())
        };
        let io = ExecIo { stdin: step.stdin, on_output: Some(&mut on_output), keep_end: true };
        let (output, remains) = container::run_once(&self.store, cx, &spec, base, io)?;
        let made = remains.made_places().to_vec();
        // None of its processes is left: with the first one all have ended that were in its pid namespace. What its overlay
        // still holds nobody can change any more, so nobody waits for its monitor.
        self.reaper.take(remains);
        if output.code == 0 {
            return made_places::take_away(step.upper, &made);
        }
        let command = step.argv.join(" ");
        let message = format!("`{command}` ended with code {}", output.code);
        let log = [&output.stdout[..], &output.stderr[..]].concat();
        let RunOutput { code, stdout, stderr, oom_killed } = output;
        let details = ExitDetails { code, stdout, stderr, oom_killed };
        Err(Error::exit(message, details).log_tail(String::from_utf8_lossy(&log)))
    }
}

fn container_spec(step: &RunRequest<'_>) -> ContainerSpec {
    let network = match step.network {
        StepNetwork::Default => None,
        StepNetwork::None => Some("none"),
        StepNetwork::Host => Some("host"),
        StepNetwork::Named(name) => Some(name.as_str()),
    };
    ContainerSpec {
        image: "build".into(),
        entrypoint: Some(Vec::new()),
        cmd: Some(step.argv.to_vec()),
        env: step.env.to_vec(),
        // The host's own has its name: another one there would be the host's.
        hostname: (*step.network != StepNetwork::Host).then(|| HOSTNAME.to_owned()),
        networks: network.into_iter().map(NetworkAttachment::to).collect(),
        extra_hosts: step.extra_hosts.to_vec(),
        privileged: step.insecure,
        ..ContainerSpec::default()
    }
}

fn oci_mount(mount: &StepMount, step: &RunRequest<'_>) -> Result<Mount> {
    Ok(match mount {
        StepMount::Bind { source, target, read_only } => {
            source.symlink_metadata().doing(|| format!("cannot mount `{}`", source.display()))?;
            spec::bind(source, &absolute(target, step), *read_only, None)
        }
        StepMount::Overlay { lower, changes, below, target } => {
            let target = absolute(target, step);
            let changes = changes.as_ref().map(|(upper, work)| (upper.as_path(), work.as_path()));
            let below = below.to_str().ok_or_else(|| not_utf8(below))?;
            let below = Some(below).filter(|below| !below.trim_matches('/').is_empty());
            match (&lower[..], changes) {
                ([], None) => spec::tmpfs(&target, None, Some(0o755), true, &[]),
                // Overlayfs wants a lower folder at least, and two when nothing can be changed.
                ([], Some((upper, _))) => part(spec::bind(upper, &target, false, None), below),
                ([only], None) => part(spec::bind(only, &target, true, None), below),
                (lower, changes) => spec::overlay(lower, changes, below, &target),
            }
        }
        // Programs are run from there, as in BuildKit.
        StepMount::Tmpfs { target, size } => {
            spec::tmpfs(&absolute(target, step), *size, None, false, &["exec".to_owned(), "dev".to_owned()])
        }
    })
}

fn part(mount: Mount, below: Option<&str>) -> Mount {
    match below {
        Some(below) => spec::with_subpath(mount, below),
        None => mount,
    }
}

/// Relative targets begin at the working directory.
fn absolute(target: &Path, step: &RunRequest<'_>) -> PathBuf {
    let workdir = step.config.config().as_ref().and_then(|config| config.working_dir().as_deref()).unwrap_or("/");
    Path::new("/").join(workdir).join(target)
}

fn not_utf8(path: &Path) -> Error {
    Error::invalid(format!("`{}` cannot be mounted: its name is not UTF-8", path.display()))
}
