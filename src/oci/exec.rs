//! `exec`: a further program in a running container.

use super::arguments::{Exec as Arguments, Options};
use super::container::{Container, Status, write_whole};
use super::fields;
use super::foreground::Foreground;
use super::log::Log;
use super::stdio::{self, Stdio, Taken};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::runtime::capability;
use crate::runtime::cgroup::{Group, Hierarchies, NO_DEVICE_RULES};
use crate::runtime::exec::{Exec, ExecStdio, Task};
use crate::runtime::report::{Report, Reporter};
use crate::sys::clone::{self, Child};
use crate::sys::pidfd;
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pipe2};
use oci_spec::runtime::{Capabilities, Capability, Process, UserBuilder};
use std::os::fd::AsFd;
use std::path::{Component, Path};

/// Executes it; gives its exit code, or 0 when it is not waited for.
pub fn run(options: &Options, exec: &Arguments, log: &Log) -> Result<u8> {
    let container = Container::load(&options.root, &exec.id)?;
    match container.status()? {
        Status::Stopped | Status::Creating => {
            return Err(Error::conflict(format!(
                "cannot exec in a stopped container: container not running: `{}`",
                exec.id
            )));
        }
        Status::Paused if !exec.ignore_paused => {
            return Err(Error::conflict(format!("cannot exec in a paused container: `{}`", exec.id))
                .hint("resume it first, or use `--ignore-paused`"));
        }
        _ => {}
    }
    let mut spec = container.spec()?;
    let mut process = process(spec.process().as_ref(), exec)?;
    for warning in fields::check_process(&process)? {
        log.warning(&warning);
    }
    if process.oom_score_adj().is_none() {
        // As runc: what holds for the container holds for what is executed in it, not the engine's own.
        process.set_oom_score_adj(spec.process().as_ref().and_then(Process::oom_score_adj));
    }
    let preserve = stdio::preserved(&mut process, exec.preserve_fds)?;
    let stdio = Stdio::new(&process, exec.console_socket.as_deref(), !exec.detach)?;
    spec.set_process(Some(process));

    let foreground = if exec.detach { None } else { Some(Foreground::new()?) };
    let init = container.running_init()?;
    let hierarchies = Hierarchies::discover()?;
    let path = below(&container, exec.cgroup.as_deref())?;
    let group = Group { hierarchies: &hierarchies, path: &path };
    let cgroup = group.open_v2()?;
    let Taken { descriptors, console, master } = stdio.take()?;
    let stdio = match (console, descriptors) {
        (Some(console), _) => ExecStdio::Terminal(console),
        (None, [Some(input), Some(output), Some(error)]) => ExecStdio::Descriptors([input, output, error]),
        (None, _) => return Err(Error::invalid("the process has neither a terminal nor input and output")),
    };
    let without_mknod = container.record.warnings.iter().any(|warning| warning.starts_with(NO_DEVICE_RULES));
    let doing = || "cannot make a process in the container";
    let (report, report_write) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
    let program = Exec {
        task: Task::Process(&spec, &preserve),
        hierarchies: &hierarchies,
        group: &path,
        init: init.as_fd(),
        stdio,
        take_away: if without_mknod { capability::bit("MKNOD").unwrap_or(0) } else { 0 },
        owners: None,
        reporter: Reporter::new(report_write),
    };
    let maker = clone::spawn(CloneFlags::empty(), cgroup.as_ref().map(AsFd::as_fd), move || program.run());
    let maker = maker.doing(doing)?.pid;
    let report = Report::read(report);
    let _ = waitpid(Pid::from_raw(maker), None);
    if let Some(failure) = report.failure {
        if let Some(pid) = report.created {
            // What nobody has waited for would hold up the end of the container: it is in its pid namespace.
            let _ = waitpid(Pid::from_raw(pid), None);
        }
        return Err(Error::from(failure).context("exec failed"));
    }
    let pid = report.created.ok_or_else(|| Error::new(ErrorKind::Io, "the program's process is not known"))?;
    // Our child: nobody else takes it away.
    let child = Child { pid, pidfd: pidfd::open(pid).doing(doing)? };
    for warning in &report.warnings {
        log.warning(warning);
    }
    if let Some(pid_file) = &exec.pid_file {
        write_whole(pid_file, child.pid.to_string().as_bytes())?;
    }
    match foreground {
        None => Ok(0),
        Some(foreground) => foreground.wait(&child, master),
    }
}

