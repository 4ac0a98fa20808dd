//! `COPY` and `ADD`.

use super::stage::Stage;
use super::{add, created_by};
use crate::build::copy::{Chmod, Request};
use crate::build::steps::{self, Part};
use crate::build::tree::Tree;
use crate::build::worker::Title;
use crate::dockerfile::ignore::Ignore;
use crate::dockerfile::{Copy, Instruction};
use crate::error::{Error, Result};

/// Copies the files of a line.
pub fn copy(stage: &mut Stage<'_, '_, '_>, instruction: &Instruction, files: &Copy, is_add: bool) -> Result<()> {
    let mut sources = Vec::with_capacity(files.sources.len());
    for source in &files.sources {
        sources.push(stage.word(source)?);
    }
    let target = stage.word(&files.target)?;
    let chown = files.chown.as_ref().map(|owner| stage.word(owner)).transpose()?;
    let chmod = files.chmod.as_ref().map(|mode| stage.word(mode)).transpose()?;
    let exclude = files.exclude.iter().map(|pattern| stage.word(pattern)).collect::<Result<Vec<_>>>()?;
    let inline = inline(stage, files)?;
    let count = sources.len() + inline.len();
    if count == 0 {
        return Err(Error::invalid("there is nothing to copy"));
    }
    let is_folder = target.ends_with('/') || target.ends_with("/.") || matches!(&*target, "." | "..");
    if count > 1 && !is_folder {
        return Err(Error::invalid(format!("several files cannot all become `{target}`"))
            .hint(format!("end it with a slash: `{target}/`")));
    }
    let created_by = {
        let mut flags = Vec::new();
        for (flag, value) in [("chown", &chown), ("chmod", &chmod)] {
            flags.extend(value.as_ref().map(|value| format!("--{flag}={value}")));
        }
        let inline = inline.iter().map(|(name, _)| format!("<<{name}"));
        let all: Vec<_> = sources.iter().cloned().chain(inline).collect();
        created_by::copy(if is_add { "ADD" } else { "COPY" }, &flags, &all, &target)
    };
    let mut target = steps::absolute(&mut stage.state, &target);
    if is_folder && !target.ends_with('/') {
        target.push('/');
    }
    let exclude = if exclude.is_empty() { None } else { Some(Ignore::of(&exclude)?) };
    let (local, remote): (Vec<String>, Vec<String>) =
        sources.into_iter().partition(|source| !is_add || !add::is_remote(source));
    if let Some(one) = local.first().filter(|one| !is_add && add::is_remote(one)) {
        return Err(Error::invalid(format!("`{one}` is an address, which COPY does not fetch")).hint("use ADD for it"));
    }
    let (front, index, cx) = (stage.front, stage.index, stage.cx.clone());
    let before = stage.state.clone();
    let title = Title { shown: &instruction.source, created_by: &created_by };
    stage.worker.step(&mut stage.state, &title, |work| {
        let tree: Tree = match &files.from {
            None => front.context.tree(),
            Some(name) => front.tree(name, index, &cx)?,
        };
        let request = Request {
            tree: &tree,
            sources: &local,
            inline: &inline,
            target: &target,
            owner: chown.as_deref(),
            chmod: chmod.as_deref().map(Chmod::parse).transpose()?,
            chmod_folders: true,
            exclude: exclude.as_ref(),
            parents: files.parents,
            epoch: front.session.spec.epoch,
        };
        if !is_add {
            return steps::copy_files(work, &before, vec![request.into()], files.link);
        }
        let fetched = add::fetch(work, &remote, files)?;
        let mut parts: Vec<Part<'_>> = Vec::new();
        if !local.is_empty() || !inline.is_empty() {
            parts.extend(add::local(work, request.clone(), files.unpack)?);
        }
        for one in &fetched {
            parts.extend(one.part(work, &request, files.unpack)?);
        }
        steps::copy_files(work, &before, parts, files.link)
    })
}

/// The files that stand in the line itself.
fn inline(stage: &Stage<'_, '_, '_>, files: &Copy) -> Result<Vec<(String, Vec<u8>)>> {
    let mut inline = Vec::with_capacity(files.heredocs.len());
    for document in &files.heredocs {
        let mut text = document.text();
        if document.expand {
            let env = |name: &str| stage.variable(name);
            text = stage.front.arguments.expander().heredoc(&text, &env)?.text;
        }
        inline.push((document.name.clone(), text.into_bytes()));
    }
    Ok(inline)
}
