//! One Rhai engine with our functions in it, and the session that its scripts share.

use super::binding::{self, enter, with_current};
use super::report::Report;
use super::resolver::Resolver;
use super::source::Sources;
use super::{Session, Settings};
use rhai::packages::{Package, StandardPackage};
use rhai::{AST, Dynamic, Engine, EvalAltResult, FnPtr, OptimizationLevel, ParseError, Scope};
use std::sync::Arc;

/// Deepest nesting of script calls; the same in debug and release builds, as is the next one. Rhai's
/// debug defaults (8 and 32) refuse ordinary scripts.
const MAX_CALL_LEVELS: usize = 128;
/// Deepest nesting of expressions, outside and inside of functions.
const MAX_EXPRESSION_DEPTH: usize = 128;
/// Stack of a thread that runs a script: room for that nesting in a debug build.
pub const STACK_SIZE: usize = 64 << 20;

/// What scripts run in.
#[derive(Clone)]
pub struct Host {
    engine: Arc<Engine>,
    session: Arc<Session>,
    sources: Sources,
}

impl Host {
    /// A host for scripts. `strict`: an undeclared variable is an error before the script runs;
    /// the prompt, where variables come from earlier lines, turns it off.
    pub fn new(settings: Settings, strict: bool) -> Self {
        let session = Session::new(settings);
        let sources = Sources::default();
        let mut engine = Engine::new_raw();
        StandardPackage::new().register_into_engine(&mut engine);
        engine.set_module_resolver(Resolver::new(session.folder(), &sources));
        engine.set_max_call_levels(MAX_CALL_LEVELS);
        engine.set_max_expr_depths(MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_DEPTH);
        engine.set_optimization_level(OptimizationLevel::Simple);
        engine.set_strict_variables(strict);
        let warn = session.clone();
        engine.on_debug(move |text, source, position| {
            let source = source.unwrap_or_default();
            warn.warn(&format!("{source}:{position:?}: {text}"));
        });
        // Sticky: it goes on saying so until the top level has returned, because `map`, `filter`
        // and `eval` turn a termination into an error that a script can catch.
        engine.on_progress(|_| {
            let stop = with_current(|context| context.is_some_and(|context| context.cancel.reason().is_some()));
            stop.then_some(Dynamic::UNIT)
        });
        binding::register(&mut engine, &session);
        if !strict {
            binding::register_function_names(&mut engine);
        }
        super::api::time::register_operators(&mut engine);
        let engine = Arc::new(engine);
        session.set_rhai(&engine);
        Self { engine, session, sources }
    }

    /// Rhai's engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// What the scripts share.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The texts compiled so far.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Parses a script; `source` is its path, or `<eval>` and the like.
    pub fn compile(&self, text: &str, source: &str, scope: &Scope<'_>) -> Result<AST, ParseError> {
        let compiled = self.sources.add(&self.engine, source, text);
        let mut ast = self.engine.compile_with_scope(scope, compiled)?;
        ast.set_source(source);
        Ok(ast)
    }

    /// Runs a parsed script in this thread, which should be one of [`Self::on_large_stack`]. `exit`
    /// comes out as the exception it is.
    pub fn run(&self, ast: &AST, scope: &mut Scope<'_>) -> Result<Dynamic, Box<EvalAltResult>> {
        let _entered = enter(self.session.root_context());
        self.engine.eval_ast_with_scope(scope, ast)
    }

    /// A value as one line of JSON, as `to_json` gives it.
    pub fn json(&self, value: &Dynamic) -> Result<String, Box<EvalAltResult>> {
        self.call("to_json", value)
    }

    /// A value as `print` shows it.
    pub fn text(&self, value: &Dynamic) -> Result<String, Box<EvalAltResult>> {
        self.call("text", value)
    }

    fn call(&self, function: &str, value: &Dynamic) -> Result<String, Box<EvalAltResult>> {
        let _entered = enter(self.session.root_context());
        FnPtr::new(function)?.call(&self.engine, &AST::empty(), (value.clone(),))
    }

    /// How an exception of a script is drawn.
    pub fn report(&self, thrown: &EvalAltResult, source: &str) -> Report {
        Report::of(thrown, source, &self.engine, &self.sources)
    }

    /// How a script that does not parse is drawn.
    pub fn report_parse_error(&self, error: &ParseError, source: &str) -> Report {
        Report::of_parse_error(error, source, &self.engine, &self.sources)
    }

    /// Runs `work` on a thread whose stack is large enough for deeply nested scripts.
    pub fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("script".into()).stack_size(STACK_SIZE);
            let running = thread.spawn_scoped(scope, work)?;
            Ok(running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }
}
