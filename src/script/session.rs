//! What all calls of one script share.

use super::clean_up::Deferred;
use crate::context::{CancelToken, Context};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// Opens the container engine; called at most once, when something first asks for it.
pub type OpenEngine = Box<dyn Fn() -> Result<Arc<dyn Engine>> + Send + Sync>;

/// Writes one line that the script printed.
pub type Print = Box<dyn Fn(&str) -> Result<()> + Send + Sync>;

/// Writes one line to the person who runs the script: a clean-up that failed and the like.
pub type Warn = Box<dyn Fn(&str) + Send + Sync>;

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
    /// Where warnings go.
    pub warn: Warn,
    /// The outermost context: Ctrl-C cancels its token.
    pub context: Context,
}

/// What all calls of one script share.
pub struct Session {
    settings: Settings,
    engine: Mutex<Option<Arc<dyn Engine>>>,
    rhai: OnceLock<Weak<rhai::Engine>>,
    circumstances: Mutex<Circumstances>,
    pub(super) deferred: Deferred,
}

/// What Ctrl-C reaches.
struct Circumstances {
    /// Of the script.
    script: Context,
    /// Of what runs at the end of the script and of scopes, also after Ctrl-C.
    clean_up: Context,
    /// How often it came.
    interrupts: u32,
    /// What the script gave to `exit`.
    exit: Option<u8>,
}

impl Circumstances {
    fn new(context: &Context) -> Self {
        let clean_up = Context { cancel: CancelToken::new(), ..context.clone() };
        Self { script: context.clone(), clean_up, interrupts: 0, exit: None }
    }
}

impl Session {
    /// A session whose engine is not yet open.
    pub fn new(settings: Settings) -> Arc<Self> {
        let circumstances = Mutex::new(Circumstances::new(&settings.context));
        let (engine, rhai, deferred) = (Mutex::default(), OnceLock::new(), Deferred::default());
        Arc::new(Self { settings, engine, rhai, circumstances, deferred })
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

    /// Nothing more is asked of the engine: its clean-up comes to an end.
    pub fn finish(&self) {
        if let Some(engine) = self.opened_engine() {
            engine.finish();
        }
    }

    /// The outermost context.
    pub fn root_context(&self) -> Context {
        self.circumstances().script.clone()
    }

    /// The context of clean-up: Ctrl-C has to come once more to stop it.
    pub fn clean_up_context(&self) -> Context {
        self.circumstances().clean_up.clone()
    }

    /// Ctrl-C: the first stops the script, the second its clean-up. Says how often it came.
    pub fn interrupt(&self) -> u32 {
        let mut circumstances = self.circumstances();
        circumstances.interrupts += 1;
        match circumstances.interrupts {
            1 => circumstances.script.cancel.cancel(),
            _ => circumstances.clean_up.cancel.cancel(),
        }
        circumstances.interrupts
    }

    /// Forgets what was interrupted: the next line of the prompt starts anew.
    pub fn renew(&self) {
        let context = Context { cancel: CancelToken::new(), ..self.settings.context.clone() };
        *self.circumstances() = Circumstances::new(&context);
    }

    fn circumstances(&self) -> MutexGuard<'_, Circumstances> {
        self.circumstances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the script gave to `exit`, which Rhai cannot tell from a last value.
    pub fn exit_code(&self) -> Option<u8> {
        self.circumstances().exit
    }

    /// Notes what the script gave to `exit`, and stops it: `map` and others would make an error of
    /// the exception that a `try` around them could catch.
    pub fn exit(&self, code: u8) {
        let mut circumstances = self.circumstances();
        circumstances.exit = Some(code);
        circumstances.script.cancel.cancel();
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

    /// Writes a line to the person who runs the script.
    pub fn warn(&self, line: &str) {
        (self.settings.warn)(line);
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
