//! Gives Rhai's own errors a `kind` where they are caught.
//!
//! In `catch (e)`, Rhai's errors arrive as `#{ error, message, line, position }`, and nothing lets
//! an embedder change that map (the hook on missing properties also answers assignments). So the
//! first thing each `catch` block does is `e = __caught(e);`, inserted on the same line; positions
//! are moved back when errors are drawn.

use super::lex;
use rhai::{Engine, Position, Token};

/// Characters put into a line, before `column` of the author's text.
pub struct Insertion {
    line: usize,
    column: usize,
    length: usize,
}

/// The name of the function that the inserted call goes to.
pub const CAUGHT: &str = "__caught";

/// The text with the call in each `catch (name) {` block.
pub fn name_errors(engine: &Engine, text: &str) -> (String, Vec<Insertion>) {
    if !text.contains("catch") {
        return (text.to_owned(), Vec::new());
    }
    let lexemes: Vec<_> =
        lex(engine, text).into_iter().filter(|lexeme| !matches!(lexeme.token, Token::Comment(_))).collect();
    let mut insertions = Vec::new();
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let mut inserted_into_line = (0, 0);
    for window in lexemes.windows(5) {
        let [catch, open, name, close, brace] = window else { continue };
        let (Token::Catch, Token::LeftParen, Token::Identifier(name), Token::RightParen, Token::LeftBrace) =
            (&catch.token, &open.token, &name.token, &close.token, &brace.token)
        else {
            continue;
        };
        let (Some(line), Some(column)) = (brace.position.line(), brace.position.position()) else { continue };
        if inserted_into_line.0 != line {
            inserted_into_line = (line, 0);
        }
        let call = format!("{name}={CAUGHT}({name});");
        let target = &mut lines[line - 1];
        let at = target.char_indices().nth(column + inserted_into_line.1).map_or(target.len(), |(index, _)| index);
        target.insert_str(at, &call);
        let length = call.chars().count();
        inserted_into_line.1 += length;
        insertions.push(Insertion { line, column: column + 1, length });
    }
    (lines.join("\n"), insertions)
}

/// Where a position of the text with the calls is in the text without.
pub fn original(position: Position, insertions: &[Insertion]) -> Position {
    let (Some(line), Some(mut column)) = (position.line(), position.position()) else { return position };
    let mut before = 0;
    for insertion in insertions.iter().filter(|insertion| insertion.line == line) {
        if column >= insertion.column + before {
            before += insertion.length;
        }
    }
    column = column.saturating_sub(before).max(1);
    Position::new(u16::try_from(line).unwrap_or(u16::MAX), u16::try_from(column).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_after_an_inserted_call_are_moved_back() {
        let engine = Engine::new_raw();
        let text = "try { a() } catch (e) { b() } try { c() } catch(err) {\n d() }";
        let (compiled, insertions) = name_errors(&engine, text);
        assert_eq!(
            compiled,
            "try { a() } catch (e) {e=__caught(e); b() } try { c() } catch(err) {err=__caught(err);\n d() }"
        );
        for name in ["a()", "b()", "c()", "err)"] {
            let column = |text: &str| u16::try_from(text.find(name).unwrap() + 1).unwrap();
            let found = original(Position::new(1, column(&compiled)), &insertions);
            assert_eq!(found, Position::new(1, column(text)), "{name}");
        }
        assert_eq!(original(Position::new(2, 2), &insertions), Position::new(2, 2));
    }

    #[test]
    fn text_that_only_looks_like_it_is_left_alone() {
        let engine = Engine::new_raw();
        for text in ["`${a} catch (e) {`", "// catch (e) {", "\"catch (e) {\"", "try { } catch { }"] {
            assert_eq!(name_errors(&engine, text).0, text);
        }
    }
}
