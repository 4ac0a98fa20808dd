//! The steps of a builder, one after another, on an image.

use super::cache::{self, Made};
use super::canvas::{Canvas, Source};
use super::copy::{self, Chmod, Request, Selection};
use super::run::{self, Command};
use super::session::Session;
use super::state::State;
use super::tree::{FolderTree, LayersTree, Tree};
use super::worker::{Title, Work, Worker};
use super::{config, host_program, layer};
use crate::archive::member::MemberKind;
use crate::archive::{Kind, extract};
use crate::context::Context;
use crate::dockerfile::ignore::Ignore;
use crate::dockerfile::{mount, wildcard};
use crate::error::{Error, IoContext, Result};
use crate::model::{BuildPlan, BuildStep, CopyFrom};
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Plans may be nested so deep.
const DEEPEST: usize = 50;

/// Does all steps of a plan.
///
/// # Errors
/// The failing step's, with its number and text.
pub fn build(session: &Session<'_>, plan: &BuildPlan, cx: &Context) -> Result<State> {
    nested(session, plan, cx, DEEPEST)
}

fn nested(session: &Session<'_>, plan: &BuildPlan, cx: &Context, depth: usize) -> Result<State> {
    if depth == 0 {
        return Err(Error::invalid(format!("builders are nested more than {DEEPEST} deep")));
    }
    let platform = session.platform();
    let mut state = match plan.from.as_str() {
        "scratch" => State::scratch(&platform),
        base => State::from_image(session.store(), &session.machine.image(cx, base, &platform, session.spec.pull)?)?,
    };
    let total = plan.steps.iter().filter(|step| makes_layer(step)).count();
    let mut worker = Worker::new(session, cx.clone(), String::new(), total);
    for (index, step) in plan.steps.iter().enumerate() {
        let text = describe(step);
        apply(&mut worker, &mut state, step, &text, plan, depth)
            .map_err(|error| error.context(format!("building, step {} (`{text}`)", index + 1)))?;
    }
    Ok(state)
}

fn makes_layer(step: &BuildStep) -> bool {
    matches!(
        step,
        BuildStep::Copy { .. }
            | BuildStep::Write { .. }
            | BuildStep::HostProgram { .. }
            | BuildStep::LayerFromTar { .. }
            | BuildStep::Run { .. }
            | BuildStep::Workdir(_)
    )
}

fn apply(
    worker: &mut Worker<'_, '_>,
    state: &mut State,
    step: &BuildStep,
    text: &str,
    plan: &BuildPlan,
    depth: usize,
) -> Result<()> {
    let title = Title { shown: text, created_by: text };
    let session = worker.session;
    let cx = worker.cx.clone();
    let stage = |plan: &Arc<BuildPlan>| -> Result<Tree> {
        let state = nested(session, plan, &cx, depth - 1)?;
        session.layers(state.layer_folders(), state.chain().cloned())
    };
    match step {
        BuildStep::Copy { source, from, target, owner, mode, exclude } => {
            let mut source = source.clone();
            let tree = match from {
                CopyFrom::Host => host_tree(&plan.context, &mut source),
                CopyFrom::Image(reference) => session.image_tree(&cx, reference, &session.platform())?,
                CopyFrom::Plan(plan) => stage(plan)?,
            };
            let exclude = if exclude.is_empty() { None } else { Some(Ignore::of(exclude)?) };
            let request = Request {
                tree: &tree,
                sources: &[source],
                inline: &[],
                target: &absolute(state, target),
                owner: owner.as_deref(),
                chmod: mode.map(Chmod::Exact),
                chmod_folders: false,
                exclude: exclude.as_ref(),
                parents: false,
                epoch: session.spec.epoch,
            };
            let before = state.clone();
            worker.step(state, &title, |work| copy_files(work, &before, vec![request.into()], false))
        }
        BuildStep::Write { path, content, mode } => {
            let (before, path) = (state.clone(), absolute(state, path));
            worker.step(state, &title, |work| {
                paint(work, &before, "write", |canvas| {
                    let inside = canvas.resolve(path.as_bytes(), true)?;
                    let content = Source::Bytes(content.clone());
                    canvas.add_file(inside, mode.unwrap_or(0o644), content.size(), content)
                })
            })
        }
        BuildStep::HostProgram { path, to } => {
            let before = state.clone();
            worker.step(state, &title, |work| {
                paint(work, &before, "program", |canvas| host_program::copy(canvas, path, to.as_deref(), &plan.context))
            })
        }
        BuildStep::LayerFromTar { path } => {
            let path = plan.context.join(path);
            worker.step(state, &title, |work| layer_from_tar(work, &path))
        }
        BuildStep::Run { argv, mounts, stages, network } => {
            let sources = |name: Option<&str>| match name {
                None => Ok(Tree::Folder(Arc::new(FolderTree::new(plan.context.clone())))),
                Some(name) => match stages.iter().find(|(known, _)| known == name) {
                    Some((_, plan)) => stage(plan),
                    None => session.image_tree(&cx, name, &session.platform()),
                },
            };
            let command = Command {
                argv: argv.clone(),
                env: Vec::new(),
                quiet_env: Vec::new(),
                mounts: mounts.iter().map(|mount| mount::parse(mount)).collect::<Result<_>>()?,
                script: None,
                network: network.clone(),
                insecure: false,
                sources: &sources,
            };
            let before = state.clone();
            worker.step(state, &title, |work| run::run(work, &before, &command))
        }
        BuildStep::Workdir(path) => {
            let path = absolute(state, path);
            state.run_config().insert("WorkingDir".to_owned(), path.as_str().into());
            let before = state.clone();
            worker.step(state, &title, |work| workdir(work, &before, &path))
        }
        metadata => {
            config::apply(state, metadata)?;
            state.note(text);
            Ok(())
        }
    }
}

