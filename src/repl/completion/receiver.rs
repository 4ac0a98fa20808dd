//! The type of what stands before a dot: a variable's value at run time, then declared results.

use super::Known;
use crate::script::binding::{FunctionDoc, functions};
use rhai::Token;

/// One step of `a::b(…).c[0].d`, from the left.
struct Step<'a> {
    name: &'a str,
    module: Option<&'a str>,
    is_call: bool,
    indexes: usize,
}

/// The name of the type of the expression that `tokens` end with, where it can be told.
pub fn type_of(tokens: &[Token], known: &Known) -> Option<String> {
    if let Some(literal) = literal(tokens) {
        return Some(literal.to_owned());
    }
    let steps = steps(tokens)?;
    let (first, rest) = steps.split_first()?;
    let mut type_name = if first.is_call {
        let function = functions().iter().find(|function| {
            function.receiver.is_none() && function.name == first.name && function.module == first.module
        })?;
        indexed((function.returns)(), first.indexes)?
    } else {
        indexed(known.variable_type(first.name)?.to_owned(), first.indexes)?
    };
    for step in rest {
        type_name = indexed((member(&type_name, step.name, step.is_call)?.returns)(), step.indexes)?;
    }
    Some(plain(&type_name))
}

/// The function, property or method that a call's tokens name, up to its `(`.
pub fn function_of(tokens: &[Token], known: &Known) -> Option<&'static FunctionDoc> {
    let (last, before) = tokens.split_last()?;
    let Token::Identifier(name) = last else { return None };
    match before {
        [receiver @ .., Token::Period | Token::Elvis] => member(&type_of(receiver, known)?, name, true),
        [.., Token::Identifier(module), Token::DoubleColon] => {
            functions().iter().copied().find(|it| it.module == Some(module.as_str()) && it.name == name.as_str())
        }
        _ => functions()
            .iter()
            .copied()
            .find(|it| it.receiver.is_none() && it.module.is_none() && it.name == name.as_str()),
    }
}

fn member(type_name: &str, name: &str, is_call: bool) -> Option<&'static FunctionDoc> {
    let type_name = plain(type_name);
    functions().iter().copied().find(|function| {
        function.name == name
            && function.is_property() != is_call
            && function.receiver.as_ref().is_some_and(|receiver| (receiver.type_name)() == type_name)
    })
}

fn literal(tokens: &[Token]) -> Option<&'static str> {
    match tokens.last()? {
        Token::StringConstant(_) => Some("string"),
        _ => None,
    }
}

/// A type without the mark of what may be missing; arrays of anything have the same methods.
fn plain(type_name: &str) -> String {
    let type_name = type_name.trim_end_matches('?');
    if type_name.starts_with('[') {
        "array".to_owned()
    } else if type_name.starts_with("#{") {
        "map".to_owned()
    } else {
        type_name.to_owned()
    }
}

/// The type of an item, `indexes` levels deep.
fn indexed(type_name: String, indexes: usize) -> Option<String> {
    let mut type_name = type_name;
    for _ in 0..indexes {
        let inner = type_name.trim_end_matches('?').strip_prefix('[')?.strip_suffix(']')?.to_owned();
        type_name = inner;
    }
    Some(type_name)
}

/// Walks back over `name`, `name(…)` and `name(…)[…]` separated by dots.
fn steps(tokens: &[Token]) -> Option<Vec<Step<'_>>> {
    let mut steps = Vec::new();
    let mut end = tokens.len();
    loop {
        let mut indexes = 0;
        while end > 0 && tokens[end - 1] == Token::RightBracket {
            end = opening(tokens, end)?;
            indexes += 1;
        }
        // `()` is one token when nothing stands in it.
        let is_call = match tokens.get(end.checked_sub(1)?)? {
            Token::Unit => {
                end -= 1;
                true
            }
            Token::RightParen => {
                end = opening(tokens, end)?;
                true
            }
            _ => false,
        };
        let name = match tokens.get(end.checked_sub(1)?)? {
            Token::Identifier(name) => name.as_str(),
            Token::Underscore => "_",
            _ => return None,
        };
        end -= 1;
        let module = match &tokens[..end] {
            [.., Token::Identifier(module), Token::DoubleColon] => Some(module.as_str()),
            _ => None,
        };
        steps.push(Step { name, module, is_call, indexes });
        match tokens[..end].last() {
            Some(Token::Period | Token::Elvis) => end -= 1,
            _ => break,
        }
    }
    steps.reverse();
    Some(steps)
}

/// Where the bracket that closes just before `end` was opened.
fn opening(tokens: &[Token], end: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (index, token) in tokens[..end].iter().enumerate().rev() {
        match token {
            Token::RightParen | Token::RightBracket | Token::RightBrace => depth += 1,
            Token::LeftParen | Token::LeftBracket | Token::LeftBrace | Token::MapStart | Token::QuestionBracket => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}
