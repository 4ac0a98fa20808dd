//! One stage: its base, and its instructions one after another.

use super::arguments::Scope;
use super::board::BuiltStage;
use super::{Front, context, copy, graph, instruction, run};
use crate::build::copy::Request;
use crate::build::state::State;
use crate::build::tree::Tree;
use crate::build::worker::{Title, Worker};
use crate::build::{config, steps};
use crate::context::Context;
use crate::dockerfile::{Form, Instruction, Kind, locate, parse_trigger};
use crate::error::{Error, Result};
use crate::model::{BuildStep, Platform};

/// What BuildKit writes into each line of a history.
const COMMENT: &str = "buildkit.dockerfile.v0";

/// A stage that is being built.
pub struct Stage<'s, 'f, 'a> {
    pub front: &'s Front<'f, 'a>,
    pub index: usize,
    pub worker: Worker<'f, 'a>,
    pub state: State,
    pub scope: Scope,
    pub cx: Context,
}

/// Builds a stage.
pub fn build(front: &Front<'_, '_>, index: usize, cx: &Context) -> Result<BuiltStage> {
    let file = front.file;
    let description = &file.stages[index];
    let name = match &description.name {
        Some(name) => name.clone(),
        None if file.stages.len() > 1 => format!("stage-{index}"),
        None => String::new(),
    };
    let layers = description.instructions.iter().filter(|instruction| makes_layer(&instruction.kind)).count();
    let mut worker = Worker::new(front.session, cx.clone(), name, layers + 1);
    let failed = |error: Error, span| locate(&file.name, &file.text, span, error);
    let (state, scope) = base(front, index, &mut worker, cx).map_err(|error| failed(error, description.span))?;
    let mut stage = Stage { front, index, worker, state, scope, cx: cx.clone() };
    stage.state.set_history_comment(COMMENT);
    for line in stage.state.take_triggers() {
        let within = |error: Error| {
            failed(error.context(format!("the base image's trigger `ONBUILD {line}`")), description.span)
        };
        let trigger = parse_trigger(&line, '\\').map_err(within)?;
        stage.instruction(&trigger).map_err(within)?;
    }
    for instruction in &description.instructions {
        stage.instruction(instruction).map_err(|error| failed(error, instruction.span))?;
    }
    Ok(BuiltStage { state: stage.state, scope: stage.scope })
}

fn makes_layer(kind: &Kind) -> bool {
    matches!(kind, Kind::Run(_) | Kind::Copy(_) | Kind::Add(_) | Kind::Workdir(_))
}

/// What a stage begins with.
fn base(front: &Front<'_, '_>, index: usize, worker: &mut Worker<'_, '_>, cx: &Context) -> Result<(State, Scope)> {
    let (session, from) = (front.session, &front.file.stages[index].from);
    let expand = |text: &str| {
        let expanded = front.arguments.expander().word(text, &|name| front.arguments.global_value(name))?;
        Ok::<_, Error>(expanded.text)
    };
    let platform: Platform = match &from.platform {
        Some(platform) => expand(platform)?.parse()?,
        None => session.platform(),
    };
    let image = expand(&from.image)?;
    if image.is_empty() {
        let error = Error::invalid(format!("the name of the base image, `{}`, comes to nothing", from.image));
        return Err(error.hint("declare the ARG before the first FROM, and give it a default or a value in `args`"));
    }
    let shown = format!("FROM {image}");
    if let Some(value) = front.source.contexts.get(&image) {
        if let Some(reference) = value.strip_prefix("docker-image://") {
            return Ok((pulled(front, worker, &shown, reference, &platform, cx)?, Scope::default()));
        }
        let tree = context::named(session, &image, value, cx)?;
        return Ok((of_files(worker, &platform, &tree, &shown)?, Scope::default()));
    }
    let is_number = image.parse::<usize>().is_ok();
    if let Some(stage) = graph::find(front.file, &image, index).filter(|_| !is_number) {
        let built = front.board.wait(stage, cx)?;
        worker.show(&shown, |work| {
            work.mark_cached();
            Ok(())
        })?;
        return Ok((built.state.as_base(), built.scope.clone()));
    }
    if image == "scratch" {
        let mut state = State::scratch(&platform);
        // As BuildKit has it: a program is found where it usually is.
        config::apply(&mut state, &BuildStep::Env("PATH".into(), DEFAULT_PATH.into()))?;
        state.run_config().insert("WorkingDir".into(), "/".into());
        worker.show(&shown, |work| {
            work.mark_cached();
            Ok(())
        })?;
        return Ok((state, Scope::default()));
    }
    Ok((pulled(front, worker, &shown, &image, &platform, cx)?, Scope::default()))
}

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn pulled(
    front: &Front<'_, '_>,
    worker: &mut Worker<'_, '_>,
    shown: &str,
    reference: &str,
    platform: &Platform,
    cx: &Context,
) -> Result<State> {
    let session = front.session;
    let id = worker.show(shown, |work| {
        let here = crate::image::find(session.store(), reference)?;
        let id = session.machine.image(cx, reference, platform, session.spec.pull)?;
        if here.as_ref() == Some(&id) {
            work.mark_cached();
        }
        Ok(id)
    })?;
    State::from_image(session.store(), &id)
}

/// An image of the files of a named context.
fn of_files(worker: &mut Worker<'_, '_>, platform: &Platform, tree: &Tree, shown: &str) -> Result<State> {
    let mut state = State::scratch(platform);
    let session = worker.session;
    let sources = [".".to_owned()];
    let request = Request::plain(tree, &sources, "/", session.spec.epoch);
    let before = state.clone();
    let title = Title { shown, created_by: shown };
    worker.step(&mut state, &title, |work| steps::copy_files(work, &before, vec![request.into()], true))?;
    Ok(state)
}

impl Stage<'_, '_, '_> {
    fn instruction(&mut self, instruction: &Instruction) -> Result<()> {
        self.cx.check()?;
        match &instruction.kind {
            Kind::Run(command) => run::run(self, instruction, command),
            Kind::Copy(files) => copy::copy(self, instruction, files, false),
            Kind::Add(files) => copy::copy(self, instruction, files, true),
            _ => instruction::apply(self, instruction),
        }
    }

    /// What a variable means here: the environment wins over arguments.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.state.variable(name).or_else(|| self.scope.value(name))
    }

    /// A word of the file, variables replaced and quotes removed.
    pub fn word(&self, raw: &str) -> Result<String> {
        Ok(self.front.arguments.expander().word(raw, &|name| self.variable(name))?.text)
    }

    /// The same, where one word may come to several.
    pub fn words(&self, raw: &str) -> Result<Vec<String>> {
        Ok(self.front.arguments.expander().words(raw, &|name| self.variable(name))?.0)
    }

    /// A command: one for the shell is given to the stage's shell.
    pub fn argv(&mut self, form: &Form) -> Vec<String> {
        match form {
            Form::Exec(argv) => argv.clone(),
            Form::Shell(line) => [self.state.shell(), vec![line.clone()]].concat(),
        }
    }
}