/// Where a script's source is found: in the folder that its path begins with, as far as that is no pattern.
fn host_tree(context: &Path, source: &mut String) -> Tree {
    let path = context.join(&*source);
    let mut root = path.as_path();
    while let Some(parent) = root.parent() {
        root = parent;
        if !wildcard::is_pattern(parent.as_os_str().as_encoded_bytes()) {
            break;
        }
    }
    let ends_with_dots = matches!(path.components().next_back(), Some(std::path::Component::ParentDir) | None);
    let root = if ends_with_dots { path.clone() } else { root.to_owned() };
    *source = path.strip_prefix(&root).map(|rest| rest.to_string_lossy().into_owned()).unwrap_or_default();
    if source.is_empty() {
        ".".clone_into(source);
    }
    Tree::Folder(Arc::new(FolderTree::new(root)))
}

/// A path inside, relative to the working directory.
pub fn absolute(state: &mut State, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let current = state.run_config().get("WorkingDir").and_then(|path| path.as_str()).unwrap_or("/").to_owned();
    format!("{}/{path}", current.trim_end_matches('/'))
}

/// A part of what one step copies.
pub enum Part<'a> {
    /// Files as they are; `selection`: they were looked up already.
    Files { request: Request<'a>, selection: Option<Selection> },
    /// What is in an archive with this SHA-256.
    Archive { path: PathBuf, digest: [u8; 32], like: Request<'a> },
}

impl<'a> From<Request<'a>> for Part<'a> {
    fn from(request: Request<'a>) -> Self {
        Self::Files { request, selection: None }
    }
}

impl Part<'_> {
    /// A name of what it copies that is known before anything is looked at: layers do not change.
    fn quick(&self) -> Option<Value> {
        let Self::Files { request, selection: None } = self else { return None };
        let chain = request.tree.identity()?;
        let inline = request.inline.iter().map(|(name, content)| (name, cache::key(None, "inline", content)));
        let exclude = request.exclude.map(|exclude| format!("{exclude:?}"));
        Some(json!([request.describe(), request.sources, chain.to_string(), exclude, inline.collect::<Vec<_>>()]))
    }
}

/// Copies, unless the cache has it. `link`: the layer does not depend on what is below.
pub fn copy_files(work: &mut Work<'_, '_>, state: &State, parts: Vec<Part<'_>>, link: bool) -> Result<Made> {
    let below = if link { None } else { work.below.clone() };
    let below = below.as_ref();
    let quick: Option<Vec<Value>> = parts.iter().map(Part::quick).collect();
    let quick = quick.map(|parts| cache::key(below, "copy of layers", json!([parts, link]).to_string().as_bytes()));
    if let Some(quick) = &quick
        && let Some(made) = work.find(quick)?
    {
        return Ok(made);
    }
    let (session, cx) = (work.session, work.cx);
    let mut inputs = vec![u8::from(link)];
    let mut ready = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Files { request, selection } => {
                let digests = session.digests(request.tree);
                let mut selection = match selection {
                    Some(selection) => selection,
                    None => std::thread::scope(|scope| {
                        scope.spawn(|| digests.prepare());
                        copy::select(&request, cx)
                    })?,
                };
                inputs.extend(request.describe().into_bytes());
                inputs.extend(selection.digest(&request, &digests, cx)?);
                ready.push(Part::Files { request, selection: Some(selection) });
            }
            Part::Archive { path, digest, like } => {
                inputs.extend(like.describe().into_bytes());
                inputs.extend(b"unpacked");
                inputs.extend(digest);
                ready.push(Part::Archive { path, digest, like });
            }
        }
    }
    let layers = if link { Vec::new() } else { state.layer_folders() };
    session.keep_mounted(&layers)?;
    let made = work.find_or_make(&cache::key(below, "copy", &inputs), |output| {
        let mut canvas = Canvas::new(layers);
        for part in &ready {
            put(session, &mut canvas, part, cx)?;
        }
        canvas.write(output, cx)
    })?;
    if let Some(quick) = quick {
        work.remember(&quick, &made)?;
    }
    Ok(made)
}

