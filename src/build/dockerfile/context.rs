//! The build context: a folder of this machine, a git repository, or a tar from the network; and contexts with names.

use crate::archive::{Kind, extract};
use crate::build::fetch::{self, git};
use crate::build::session::Session;
use crate::build::tree::{FolderTree, Tree};
use crate::context::Context;
use crate::dockerfile::ignore::Ignore;
use crate::error::{Error, IoContext, Result};
use crate::model::DockerfileSource;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is built from.
pub struct BuildContext {
    /// Without what the ignore file names.
    kept: Tree,
    /// Path and content of the Dockerfile, as it is called in messages.
    dockerfile: (String, String),
}

/// Where the Dockerfile is when nobody says it; the second is Podman's.
const NAMES: [&str; 2] = ["Dockerfile", "Containerfile"];
/// More than this is no Dockerfile, bytes.
const MOST: u64 = 1 << 20;

impl BuildContext {
    /// Opens it; what is not on this machine is fetched.
    pub fn open(session: &Session<'_>, source: &DockerfileSource, cx: &Context) -> Result<Self> {
        let is_local = !is_address(&source.context);
        let root = if is_local { local(&source.context)? } else { fetched(session, &source.context, cx)? };
        let tree = Arc::new(FolderTree::new(root));
        let (path, shown, text) = match &source.file {
            _ if source.text.is_some() => {
                (tree.root().join(NAMES[0]), NAMES[0].to_owned(), source.text.clone().unwrap_or_default())
            }
            Some(file) if is_local || Path::new(file).is_absolute() => {
                (PathBuf::from(file), file_name(file), read(Path::new(file), file)?)
            }
            file => inside(&tree, file.as_deref(), &source.context)?,
        };
        let ignore = ignore(&tree, &path)?;
        let kept = Tree::Folder(match ignore {
            Some(ignore) => Arc::new(FolderTree::without(tree.root().to_owned(), ignore)),
            None => tree.clone(),
        });
        Ok(Self { kept, dockerfile: (shown, text) })
    }

    /// Name and text of the Dockerfile.
    pub fn dockerfile(&self) -> (&str, &str) {
        (&self.dockerfile.0, &self.dockerfile.1)
    }

    /// Its files, without those that are ignored.
    pub fn tree(&self) -> Tree {
        self.kept.clone()
    }

    /// What is ignored.
    pub fn ignore(&self) -> Option<&Ignore> {
        match &self.kept {
            Tree::Folder(folder) => folder.ignore(),
            Tree::Layers(_) => None,
        }
    }
}

/// The files of a context with a name.
pub fn named(session: &Session<'_>, name: &str, value: &str, cx: &Context) -> Result<Tree> {
    if let Some(reference) = value.strip_prefix("docker-image://") {
        return session.image_tree(cx, reference, &session.platform());
    }
    let within = |error: Error| error.context(format!("the context `{name}`"));
    let root = if is_address(value) { fetched(session, value, cx) } else { local(value) }.map_err(within)?;
    let tree = FolderTree::new(root);
    Ok(Tree::Folder(Arc::new(match ignore_file(&tree, ".dockerignore").map_err(within)? {
        Some(ignore) => FolderTree::without(tree.root().to_owned(), ignore),
        None => tree,
    })))
}

/// Whether a context is fetched.
pub fn is_address(text: &str) -> bool {
    fetch::is_http(text) || git::is_repository(text)
}

fn local(path: &str) -> Result<PathBuf> {
    let root = fs::canonicalize(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::not_found(format!("the build context `{path}` is not there"))
            .hint("it is a folder: `build(\".\")` is that of the script"),
        _ => Error::new(crate::error::ErrorKind::Io, format!("cannot look at the build context `{path}`: {error}")),
    })?;
    if root.is_dir() {
        return Ok(root);
    }
    Err(Error::invalid(format!("the build context `{path}` is not a folder"))
        .hint("give the folder, and the Dockerfile as an option: `build(\".\", #{ file: \"app.Dockerfile\" })`"))
}

