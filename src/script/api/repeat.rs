//! Trying again, and giving up in time: `retry`, `eventually`, `timeout`.

use crate::context::CancelReason;
use crate::error::{Error, ErrorKind, Result};
use crate::model::duration;
use crate::script::binding::{Call, Callback, Options, api, enter, must_end};
use rhai::Dynamic;
use std::time::Duration;

/// Options of `retry`.
#[derive(Options)]
pub struct RetryOptions {
    /// How often to try at most; 3 when nothing is said.
    pub times: u32,
    /// Time between two attempts; 1 s when nothing is said.
    pub delay: Duration,
    /// What the delay is multiplied with after each attempt; 1 when nothing is said.
    pub backoff: f64,
    /// The delay grows no longer than this; 1 minute when nothing is said.
    pub max_delay: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self { times: 3, delay: Duration::from_secs(1), backoff: 1.0, max_delay: Duration::from_secs(60) }
    }
}

/// Calls a closure until it does not throw; it may take the number of the attempt. Gives its value.
///
/// # Example
/// let value = retry(#{ times: 3, delay: 0 }, |attempt| if attempt < 2 { throw "not yet" } else { attempt });
/// assert_eq(value, 2);
///
/// # Errors
/// What the last attempt threw.
#[api]
pub fn retry(call: &Call, options: RetryOptions, action: Callback) -> Result<Dynamic> {
    let mut delay = options.delay;
    let mut attempt = 1;
    loop {
        match action.call(call, vec![i64::from(attempt).into()]) {
            Err(error) if attempt < options.times && !must_end(&error) => {
                call.context().cancel.sleep(delay)?;
                let longer = delay.as_secs_f64() * options.backoff;
                delay = duration::from_seconds(longer).unwrap_or(options.max_delay).min(options.max_delay);
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// Options of `eventually`.
#[derive(Options)]
pub struct EventuallyOptions {
    /// Give up after this time; 60 s when nothing is said.
    pub timeout: Duration,
    /// Time between two attempts; 500 ms when nothing is said.
    pub interval: Duration,
}

impl Default for EventuallyOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), interval: Duration::from_millis(500) }
    }
}

/// Calls a closure until it neither throws nor gives `false`. Gives its value.
///
/// # Example
/// let start = now();
/// eventually(#{ timeout: "5s", interval: "1ms" }, || now() - start > duration("5ms"));
///
/// # Errors
/// `timeout`, with what the last attempt threw.
#[api]
pub fn eventually(call: &Call, options: EventuallyOptions, condition: Callback) -> Result<Dynamic> {
    let outer = call.context();
    let cx = outer.with_timeout(Some(options.timeout));
    let _entered = enter(cx.clone());
    let mut last = None;
    loop {
        match condition.call(call, Vec::new()) {
            Ok(value) if value.as_bool() == Ok(false) => {}
            Ok(value) => return Ok(value),
            Err(error) if must_end(&error) && cx.cancel.reason().is_none() => return Err(error),
            // An attempt that the deadline ended says nothing.
            Err(error) if cx.cancel.reason().is_none() => last = Some(error),
            Err(_) => {}
        }
        if cx.cancel.sleep(options.interval).is_err() {
            outer.check()?;
            let waited = duration::format(options.timeout);
            return Err(match last {
                None => Error::new(ErrorKind::Timeout, format!("it did not become true within {waited}")),
                Some(error) => {
                    let why = error.message();
                    let timed_out =
                        Error::new(ErrorKind::Timeout, format!("it did not succeed within {waited}: {why}"));
                    error.hint_text().map_or(timed_out.clone(), |hint| timed_out.hint(hint))
                }
            });
        }
    }
}

/// Calls a closure and stops it when the time is up. Gives its value.
///
/// # Example
/// try {
///     timeout("20ms", || loop {});
/// } catch (e) {
///     assert_eq(e.kind, "timeout");
/// }
///
/// # Errors
/// `timeout`, or what the closure throws.
#[api]
pub fn timeout(call: &Call, duration: Duration, action: Callback) -> Result<Dynamic> {
    let outer = call.context();
    let cx = outer.with_timeout(Some(duration));
    let result = {
        let _entered = enter(cx.clone());
        action.call(call, Vec::new())
    };
    // An outer deadline or Ctrl-C goes on upwards.
    if result.is_err() && cx.cancel.reason() == Some(CancelReason::Timeout) && outer.cancel.reason().is_none() {
        let after = crate::model::duration::format(duration);
        return Err(Error::new(ErrorKind::Timeout, format!("it did not end within {after}")));
    }
    result
}