fn put(session: &Session<'_>, canvas: &mut Canvas, part: &Part<'_>, cx: &Context) -> Result<()> {
    match part {
        Part::Files { request, selection: Some(selection) } => copy::place(canvas, request, selection, cx),
        Part::Files { selection: None, .. } => Ok(()),
        Part::Archive { path, like, .. } => {
            let folder = session.folder()?;
            let kind = Kind::of(path)?.unwrap_or(Kind::Plain);
            extract(kind, path, &folder, cx)?;
            // As layers: owners and attributes are those of the archive.
            let tree = Tree::Layers(Arc::new(LayersTree::new(vec![folder], None)));
            let request = Request { tree: &tree, sources: &[".".to_owned()], inline: &[], ..like.clone() };
            let selection = copy::select(&request, cx)?;
            copy::place(canvas, &request, &selection, cx)
        }
    }
}

/// A layer of what `draw` puts on the canvas, which says all that it depends on.
fn paint(
    work: &mut Work<'_, '_>,
    state: &State,
    what: &str,
    draw: impl FnOnce(&mut Canvas) -> Result<()>,
) -> Result<Made> {
    let layers = state.layer_folders();
    let cx = work.cx;
    work.session.keep_mounted(&layers)?;
    let mut canvas = Canvas::new(layers);
    draw(&mut canvas)?;
    if let Some(epoch) = work.session.spec.epoch {
        canvas.set_times(epoch);
    }
    let mut inputs = canvas.digest(cx)?;
    inputs.extend(format!("{what} {:?}", work.session.spec.epoch).into_bytes());
    work.find_or_make(&cache::key(work.below.as_ref(), "files", &inputs), |output| canvas.write(output, cx))
}

/// Makes the working directory, where it is missing.
pub fn workdir(work: &mut Work<'_, '_>, state: &State, path: &str) -> Result<Made> {
    let layers = state.layer_folders();
    work.session.keep_mounted(&layers)?;
    let canvas = Canvas::new(layers);
    let inside = canvas.resolve(path.as_bytes(), true)?;
    if inside.as_bytes().is_empty() || canvas.kind(&inside)? == Some(MemberKind::Directory) {
        return Ok(Made { layer: None, created: cache::now() });
    }
    let user = state.raw_config().get("User").and_then(Value::as_str).unwrap_or_default().to_owned();
    paint(work, state, "workdir", |canvas| {
        // It belongs to who works in it.
        let (uid, gid) = if user.is_empty() { (0, 0) } else { copy::ids(canvas, &user)? };
        canvas.set_new_folders(uid, gid);
        let mut folder = super::canvas::ours(inside, MemberKind::Directory, 0o755, 0);
        (folder.uid, folder.gid) = (uid, gid);
        canvas.add(folder, Source::Nothing)
    })
}

fn layer_from_tar(work: &mut Work<'_, '_>, path: &Path) -> Result<Made> {
    let doing = || format!("cannot open `{}`", path.display());
    let open = || File::open(path).doing(doing);
    let inputs = copy::digest_of(path)?;
    let key = cache::key(work.below.as_ref(), "tar", &inputs);
    let (content, below, cx) = (work.session.content, work.below.clone(), work.cx);
    work.find_or(&key, || layer::from_archive(content, below.as_ref(), open()?, cx).map(Some))
}

/// The step as its script says it, for messages and for the image's history.
fn describe(step: &BuildStep) -> String {
    match step {
        BuildStep::Copy { source, target, .. } => format!("copy {source} {target}"),
        BuildStep::Write { path, .. } => format!("write {path}"),
        BuildStep::HostProgram { path, to: None } => format!("host_program {path}"),
        BuildStep::HostProgram { path, to: Some(to) } => format!("host_program {path} {to}"),
        BuildStep::LayerFromTar { path } => format!("layer_from {path}"),
        BuildStep::Run { argv, .. } => format!("run {}", argv.join(" ")),
        BuildStep::Env(name, value) => format!("env {name}={value}"),
        BuildStep::Workdir(path) => format!("workdir {path}"),
        BuildStep::User(user) => format!("user {user}"),
        BuildStep::Expose(port) => format!("expose {port}"),
        BuildStep::Label(name, value) => format!("label {name}={value}"),
        BuildStep::Labels(labels) => {
            let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("label {}", pairs.join(" "))
        }
        BuildStep::Cmd(argv) => format!("cmd {}", argv.join(" ")),
        BuildStep::Entrypoint(argv) => format!("entrypoint {}", argv.join(" ")),
        BuildStep::Volume(path) => format!("volume {path}"),
        BuildStep::Healthcheck(check) => format!("healthcheck {}", check.test.join(" ")),
        BuildStep::StopSignal(signal) => format!("stop_signal {signal}"),
        BuildStep::Shell(shell) => format!("shell {}", shell.join(" ")),
        BuildStep::Author(name) => format!("author {name}"),
        BuildStep::OnBuild(line) => format!("on_build {line}"),
    }
}
