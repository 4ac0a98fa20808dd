//! What `ADD` does more than `COPY`: archives are unpacked, addresses and git repositories fetched.

use crate::archive::Kind as ArchiveKind;
use crate::build::copy::{self, Chmod, Request};
use crate::build::fetch::{self, git};
use crate::build::steps::Part;
use crate::build::tree::{FolderTree, Tree};
use crate::build::worker::Work;
use crate::dockerfile::Copy;
use crate::error::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// Something that was fetched.
pub struct Fetched {
    tree: Tree,
    sources: Vec<String>,
    /// The file, when it is one.
    file: Option<PathBuf>,
}

/// Whether a source is an address.
pub fn is_remote(source: &str) -> bool {
    fetch::is_http(source) || git::is_repository(source)
}

/// Fetches what is named by address.
pub fn fetch(work: &Work<'_, '_>, sources: &[String], files: &Copy) -> Result<Vec<Fetched>> {
    let mut fetched = Vec::with_capacity(sources.len());
    for source in sources {
        let folder = work.session.folder()?;
        if git::is_repository(source) {
            let repository = git::Repository::parse(source)?;
            let checkout = git::fetch(&repository, &folder, files.keep_git_dir, files.checksum.as_deref(), work.cx)?;
            let tree = Tree::Folder(Arc::new(FolderTree::new(checkout)));
            let inside = repository.subfolder.clone().unwrap_or_else(|| ".".to_owned());
            fetched.push(Fetched { tree, sources: vec![inside], file: None });
            continue;
        }
        let file = fetch::download(source, &folder, files.checksum.as_deref(), work.cx)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let tree = Tree::Folder(Arc::new(FolderTree::new(folder)));
        fetched.push(Fetched { tree, sources: vec![name], file: Some(file) });
    }
    Ok(fetched)
}

impl Fetched {
    /// As a part of what is copied.
    pub fn part<'p>(&'p self, work: &Work<'_, '_>, like: &Request<'p>, unpack: Option<bool>) -> Result<Vec<Part<'p>>> {
        let request = Request { tree: &self.tree, sources: &self.sources, inline: &[], ..like.clone() };
        match &self.file {
            Some(_) if unpack == Some(true) => local(work, request, unpack),
            // For its owner alone, as nobody has said otherwise (Dockerfile reference, "ADD").
            Some(_) if request.chmod.is_none() => {
                Ok(vec![Request { chmod: Some(Chmod::Exact(0o600)), ..request }.into()])
            }
            _ => Ok(vec![request.into()]),
        }
    }
}

/// Local files, archives among them unpacked unless `unpack` says no.
pub fn local<'p>(work: &Work<'_, '_>, request: Request<'p>, unpack: Option<bool>) -> Result<Vec<Part<'p>>> {
    if unpack == Some(false) {
        return Ok(vec![request.into()]);
    }
    let mut selection = copy::select(&request, work.cx)?;
    let digests = work.session.digests(request.tree);
    let mut archives = Vec::new();
    let mut kept = Vec::new();
    for source in std::mem::take(&mut selection.sources) {
        let is_archive = match &source.items[..] {
            [file] if file.metadata.is_file() => ArchiveKind::of(&file.host)?.is_some(),
            _ => false,
        };
        if is_archive { archives.extend(source.items) } else { kept.push(source) }
    }
    selection.sources = kept;
    let mut items: Vec<_> = archives.iter_mut().collect();
    digests.fill(&mut items, request.tree, work.cx)?;
    let mut parts = Vec::new();
    for archive in archives {
        let digest = archive.digest.ok_or_else(|| Error::invalid("an archive was not read"))?;
        parts.push(Part::Archive { path: archive.host, digest, like: request.clone() });
    }
    if !selection.sources.is_empty() || !request.inline.is_empty() {
        parts.push(Part::Files { request, selection: Some(selection) });
    }
    Ok(parts)
}
