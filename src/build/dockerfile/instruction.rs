//! Instructions that change how containers run.

use super::created_by;
use super::stage::Stage;
use crate::build::worker::Title;
use crate::build::{config, steps};
use crate::dockerfile::{Instruction, Kind};
use crate::error::{Error, Result};
use crate::model::{BuildStep, UserSpec, parse_expose, signal};
use std::collections::BTreeMap;

/// Applies one.
pub fn apply(stage: &mut Stage<'_, '_, '_>, instruction: &Instruction) -> Result<()> {
    let (steps, created_by) = match &instruction.kind {
        Kind::Arg(args) => return arguments(stage, args),
        Kind::Workdir(path) => return workdir(stage, path),
        Kind::Env(pairs) => {
            let pairs = expanded(stage, pairs)?;
            let created_by = created_by::pairs("ENV", &pairs);
            (pairs.into_iter().map(|(name, value)| BuildStep::Env(name, value)).collect(), created_by)
        }
        Kind::Label(pairs) => {
            let pairs = expanded(stage, pairs)?;
            let created_by = created_by::pairs("LABEL", &pairs);
            (vec![BuildStep::Labels(pairs.into_iter().collect::<BTreeMap<_, _>>())], created_by)
        }
        Kind::Cmd(form) => {
            let argv = stage.argv(form);
            let created_by = created_by::list("CMD", &argv);
            (vec![BuildStep::Cmd(argv)], created_by)
        }
        Kind::Entrypoint(form) => {
            let argv = stage.argv(form);
            let created_by = created_by::list("ENTRYPOINT", &argv);
            (vec![BuildStep::Entrypoint(argv)], created_by)
        }
        Kind::Expose(ports) => {
            let mut all = Vec::new();
            for port in ports {
                for port in stage.words(port)? {
                    all.extend(parse_expose(&port)?.into_iter().map(|(port, protocol)| format!("{port}/{protocol}")));
                }
            }
            let created_by = created_by::set("EXPOSE", &all);
            (all.into_iter().map(BuildStep::Expose).collect(), created_by)
        }
        Kind::Volume(paths) => {
            let mut all = Vec::new();
            for path in paths {
                all.push(stage.word(path)?);
            }
            if let Some(empty) = all.iter().find(|path| path.trim().is_empty()) {
                return Err(Error::invalid(format!("the volume `{empty}` has no path")));
            }
            let created_by = format!("VOLUME [{}]", all.join(" "));
            (all.into_iter().map(BuildStep::Volume).collect(), created_by)
        }
        Kind::User(user) => {
            let user = stage.word(user)?;
            user.parse::<UserSpec>()?;
            let created_by = format!("USER {user}");
            (vec![BuildStep::User(user)], created_by)
        }
        Kind::StopSignal(name) => {
            let name = stage.word(name)?;
            signal::number(&name)?;
            let created_by = format!("STOPSIGNAL {name}");
            (vec![BuildStep::StopSignal(name)], created_by)
        }
        Kind::Healthcheck(check) => (vec![BuildStep::Healthcheck(check.clone())], created_by::healthcheck(check)),
        Kind::Shell(shell) => (vec![BuildStep::Shell(shell.clone())], format!("SHELL [{}]", shell.join(" "))),
        Kind::Maintainer(name) => (vec![BuildStep::Author(name.clone())], format!("MAINTAINER {name}")),
        Kind::OnBuild(line) => (vec![BuildStep::OnBuild(line.clone())], format!("ONBUILD {line}")),
        Kind::Run(_) | Kind::Copy(_) | Kind::Add(_) => return Err(Error::invalid("this instruction changes files")),
    };
    for step in &steps {
        config::apply(&mut stage.state, step)?;
    }
    stage.state.note(&created_by);
    Ok(())
}

/// All of a line see the variables as they were before it.
fn expanded(stage: &Stage<'_, '_, '_>, pairs: &[(String, String)]) -> Result<Vec<(String, String)>> {
    pairs.iter().map(|(name, value)| Ok((stage.word(name)?, stage.word(value)?))).collect()
}

fn arguments(stage: &mut Stage<'_, '_, '_>, args: &[(String, Option<String>)]) -> Result<()> {
    let mut line = "ARG".to_owned();
    for (name, default) in args {
        let mut scope = stage.scope.clone();
        let env = |name: &str| stage.variable(name);
        let own = stage.front.arguments.declare(&mut scope, name, default.as_deref(), &env)?;
        stage.scope = scope;
        line.push(' ');
        line.push_str(name);
        if let Some(own) = own {
            line.push('=');
            line.push_str(&own);
        }
    }
    stage.state.note(&line);
    Ok(())
}

fn workdir(stage: &mut Stage<'_, '_, '_>, path: &str) -> Result<()> {
    let path = stage.word(path)?;
    if path.is_empty() {
        return Err(Error::invalid("the working directory comes to nothing"));
    }
    let path = clean(&steps::absolute(&mut stage.state, &path));
    stage.state.run_config().insert("WorkingDir".to_owned(), path.as_str().into());
    let (before, line) = (stage.state.clone(), format!("WORKDIR {path}"));
    let title = Title { shown: &line, created_by: &line };
    stage.worker.step(&mut stage.state, &title, |work| steps::workdir(work, &before, &path))
}

/// The shortest path that means the same (Go `path.Clean`).
fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
