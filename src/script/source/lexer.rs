//! Rhai's own lexer over a whole text, with interpolated strings told apart from code.

use rhai::{Engine, Position, Token};

/// One token and where it starts.
pub struct Lexeme {
    /// The token; comments are included.
    pub token: Token,
    /// Line and column, both from 1, in characters.
    pub position: Position,
}

/// The tokens of a text, without the end of file. It ends early at what is no token.
pub fn lex(engine: &Engine, text: &str) -> Vec<Lexeme> {
    let inputs = [text];
    let (mut tokens, control) = engine.lex(inputs.iter());
    tokens.state.include_comments = true;
    let mut lexemes = Vec::new();
    // Open braces: `true` for the `{` of a `${`.
    let mut braces: Vec<bool> = Vec::new();
    let mut after_interpolation = false;
    for (token, position) in tokens {
        match &token {
            Token::EOF | Token::LexError(_) => break,
            // Behind an open `/*`, Rhai gives empty comments without end.
            Token::Comment(text) if text.is_empty() => break,
            Token::InterpolatedString(_) => after_interpolation = true,
            Token::LeftBrace | Token::MapStart => braces.push(std::mem::take(&mut after_interpolation)),
            // The lexer cannot know by itself that the text goes on here: Rhai's parser tells it so.
            Token::RightBrace if braces.pop() == Some(true) => control.borrow_mut().is_within_text = true,
            _ => {}
        }
        lexemes.push(Lexeme { token, position });
    }
    lexemes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_ends_too_early_ends() {
        let engine = Engine::new_raw();
        for (text, tokens) in [("1 /* open", 2), ("`a ${x", 3), ("x \"open", 1), ("/// doc", 1)] {
            assert_eq!(lex(&engine, text).len(), tokens, "{text}");
        }
    }

    #[test]
    fn text_after_an_interpolation_is_not_code() {
        let engine = Engine::new_raw();
        let text = "let a = `x ${ #{ b: 1 }.b } catch (e) { ${c}`; d";
        let identifiers: Vec<String> = lex(&engine, text)
            .into_iter()
            .filter_map(|lexeme| match lexeme.token {
                Token::Identifier(name) => Some(name.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(identifiers, ["a", "b", "b", "c", "d"]);
    }
}
