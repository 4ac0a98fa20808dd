//! Our errors as what Rhai throws, and back; Rhai's own errors in our terms.

use super::current::with_current;
use super::{functions, nearest, signature, types};
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

fn error_map(error: &Error) -> Map {
    let mut map = Map::new();
    let mut set = |key: &str, value: Dynamic| map.insert(key.into(), value);
    set("kind", error.kind().name().into());
    set("message", error.message().into());
    set("hint", error.hint_text().map_or(Dynamic::UNIT, Into::into));
    if let Some(details) = error.exit_details() {
        set("code", i64::from(details.code).into());
        set("stdout", String::from_utf8_lossy(&details.stdout).into_owned().into());
        set("stderr", String::from_utf8_lossy(&details.stderr).into_owned().into());
    }
    if let Some(log) = error.log_tail_text() {
        set("log", log.to_owned().into());
    }
    map
}

/// An exception in our terms: kind, message, hint.
pub fn explain(thrown: &EvalAltResult) -> Error {
    use EvalAltResult as E;
    let script = |message: String| Error::new(ErrorKind::Script, message);
    match thrown {
        E::ErrorInFunctionCall(_, _, inner, _) | E::ErrorInModule(_, inner, _) => explain(inner),
        E::ErrorRuntime(value, _) => error_from_value(value, ErrorKind::Script),
        E::ErrorTerminated(value, _) => error_from_value(value, ErrorKind::Cancelled),
        E::ErrorFunctionNotFound(call, _) => explain_missing_function(call),
        E::ErrorVariableNotFound(name, _) => {
            let error = script(format!("there is no variable `{name}`"));
            let known = functions().iter().filter(|function| function.receiver.is_none()).map(|function| function.name);
            if functions().iter().any(|function| function.receiver.is_none() && function.name == name) {
                error.hint(format!("`{name}` is a function: call it as `{name}(…)`"))
            } else if let Some(near) = nearest(name, known) {
                error.hint(format!("declare it with `let {name} = …`, or did you mean `{near}(…)`?"))
            } else {
                error.hint("functions see no variables from outside: give it as an argument, or use a closure `|| …`")
            }
        }
        // A method call locks its receiver, so a closure given to it cannot have captured it. Rhai
        // says "argument #1 of function 'follow'".
        E::ErrorDataRace(place, _) => {
            let method = place.split('\'').nth(1).map(|name| format!(" `{name}`")).unwrap_or_default();
            script(format!("a closure captures the value that the method{method} is called on"))
                .hint("inside the closure, use `this` instead of the variable")
        }
        E::ErrorModuleNotFound(name, _) => Error::not_found(format!("there is no module `{name}`"))
            .hint("it is a path relative to the importing file without `.rhai`, or `std/…`"),
        E::ErrorStackOverflow(_) => script("functions call each other too deeply".to_owned()),
        E::ErrorParsing(error, _) => script(lower_first(&error.to_string())),
        E::Exit(..) => script("the script called `exit`".to_owned()),
        other => script(lower_first(&without_position(other))),
    }
}

/// An error from a thrown value: our own map, or whatever the script threw.
fn error_from_value(value: &Dynamic, default: ErrorKind) -> Error {
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
            let details = ExitDetails { code: code as i32, stdout: bytes("stdout"), stderr: bytes("stderr") };
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
    error
}

/// Rhai says `logs (Container, i64)`: is it a wrong name or a wrong number of arguments?
fn explain_missing_function(call: &str) -> Error {
    let script = |message: String| Error::new(ErrorKind::Script, message);
    let (name, arguments) = call.split_once(" (").unwrap_or((call, ""));
    let name = name.trim();
    let arguments: Vec<&str> =
        arguments.trim_end_matches(')').split(", ").filter(|argument| !argument.is_empty()).collect();
    if let Some((module, name)) = name.rsplit_once("::") {
        return explain_missing_in_module(module, name);
    }
    let receiver = arguments.first().and_then(|first| types().iter().find(|doc| doc.name == *first));
    if let Some(receiver) = receiver {
        if let Some(function) = receiver.members().find(|function| function.name == name) {
            if function.is_property() {
                return script(format!("`{}` is a property", function.path())).hint("write it without `()`");
            }
            return wrong_count(function, arguments.len() - 1);
        }
        if functions().iter().all(|function| function.receiver.is_some() || function.name != name) {
            let error = script(format!("`{}` has no method `{name}`", receiver.name));
            return match nearest(name, receiver.members().map(|function| function.name)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("`help(\"{}\")` shows what it has", receiver.name)),
            };
        }
    }
    let global = || functions().iter().filter(|function| function.receiver.is_none() && function.module.is_none());
    if let Some(function) = global().find(|function| function.name == name) {
        return wrong_count(function, arguments.len());
    }
    let error = if arguments.is_empty() {
        script(format!("there is no function `{name}`"))
    } else {
        script(format!(
            "there is no function `{name}` for ({})",
            arguments.iter().map(|ty| plain_name(ty)).collect::<Vec<_>>().join(", ")
        ))
    };
    match nearest(name, global().map(|function| function.name)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

fn explain_missing_in_module(module: &str, name: &str) -> Error {
    let members = || functions().iter().filter(|function| function.module == Some(module));
    if let Some(function) = members().find(|function| function.name == name) {
        let error = Error::new(ErrorKind::Script, "wrong number of arguments").context(function.path());
        return error.hint(format!("it is called as `{}`", signature(function)));
    }
    let error = Error::new(ErrorKind::Script, format!("there is no function `{module}::{name}`"));
    match nearest(name, members().map(|function| function.name)) {
        Some(near) => error.hint(format!("did you mean `{module}::{near}`?")),
        None => error,
    }
}

fn wrong_count(function: &super::FunctionDoc, given: usize) -> Error {
    let most = function.parameters.len();
    let least = function.parameters.iter().filter(|parameter| !parameter.optional).count();
    let takes = match (least, most) {
        (0, 0) => "no arguments".to_owned(),
        (1, 1) => "1 argument".to_owned(),
        (least, most) if least == most => format!("{most} arguments"),
        (least, most) => format!("{least} to {most} arguments"),
    };
    let error = Error::new(ErrorKind::Script, format!("takes {takes}, got {given}")).context(function.path());
    error.hint(format!("it is called as `{}`", signature(function)))
}

/// Rhai's type names as our errors write them.
fn plain_name(rhai: &str) -> &str {
    match rhai {
        "i64" => "int",
        "f64" => "float",
        "&str | ImmutableString | String" => "string",
        other => other,
    }
}

fn without_position(thrown: &EvalAltResult) -> String {
    let text = thrown.to_string();
    match text.rfind(" (line ") {
        Some(end) if !thrown.position().is_none() => text[..end].to_owned(),
        _ => text,
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        // An acronym or a type name keeps its capitals.
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().collect::<String>() + chars.as_str()
        }
        _ => text.to_owned(),
    }
}
