//! `background`: a closure on a thread of its own, and the handle on it.

use super::deadline::within;
use crate::context::{CancelToken, Context};
use crate::error::{Error, ErrorKind, Result};
use crate::script::STACK_SIZE;
use crate::script::binding::{Call, Callback, Object, Options, api, detached, enter, must_end};
use rhai::Dynamic;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A closure that runs in the background. One that is not joined is cancelled at the end of its scope or script.
#[derive(Clone, Object)]
pub struct Task(Arc<Shared>);

struct Shared {
    cancel: CancelToken,
    /// Cancelled by its end: something that can be waited for.
    ended: CancelToken,
    result: Mutex<Outcome>,
}

#[derive(Default)]
struct Outcome {
    result: Option<Result<Dynamic>>,
    seen: bool,
}

/// Options of `join`.
#[derive(Default, Options)]
pub struct JoinOptions {
    /// Give up after this time; it goes on running.
    pub timeout: Option<Duration>,
}

/// Calls a closure on another thread and goes on at once. It gets copies of what it captured.
///
/// # Example
/// let task = background(|| 6 * 7);
/// assert_eq(task.join(), 42);
#[api]
pub fn background(call: &Call, action: Callback) -> Result<Task> {
    let outer = call.context();
    let cx = Context { cancel: outer.cancel.child(), ..outer };
    let task =
        Task(Arc::new(Shared { cancel: cx.cancel.clone(), ended: CancelToken::new(), result: Mutex::default() }));
    let scope = cx.scope.clone();
    let action = action.store(call).detached();
    let shared = task.0.clone();
    let work = move || {
        let _entered = enter(cx);
        let result = action.call(Vec::new()).map(|value| detached(&value));
        // What ended it does not end who joins it.
        let result = result.map_err(|error| match shared.cancel.reason() {
            Some(reason) if must_end(&error) => reason.error().context("the background task"),
            _ => error,
        });
        shared.outcome().result = Some(result);
        shared.ended.cancel();
    };
    let thread = std::thread::Builder::new().name("background".into()).stack_size(STACK_SIZE);
    thread.spawn(work).map_err(|error| Error::new(ErrorKind::Io, format!("cannot start a thread: {error}")))?;
    let unjoined = task.clone();
    call.session().defer(scope, Box::new(move || unjoined.end()));
    Ok(task)
}

#[api]
impl Task {
    /// Whether it has ended.
    #[get(column)]
    pub fn done(&self) -> bool {
        self.0.ended.reason().is_some()
    }

    /// Waits for its end; gives its value, or throws what it threw.
    pub fn join(&self, call: &Call, options: JoinOptions) -> Result<Dynamic> {
        let what = || "the background task".to_owned();
        within(&call.context(), options.timeout, what, |cx| self.wait(&cx.cancel))?;
        let mut outcome = self.0.outcome();
        outcome.seen = true;
        outcome.result.clone().unwrap_or(Ok(Dynamic::UNIT))
    }

    /// Asks it to stop. `join` then throws `cancelled`.
    pub fn cancel(&self) -> Task {
        self.0.outcome().seen = true;
        self.0.cancel.cancel();
        self.clone()
    }
}

impl Task {
    fn wait(&self, cancel: &CancelToken) -> Result<()> {
        let ended = &self.0.ended;
        while ended.reason().is_none() {
            // Without a descriptor to poll, look often enough for a person.
            let tick = ended.fd().is_none().then_some(Duration::from_millis(20));
            cancel.wait_readable(ended.fd(), tick)?;
        }
        Ok(())
    }

    /// At the end of its scope: stops it, and tells of an error that nobody has seen.
    fn end(&self) -> Result<()> {
        let was_running = !self.done();
        self.0.cancel.cancel();
        let clean_up = crate::script::binding::current().map_or_else(CancelToken::new, |context| context.cancel);
        self.wait(&clean_up)?;
        let outcome = self.0.outcome();
        match &outcome.result {
            Some(Err(error)) if !was_running && !outcome.seen && !must_end(error) => {
                Err(error.clone().context("a background task that was not joined"))
            }
            _ => Ok(()),
        }
    }
}

impl Shared {
    fn outcome(&self) -> std::sync::MutexGuard<'_, Outcome> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
