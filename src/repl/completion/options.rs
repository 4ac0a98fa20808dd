//! Option keys inside `f(#{`.

use super::receiver::function_of;
use super::{Candidate, Known};
use crate::script::binding::OptionDoc;
use rhai::Token;

/// The keys that can come next, when the cursor is where a key of an option map is expected.
pub fn keys(tokens: &[Token], known: &Known) -> Option<Vec<Candidate>> {
    let map = open_brackets(tokens).pop().filter(|open| tokens[*open] == Token::MapStart)?;
    if !matches!(tokens.last(), Some(Token::MapStart | Token::Comma)) {
        return None; // a value, not a key
    }
    let given = given_keys(&tokens[map + 1..]);
    let options = options_of(&tokens[..map], known)?;
    let left = options
        .into_iter()
        .filter(|option| !given.contains(&option.name) && !option.aliases.iter().any(|alias| given.contains(alias)));
    Some(left.map(|option| Candidate { text: format!("{}: ", option.name), shown: shown(&option) }).collect())
}

/// The options of the call that a map is an argument of, or of the key that it is the value of.
fn options_of(before: &[Token], known: &Known) -> Option<Vec<OptionDoc>> {
    let open = open_brackets(before).pop()?;
    match (&before[open], before) {
        (Token::LeftParen, _) => {
            let function = function_of(&before[..open], known)?;
            Some(function.parameters.iter().flat_map(|parameter| (parameter.options)()).collect())
        }
        (Token::MapStart, [.., Token::Identifier(key), Token::Colon]) => {
            let outer = options_of(&before[..open], known)?;
            let option = outer.into_iter().find(|it| it.name == key.as_str() || it.aliases.contains(&key.as_str()))?;
            Some((option.options)())
        }
        _ => None,
    }
}

/// Indexes of the brackets that are still open, the innermost last.
fn open_brackets(tokens: &[Token]) -> Vec<usize> {
    let mut open = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::LeftParen | Token::LeftBracket | Token::LeftBrace | Token::MapStart | Token::QuestionBracket => {
                open.push(index);
            }
            Token::RightParen | Token::RightBracket | Token::RightBrace => drop(open.pop()),
            _ => {}
        }
    }
    open
}

/// The keys of the map itself, not of maps inside it.
fn given_keys(inside: &[Token]) -> Vec<&str> {
    let mut keys = Vec::new();
    for (index, pair) in inside.windows(2).enumerate() {
        if let [Token::Identifier(key), Token::Colon] = pair
            && open_brackets(&inside[..index]).is_empty()
        {
            keys.push(key.as_str());
        }
    }
    keys
}

fn shown(option: &OptionDoc) -> String {
    format!("{}: {}", option.name, (option.type_name)())
}
