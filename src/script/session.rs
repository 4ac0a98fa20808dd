//! What all calls of one script share.

use crate::context::Context;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// Opens the container engine; called at most once, when something first asks for it.
pub type OpenEngine = Box<dyn Fn() -> Result<Arc<dyn Engine>> + Send + Sync>;

/// Writes one line that the script printed.
pub type Print = Box<dyn Fn(&str) -> Result<()> + Send + Sync>;

/// What a session is made from.
pub struct Settings {
    /// What followed the file on the command line.
    pub args: Vec<String>,
    /// Folder of the script, absolute; relative host paths of mounts and build contexts start here.
    pub folder: PathBuf,
    /// How the engine is opened.
    pub open_engine: OpenEngine,
    /// Where `print` writes.
    pub print: Print,
    /// The outermost context: Ctrl-C cancels its token.
    pub context: Context,
}

/// What all calls of one script share.
pub struct Session {
    settings: Settings,
    engine: Mutex<Option<Arc<dyn Engine>>>,
    rhai: OnceLock<Weak<rhai::Engine>>,
}

impl Session {
    /// A session whose engine is not yet open.
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self { settings, engine: Mutex::new(None), rhai: OnceLock::new() })
    }

    /// The container engine; opened by the first call.
    pub fn engine(&self) -> Result<Arc<dyn Engine>> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*engine {
            return Ok(engine.clone());
        }
        Ok(engine.insert((self.settings.open_engine)()?).clone())
    }

    /// The container engine, if anything has asked for it yet.
    pub fn opened_engine(&self) -> Option<Arc<dyn Engine>> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The outermost context.
    pub fn root_context(&self) -> Context {
        self.settings.context.clone()
    }

    /// What followed the file on the command line.
    pub fn args(&self) -> &[String] {
        &self.settings.args
    }

    /// Folder of the script, absolute.
    pub fn folder(&self) -> &Path {
        &self.settings.folder
    }

    /// Writes a line of the script's output.
    pub fn print(&self, line: &str) -> Result<()> {
        (self.settings.print)(line)
    }

    /// Tells the session which Rhai engine runs its scripts.
    pub fn set_rhai(&self, engine: &Arc<rhai::Engine>) {
        // Set once, by the host that made both.
        let _ = self.rhai.set(Arc::downgrade(engine));
    }

    /// The Rhai engine that runs the scripts, for closures that are called later.
    pub fn rhai(&self) -> Result<Arc<rhai::Engine>> {
        let engine = self.rhai.get().and_then(Weak::upgrade);
        engine.ok_or_else(|| Error::new(ErrorKind::Script, "the script has ended"))
    }
}