/// The process that a file describes, or the container's with what the command line changes.
fn process(containers: Option<&Process>, exec: &Arguments) -> Result<Process> {
    let mut process: Process = if let Some(file) = &exec.process {
        let text = std::fs::read(file).doing(|| format!("cannot read `{}`", file.display()))?;
        let invalid = |error| Error::invalid(format!("`{}` does not describe a process: {error}", file.display()));
        serde_json::from_slice(&text).map_err(invalid)?
    } else {
        if exec.command.is_empty() {
            return Err(Error::invalid("there is nothing to execute").hint("name a program, or give `--process`"));
        }
        let mut process = containers.cloned().unwrap_or_default();
        process.set_args(Some(exec.command.clone())).set_terminal(Some(exec.tty)).set_console_size(None);
        process
    };
    if exec.tty {
        process.set_terminal(Some(true));
    }
    if let Some(cwd) = &exec.cwd {
        process.set_cwd(cwd.clone());
    }
    let mut env = process.env().clone().unwrap_or_default();
    env.extend(exec.env.iter().cloned());
    process.set_env(Some(env));
    if exec.user.is_some() || !exec.additional_gids.is_empty() {
        set_user(&mut process, exec)?;
    }
    if exec.no_new_privs {
        process.set_no_new_privileges(Some(true));
    }
    if exec.apparmor.is_some() {
        process.set_apparmor_profile(exec.apparmor.clone());
    }
    if exec.process_label.is_some() {
        process.set_selinux_label(exec.process_label.clone());
    }
    add_capabilities(&mut process, &exec.cap)?;
    Ok(process)
}

fn set_user(process: &mut Process, exec: &Arguments) -> Result<()> {
    let before = process.user().clone();
    let (mut uid, mut gid) = (before.uid(), before.gid());
    if let Some(text) = &exec.user {
        let number = |part: &str| {
            part.parse().map_err(|_| Error::invalid(format!("`{text}` is no user by number")).hint("write `1000:1000`"))
        };
        let (user, group) = text.split_once(':').map_or((text.as_str(), None), |(user, group)| (user, Some(group)));
        uid = number(user)?;
        gid = group.map_or(Ok(gid), number)?;
    }
    let mut groups = before.additional_gids().clone().unwrap_or_default();
    groups.extend(&exec.additional_gids);
    let mut user = UserBuilder::default().uid(uid).gid(gid).additional_gids(groups);
    if let Some(umask) = before.umask() {
        user = user.umask(umask);
    }
    process.set_user(user.build().map_err(|error| Error::invalid(format!("cannot write the user: {error}")))?);
    Ok(())
}

fn add_capabilities(process: &mut Process, names: &[String]) -> Result<()> {
    let mut capabilities = process.capabilities().clone().unwrap_or_default();
    for name in names {
        let name = name.to_ascii_uppercase();
        let name = name.strip_prefix("CAP_").unwrap_or(&name);
        let capability: Capability = serde_json::from_value(serde_json::json!(format!("CAP_{name}")))
            .map_err(|_| Error::invalid(format!("there is no capability `{name}`")))?;
        let with = |set: &Option<Capabilities>| -> Option<Capabilities> {
            let mut set = set.clone().unwrap_or_default();
            set.insert(capability);
            Some(set)
        };
        let bounding = with(capabilities.bounding());
        let effective = with(capabilities.effective());
        let permitted = with(capabilities.permitted());
        capabilities.set_bounding(bounding).set_effective(effective).set_permitted(permitted);
    }
    if !names.is_empty() {
        process.set_capabilities(Some(capabilities));
    }
    Ok(())
}

/// The container's group, or one below it that is there already.
fn below(container: &Container, path: Option<&str>) -> Result<std::path::PathBuf> {
    let own = &container.record.cgroup;
    let Some(path) = path.map(|path| path.trim_start_matches('/')).filter(|path| !path.is_empty()) else {
        return Ok(own.clone());
    };
    if path.contains(':') || Path::new(path).components().any(|part| part == Component::ParentDir) {
        return Err(Error::unsupported(format!("`--cgroup {path}`: a group is chosen for all controllers"))
            .hint("name it by its path below the container's own"));
    }
    Ok(own.join(path))
}
