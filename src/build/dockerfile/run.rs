//! `RUN`.

use super::created_by;
use super::stage::Stage;
use crate::build::run::{self, Command};
use crate::build::tree::Tree;
use crate::build::worker::Title;
use crate::dockerfile::{Form, Instruction, Run, is_heredoc, mount};
use crate::error::{Error, Result};

/// Runs the command of a line.
pub fn run(stage: &mut Stage<'_, '_, '_>, instruction: &Instruction, command: &Run) -> Result<()> {
    let mut script = None;
    let argv = match (&command.command, &command.heredocs[..]) {
        (Form::Exec(argv), _) => argv.clone(),
        (Form::Shell(line), []) => stage.argv(&Form::Shell(line.clone())),
        // One document and nothing else: a script for the shell, or for the interpreter that it names.
        (Form::Shell(line), [document]) if is_heredoc(line) => {
            let content = document.text();
            if content.starts_with("#!") {
                let path = format!("/dev/pipes/{}", document.name);
                script = Some((document.name.clone(), content.into_bytes()));
                stage.argv(&Form::Shell(path))
            } else {
                stage.argv(&Form::Shell(content))
            }
        }
        // The shell reads them itself.
        (Form::Shell(line), documents) => {
            let mut whole = line.clone();
            for document in documents {
                whole.push('\n');
                whole.push_str(&document.content);
                whole.push_str(&document.name);
            }
            stage.argv(&Form::Shell(whole))
        }
    };
    let mut mounts = Vec::with_capacity(command.mounts.len());
    for value in &command.mounts {
        mounts.push(mount::parse(&stage.word(value)?)?);
    }
    let insecure = match command.security.as_deref() {
        None | Some("sandbox") => false,
        Some("insecure") => true,
        Some(other) => {
            return Err(
                Error::invalid(format!("`{other}` is no kind of security")).hint("it is `sandbox` or `insecure`")
            );
        }
    };
    let args = stage.scope.pairs();
    let created_by = created_by::run(&argv, &args);
    let (front, index, cx) = (stage.front, stage.index, stage.cx.clone());
    let sources = |name: Option<&str>| match name {
        None => Ok::<Tree, Error>(front.context.tree()),
        Some(name) => front.tree(name, index, &cx),
    };
    // The environment wins over arguments of the same name.
    let env = args.into_iter().filter(|(name, _)| stage.state.variable(name).is_none()).collect();
    let command = Command {
        argv,
        env,
        quiet_env: front.arguments.proxies(),
        mounts,
        script,
        network: command.network.clone(),
        insecure,
        sources: &sources,
    };
    let before = stage.state.clone();
    let title = Title { shown: &instruction.source, created_by: &created_by };
    stage.worker.step(&mut stage.state, &title, |work| run::run(work, &before, &command))
}