fn fetched(session: &Session<'_>, address: &str, cx: &Context) -> Result<PathBuf> {
    let folder = session.folder()?;
    if git::is_repository(address) {
        let repository = git::Repository::parse(address)?;
        let checkout = git::fetch(&repository, &folder, false, None, cx)?;
        let Some(inside) = &repository.subfolder else { return Ok(checkout) };
        let tree = Tree::Folder(Arc::new(FolderTree::new(checkout.clone())));
        let real = tree.resolve(inside.as_bytes())?;
        let entry = tree.entry(&real)?.filter(|entry| entry.metadata.is_dir());
        let missing = || Error::not_found(format!("`{}` has no folder `{inside}`", repository.address));
        return Ok(entry.ok_or_else(missing)?.host);
    }
    let file = fetch::download(address, &folder, None, cx)?;
    let unpacked = session.folder()?;
    if let Some(kind) = Kind::of(&file)? {
        extract(kind, &file, &unpacked, cx)?;
    } else {
        // A Dockerfile alone: its context is empty.
        let target = unpacked.join(NAMES[0]);
        fs::rename(&file, &target).doing(|| format!("cannot move `{}`", target.display()))?;
    }
    Ok(unpacked)
}

/// The Dockerfile of a context: a link in it does not lead out of it.
fn inside(tree: &Arc<FolderTree>, file: Option<&str>, context: &str) -> Result<(PathBuf, String, String)> {
    let files = Tree::Folder(tree.clone());
    let names: Vec<&str> = file.map_or_else(|| NAMES.to_vec(), |file| vec![file]);
    for name in &names {
        let entry = files.entry(&files.resolve(name.as_bytes())?)?;
        if let Some(entry) = entry.filter(|entry| entry.metadata.is_file()) {
            return Ok((tree.root().join(name), (*name).to_owned(), read(&entry.host, name)?));
        }
    }
    Err(Error::not_found(format!("`{context}` has no file `{}`", names[0]))
        .hint("say where it is: `build(\".\", #{ file: \"docker/Dockerfile\" })`"))
}

fn read(path: &Path, shown: &str) -> Result<String> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::not_found(format!("the Dockerfile `{shown}` is not there")),
        _ => Error::new(crate::error::ErrorKind::Io, format!("cannot read `{shown}`: {error}")),
    })?;
    if !metadata.is_file() {
        return Err(Error::invalid(format!("`{shown}` is not a file")));
    }
    if metadata.len() > MOST {
        return Err(Error::invalid(format!("`{shown}` has {} bytes; a Dockerfile has at most {MOST}", metadata.len())));
    }
    let bytes = fs::read(path).doing(|| format!("cannot read `{shown}`"))?;
    String::from_utf8(bytes).map_err(|_| Error::invalid(format!("`{shown}` is not a text in UTF-8")))
}

fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// `NAME.dockerignore` beside the Dockerfile, or else that of the context.
fn ignore(tree: &FolderTree, dockerfile: &Path) -> Result<Option<Ignore>> {
    let mut own = dockerfile.as_os_str().to_owned();
    own.push(".dockerignore");
    let own = PathBuf::from(own);
    if own.is_file() {
        let bytes = fs::read(&own).doing(|| format!("cannot read `{}`", own.display()))?;
        return Ignore::parse(&bytes).map(Some);
    }
    match ignore_file(tree, ".dockerignore")? {
        None => ignore_file(tree, ".containerignore"),
        found => Ok(found),
    }
}

fn ignore_file(tree: &FolderTree, name: &str) -> Result<Option<Ignore>> {
    let files = Tree::Folder(Arc::new(FolderTree::new(tree.root().to_owned())));
    let entry = files.entry(&files.resolve(name.as_bytes())?)?.filter(|entry| entry.metadata.is_file());
    let Some(entry) = entry else { return Ok(None) };
    let bytes = fs::read(&entry.host).doing(|| format!("cannot read `{}`", entry.host.display()))?;
    Ignore::parse(&bytes).map(Some)
}
