//! What all stages of one build share.

use super::cache::Cache;
use super::copy::Digests;
use super::remote_cache::RemoteCache;
use super::run_step::RunStep;
use super::tree::{FolderTree, LayersTree, Tree};
use crate::context::Context;
use crate::error::Result;
use crate::image;
use crate::model::{BuildSpec, BuiltStep, Digest, Platform};
use crate::registry::Client;
use crate::store::{Content, LayersInUse, Store};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What a build needs of the engine that it runs in.
pub trait Machine: RunStep {
    /// The image that a reference or an id means for a platform, pulled when it is missing; `always`: asked for in any case.
    fn image(&self, cx: &Context, reference: &str, platform: &Platform, always: bool) -> Result<Digest>;
    /// For registries.
    fn client(&self) -> Result<&Client>;
}

/// One build.
pub struct Session<'a> {
    pub content: &'a Content<'a>,
    pub cache: Cache<'a>,
    pub machine: &'a dyn Machine,
    pub spec: &'a BuildSpec,
    /// Layers stay mounted for all steps.
    in_use: Mutex<LayersInUse<'a>>,
    /// What was done.
    report: Mutex<Vec<BuiltStep>>,
    digests: Mutex<HashMap<PathBuf, Arc<Digests>>>,
    /// Folders that live as long as the build: what was fetched.
    folders: Mutex<Vec<tempfile::TempDir>>,
}

impl<'a> Session<'a> {
    /// Begins.
    pub fn new(content: &'a Content<'a>, machine: &'a dyn Machine, spec: &'a BuildSpec, cx: &Context) -> Result<Self> {
        let mut cache = Cache::new(content);
        for reference in &spec.cache_from {
            if let Some(elsewhere) = RemoteCache::open(machine.client()?, reference, cx)? {
                cache.add(elsewhere);
            }
        }
        Ok(Self {
            content,
            cache,
            machine,
            spec,
            in_use: Mutex::new(content.store().use_layers([])?),
            report: Mutex::default(),
            digests: Mutex::default(),
            folders: Mutex::default(),
        })
    }

    /// The store that is built in.
    pub fn store(&self) -> &'a Store {
        self.content.store()
    }

    /// The platform of the result.
    pub fn platform(&self) -> Platform {
        self.spec.platform.clone().unwrap_or_else(Platform::host)
    }

    /// Layers, the topmost first, as files; they stay mounted.
    pub fn layers(&self, folders: Vec<PathBuf>, chain: Option<Digest>) -> Result<Tree> {
        self.keep_mounted(&folders)?;
        Ok(Tree::Layers(Arc::new(LayersTree::new(folders, chain))))
    }

    /// An image as files.
    pub fn image_tree(&self, cx: &Context, reference: &str, platform: &Platform) -> Result<Tree> {
        let id = self.machine.image(cx, reference, platform, self.spec.pull)?;
        let info = image::info(self.store(), &id)?;
        let mut chain = None;
        for diff_id in &info.layers {
            chain = Some(crate::store::chain_id(chain.as_ref(), diff_id));
        }
        self.layers(image::prepare_id(self.store(), id)?.layers, chain)
    }

    /// Mounts layers until the build is over.
    pub fn keep_mounted(&self, folders: &[PathBuf]) -> Result<()> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner).add(folders)
    }

    /// What is remembered of a context.
    pub fn digests(&self, tree: &Tree) -> Arc<Digests> {
        let Tree::Folder(folder) = tree else { return Arc::new(Digests::forgetful()) };
        self.digests_of(folder)
    }

    fn digests_of(&self, folder: &FolderTree) -> Arc<Digests> {
        let mut all = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Digests::new(self.store(), folder.root()));
        all.entry(folder.root().to_owned()).or_insert_with(new).clone()
    }

    /// An empty folder that is gone after the build.
    pub fn folder(&self) -> Result<PathBuf> {
        let folder = self.content.scratch()?;
        let path: &Path = folder.path();
        let path = path.to_owned();
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).push(folder);
        Ok(path)
    }

    /// Notes what was done.
    pub fn report(&self, step: BuiltStep) {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// What was done, in the order in which it ended.
    pub fn take_report(&self) -> Vec<BuiltStep> {
        std::mem::take(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
