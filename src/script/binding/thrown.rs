//! Our errors as what Rhai throws, and back; Rhai's own errors in our terms.

use super::current::with_current;
use super::{explain, explain_map};
use crate::error::{Error, ErrorKind, ExitDetails};
use rhai::{Dynamic, EvalAltResult, Map, Position};
use std::sync::{Arc, Mutex, PoisonError};

/// What a callback threw, on its way through the engine. Taken out once.
type Carried = Mutex<Option<Box<EvalAltResult>>>;

/// The exception of an error: a map with `kind`, `message`, `hint` and what belongs to the kind.
///
/// When the current context has to stop, it is Rhai's termination instead, which cannot be caught.
pub fn thrown_from_error(error: Error) -> Box<EvalAltResult> {
    let carried = error.payload().and_then(|payload| payload.downcast_ref::<Carried>());
    if let Some(thrown) = carried.and_then(|slot| slot.lock().unwrap_or_else(PoisonError::into_inner).take()) {
        return thrown;
    }
    let stopping = with_current(|context| context.is_some_and(|context| context.cancel.reason().is_some()));
    let value = error_map(&error).into();
    if stopping && matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Timeout) {
        return EvalAltResult::ErrorTerminated(value, Position::NONE).into();
    }
    EvalAltResult::ErrorRuntime(value, Position::NONE).into()
}

/// An exception as our error, which carries it along unchanged.
pub fn error_from_thrown(thrown: Box<EvalAltResult>) -> Error {
    let error = explain(&thrown);
    let slot: Carried = Mutex::new(Some(thrown));
    error.carrying(Arc::new(slot))
}

/// Whether the script ends by it: `exit(n)`, Ctrl-C, a deadline around us. Nothing may retry or swallow it.
pub fn ends_script(thrown: &EvalAltResult) -> bool {
    match thrown {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
            ends_script(inner)
        }
        EvalAltResult::Exit(..) | EvalAltResult::ErrorTerminated(..) => true,
        _ => false,
    }
}

/// Whether an error that came out of a callback ends the script; see [`ends_script`].
pub fn must_end(error: &Error) -> bool {
    let carried = error.payload().and_then(|payload| payload.downcast_ref::<Carried>());
    carried.is_some_and(|slot| {
        slot.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|thrown| ends_script(thrown))
    })
}

/// What `catch (e)` sees of an error.
pub fn error_map(error: &Error) -> Map {
    let mut map = Map::new();
    let mut set = |key: &str, value: Dynamic| map.insert(key.into(), value);
    set("kind", error.kind().name().into());
    set("message", error.message().into());
    set("hint", error.hint_text().map_or(Dynamic::UNIT, Into::into));
    if let Some(details) = error.exit_details() {
        set("code", i64::from(details.code).into());
        set("stdout", String::from_utf8_lossy(&details.stdout).into_owned().into());
        set("stderr", String::from_utf8_lossy(&details.stderr).into_owned().into());
        set("oom_killed", details.oom_killed.into());
    }
    if let Some(log) = error.log_tail_text() {
        set("log", log.to_owned().into());
    }
    if let Some(excerpt) = error.excerpt_text() {
        set("source", excerpt.to_owned().into());
    }
    map
}

/// An error from a thrown value: our own map, or whatever the script threw.
pub(super) fn error_from_value(value: &Dynamic, default: ErrorKind) -> Error {
    let Some(map) = value.read_lock::<Map>() else {
        let text = if value.is_unit() { default.name().to_owned() } else { value.to_string() };
        return Error::new(default, text);
    };
    let text = |key: &str| map.get(key).filter(|value| value.is_string()).map(ToString::to_string);
    let kind = text("kind").and_then(|name| ErrorKind::from_name(&name)).unwrap_or(default);
    let message = text("message").unwrap_or_else(|| value.to_string());
    let mut error = match map.get("code").and_then(|code| code.as_int().ok()) {
        Some(code) if kind == ErrorKind::Exit => {
            let bytes = |key: &str| text(key).unwrap_or_default().into_bytes();
            let oom_killed = map.get("oom_killed").and_then(|value| value.as_bool().ok()).unwrap_or(false);
            let details =
                ExitDetails { code: code as i32, stdout: bytes("stdout"), stderr: bytes("stderr"), oom_killed };
            Error::exit(message, details)
        }
        _ => Error::new(kind, message),
    };
    if let Some(hint) = text("hint") {
        error = error.hint(hint);
    }
    if let Some(log) = text("log") {
        error = error.log_tail(log);
    }
    if let Some(excerpt) = text("source") {
        error = error.excerpt(excerpt);
    }
    error
}

/// What `catch (e)` binds: Rhai's own errors get `kind`, `message` and `hint` like ours.
pub fn caught(value: Dynamic) -> Dynamic {
    let is_rhai = value.read_lock::<Map>().is_some_and(|map| map.contains_key("error") && !map.contains_key("kind"));
    if !is_rhai {
        return value;
    }
    let mut map = value.cast::<Map>();
    let error = explain_map(&map);
    map.insert("kind".into(), error.kind().name().into());
    map.insert("message".into(), error.message().into());
    map.insert("hint".into(), error.hint_text().map_or(Dynamic::UNIT, Into::into));
    map.into()
}
