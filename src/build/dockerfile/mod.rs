//! A Dockerfile as a build: which stages are needed, and what their instructions come to.

mod add;
mod arguments;
mod board;
mod context;
mod copy;
mod created_by;
mod graph;
mod instruction;
mod run;
mod stage;

use super::session::Session;
use super::state::State;
use super::tree::Tree;
use crate::context::Context;
use crate::dockerfile::checks::{self, CheckInput};
use crate::dockerfile::{Dockerfile, parse};
use crate::error::{Error, ErrorKind, Result};
use crate::image;
use crate::model::DockerfileSource;
use arguments::Arguments;
use board::Board;
use context::BuildContext;
use graph::Graph;
use std::sync::Mutex;

/// What all stages of a Dockerfile share.
struct Front<'f, 'a> {
    session: &'f Session<'a>,
    source: &'f DockerfileSource,
    file: &'f Dockerfile,
    arguments: Arguments<'f>,
    context: BuildContext,
    graph: &'f Graph,
    board: Board,
}

/// Builds the target stage.
///
/// # Errors
/// Those of a step say which line of the file it is, and show it.
pub fn build(session: &Session<'_>, source: &DockerfileSource, cx: &Context) -> Result<State> {
    let context = BuildContext::open(session, source, cx)?;
    let (name, text) = context.dockerfile();
    let file = parse(text, name)?;
    warn(session, &file, source, &context, cx)?;
    let graph = Graph::of(&file, source)?;
    let arguments = Arguments::new(session, source, &file, &graph)?;
    let board = Board::new(file.stages.len());
    let front = Front { session, source, file: &file, arguments, context, graph: &graph, board };
    front.build_stages(cx)?;
    let state = front.board.take(graph.target)?;
    front.arguments.warn_of_unused(cx);
    Ok(state)
}

/// Shows what is probably not meant.
fn warn(
    session: &Session<'_>,
    file: &Dockerfile,
    source: &DockerfileSource,
    context: &BuildContext,
    cx: &Context,
) -> Result<()> {
    if let Some(syntax) = &file.syntax {
        cx.progress.note(&format!("`# syntax={syntax}` is ignored: the language is built in"));
    }
    let build_args: Vec<String> = source.args.keys().cloned().collect();
    let base_env = |name: &str| {
        let id = image::find(session.store(), name).ok().flatten()?;
        let env = image::info(session.store(), &id).ok()?.env;
        Some(env.iter().map(|line| line.split('=').next().unwrap_or_default().to_owned()).collect())
    };
    let input = CheckInput { build_args: &build_args, ignore: context.ignore(), base_env: Some(&base_env) };
    let warnings = checks::check(file, &input);
    for warning in &warnings {
        cx.progress.warn(&format!("{}:{}: {} ({})", file.name, warning.span.first, warning.message, warning.rule));
    }
    if file.check.error && !warnings.is_empty() {
        let error =
            Error::invalid(format!("`{}` has {} warnings, and asks for them to be errors", file.name, warnings.len()));
        return Err(error.hint("mend them, or take `error=true` out of its line `# check=`"));
    }
    Ok(())
}

impl Front<'_, '_> {
    /// Builds the stages that the target needs, those that need nothing of each other at the same time.
    fn build_stages(&self, cx: &Context) -> Result<()> {
        let needed = self.graph.needed();
        if let [only] = needed[..] {
            return self.build_stage(only, cx);
        }
        let inner = Context { cancel: cx.cancel.child(), ..cx.clone() };
        let first_failure = Mutex::new(None);
        std::thread::scope(|scope| {
            for stage in &needed {
                let (inner, first_failure) = (&inner, &first_failure);
                scope.spawn(move || {
                    if let Err(error) = self.build_stage(*stage, inner) {
                        let mut first = first_failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        // The others stop because of it: their errors say nothing.
                        first.get_or_insert(error);
                        inner.cancel.cancel();
                    }
                });
            }
        });
        match first_failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            None => Ok(()),
            Some(error) => cx.check().and(Err(error)),
        }
    }

    fn build_stage(&self, index: usize, cx: &Context) -> Result<()> {
        let built = stage::build(self, index, cx);
        let outcome = match &built {
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        };
        self.board.put(index, built.ok());
        outcome
    }

    /// The files that a name means in `--from` and `from=`: a named context, a stage before this one, an image.
    fn tree(&self, name: &str, before: usize, cx: &Context) -> Result<Tree> {
        if let Some(value) = self.source.contexts.get(name) {
            return context::named(self.session, name, value, cx);
        }
        if let Some(stage) = graph::find(self.file, name, before) {
            let built = self.board.wait(stage, cx)?;
            return self.session.layers(built.state.layer_folders(), built.state.chain().cloned());
        }
        if name.parse::<usize>().is_ok() {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no stage {name} before this one")));
        }
        if name == "scratch" {
            return self.session.layers(Vec::new(), None);
        }
        self.session.image_tree(cx, name, &self.session.platform())
    }
}
