//! Several things at once: `parallel`, `par_map`.

use super::values::script_value;
use crate::context::{CancelToken, Context};
use crate::error::{Error, ErrorKind, Result};
use crate::script::STACK_SIZE;
use crate::script::binding::{Call, Callback, Options, Refusal, api, detached, enter};
use rhai::Dynamic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Options of `parallel` and `par_map`.
#[derive(Default, Options)]
pub struct ParallelOptions {
    /// How many run at once; 64 when nothing is said.
    pub limit: Option<u32>,
}

/// Threads that run at once when nothing is said: they mostly wait.
const DEFAULT_LIMIT: u32 = 64;

/// Calls closures at the same time; gives their values in order. The first error cancels the others.
///
/// Each closure gets copies of what it captured, so results come back as values only. `|| i` captures the loop variable
/// itself: write `let k = i;` first, or use `par_map`.
///
/// # Example
/// assert_eq(parallel([|| 1 + 1, || "b"]), [2, "b"]);
///
/// # Errors
/// What was thrown first.
#[api]
pub fn parallel(call: &Call, actions: Vec<Callback>, options: ParallelOptions) -> Result<Vec<Dynamic>> {
    let jobs = actions.iter().map(|action| (action.detached(), Vec::new())).collect();
    run(call, jobs, &options)
}

/// What `par_map` goes through.
pub struct Items(Vec<Dynamic>);

script_value!(Items, "array or range", |value| value.is_array() || range(value).is_some(), read_items);

fn read_items(value: Dynamic) -> Result<Items, Refusal> {
    if let Some(range) = range(&value) {
        return Ok(Items(range.map(Dynamic::from).collect()));
    }
    if !value.is_array() {
        return Err(Refusal::wrong_type("array or range", &value));
    }
    Ok(Items(value.into_array().unwrap_or_default()))
}

fn range(value: &Dynamic) -> Option<std::ops::RangeInclusive<i64>> {
    if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        return Some(range.start..=range.end.checked_sub(1)?);
    }
    value.read_lock::<std::ops::RangeInclusive<i64>>().map(|range| range.clone())
}

/// Calls a closure with each item of a list or range, at the same time; gives the values in order.
///
/// # Example
/// assert_eq(par_map(0..3, |x| x * 10), [0, 10, 20]);
/// assert_eq(par_map([1, 2, 3], |x| x * 10, #{ limit: 2 }), [10, 20, 30]);
///
/// # Errors
/// What was thrown first.
#[api]
pub fn par_map(call: &Call, list: Items, action: Callback, options: ParallelOptions) -> Result<Vec<Dynamic>> {
    let jobs = list.0.iter().map(|item| (action.detached(), vec![detached(item)])).collect();
    run(call, jobs, &options)
}

type Job = (Callback, Vec<Dynamic>);

fn run(call: &Call<'_>, jobs: Vec<Job>, options: &ParallelOptions) -> Result<Vec<Dynamic>> {
    let limit = options.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 {
        return Err(Error::invalid("option `limit` takes a number from 1 on, got 0"));
    }
    let outer = call.context();
    let group = Group { cancel: outer.cancel.child(), first_error: Mutex::new(None), next: AtomicUsize::new(0) };
    let cx = Context { cancel: group.cancel.clone(), ..outer };
    let results: Vec<Mutex<Option<Dynamic>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..jobs.len().min(limit as usize) {
            let work = || group.work(call, &cx, &jobs, &results);
            let thread = std::thread::Builder::new().name("parallel".into()).stack_size(STACK_SIZE);
            if let Err(error) = thread.spawn_scoped(scope, work) {
                group.fail(Error::new(ErrorKind::Io, format!("cannot start a thread: {error}")));
                break;
            }
        }
    });
    match group.first_error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(results
            .into_iter()
            .filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect()),
    }
}

/// Threads that work off a list together.
struct Group {
    cancel: CancelToken,
    first_error: Mutex<Option<Error>>,
    next: AtomicUsize,
}

impl Group {
    fn work(&self, call: &Call<'_>, cx: &Context, jobs: &[Job], results: &[Mutex<Option<Dynamic>>]) {
        let _entered = enter(cx.clone());
        loop {
            let index = self.next.fetch_add(1, Ordering::SeqCst);
            let Some((action, arguments)) = jobs.get(index) else { return };
            if self.cancel.reason().is_some() {
                // Nothing has failed when it is the outer context that ends.
                return self.cancel.check().map_or_else(|error| self.fail(error), |()| ());
            }
            match action.call(call, arguments.clone()) {
                Ok(value) => {
                    *results[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(detached(&value));
                }
                Err(error) => return self.fail(error),
            }
        }
    }

    /// Keeps the first error; the others are the consequence of it.
    fn fail(&self, error: Error) {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.cancel.cancel();
    }
}
