//! Rhai's own errors in our terms: kind, message, and what to do.

use super::thrown::error_from_value;
use super::{FunctionDoc, functions, nearest, signature, types};
use crate::error::{Error, ErrorKind};
use rhai::{EvalAltResult, LexError, Map, ParseErrorType, Position};

/// An exception in our terms: kind, message, hint.
pub fn explain(thrown: &EvalAltResult) -> Error {
    use EvalAltResult as E;
    let script = |message: String| Error::new(ErrorKind::Script, message);
    match thrown {
        E::ErrorInFunctionCall(_, _, inner, _) | E::ErrorInModule(_, inner, _) => explain(inner),
        E::ErrorRuntime(value, _) => error_from_value(value, ErrorKind::Script),
        E::ErrorTerminated(value, _) => error_from_value(value, ErrorKind::Cancelled),
        E::ErrorFunctionNotFound(call, _) => explain_missing_function(call),
        E::ErrorVariableNotFound(name, _) => explain_missing_variable(name),
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
        E::ErrorParsing(error, _) => explain_parse_error(error),
        E::Exit(..) => script("the script called `exit`".to_owned()),
        other => script(lower_first(&without_position(other))),
    }
}

/// The error that a caught map of Rhai's stands for.
pub(super) fn explain_map(map: &Map) -> Error {
    let text = |key: &str| map.get(key).map(ToString::to_string).unwrap_or_default();
    match text("error").as_str() {
        "ErrorFunctionNotFound" => explain(&EvalAltResult::ErrorFunctionNotFound(text("function"), Position::NONE)),
        "ErrorVariableNotFound" => explain(&EvalAltResult::ErrorVariableNotFound(text("variable"), Position::NONE)),
        "ErrorDataRace" => explain(&EvalAltResult::ErrorDataRace(text("variable"), Position::NONE)),
        "ErrorModuleNotFound" => explain(&EvalAltResult::ErrorModuleNotFound(text("module"), Position::NONE)),
        _ => Error::new(ErrorKind::Script, lower_first(&text("message"))),
    }
}

fn explain_missing_variable(name: &str) -> Error {
    let error = Error::new(ErrorKind::Script, format!("there is no variable `{name}`"));
    let global = || functions().iter().filter(|function| function.receiver.is_none() && function.module.is_none());
    if global().any(|function| function.name == name) {
        error.hint(format!("`{name}` is a function: call it as `{name}(…)`"))
    } else if let Some(near) = nearest(name, global().map(|function| function.name)) {
        error.hint(format!("declare it with `let {name} = …`, or did you mean the function `{near}`?"))
    } else {
        error.hint("functions see no variables from outside: give it as an argument, or use a closure `|| …`")
    }
}

fn explain_parse_error(error: &ParseErrorType) -> Error {
    let script = |message: String| Error::new(ErrorKind::Script, message);
    match error {
        ParseErrorType::VariableUndefined(name) => explain_missing_variable(name),
        ParseErrorType::ModuleUndefined(name) => {
            let error = script(format!("there is no module `{name}`"));
            let known = functions().iter().filter_map(|function| function.module);
            match nearest(name, known) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("import it: `import \"path\" as {name};`")),
            }
        }
        ParseErrorType::Reserved(word) => script(format!("`{word}` is a reserved word of the language"))
            .hint("choose another name; as the key of a map, put it in quotes"),
        ParseErrorType::UnexpectedEOF => script("the script ends in the middle of something".to_owned())
            .hint("look for a `{`, `(` or `[` that is not closed"),
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            script("a string is not closed".to_owned()).hint("strings over several lines are in backticks")
        }
        other => script(lower_first(&other.to_string())),
    }
}

/// Rhai says `logs (Container, i64)`: is it a wrong name or a wrong number of arguments?
fn explain_missing_function(call: &str) -> Error {
    let script = |message: String| Error::new(ErrorKind::Script, message);
    let (name, arguments) = call.split_once(" (").unwrap_or((call, ""));
    let name = name.trim();
    let arguments: Vec<&str> =
        arguments.trim_end_matches(')').split(", ").filter(|argument| !argument.is_empty()).collect();
    // Rhai's own name of a closure, called by one of its functions or by `.call()`.
    if name.starts_with("anon$") {
        return script("a closure is called with a number of arguments that it does not take".to_owned())
            .hint("give it as many parameters as it is called with");
    }
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

fn wrong_count(function: &FunctionDoc, given: usize) -> Error {
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
