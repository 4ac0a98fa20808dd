//! Heredocs: `<<NAME` in a line, and the lines that follow up to one that is `NAME`.

use super::expand::{Options, lex};
use super::instruction::Heredoc;
use crate::error::{Error, Result};

/// Heredocs of one line; nobody writes more.
const MOST: usize = 100;

/// The heredocs that a line announces, without their content.
pub fn announced(line: &str) -> Result<Vec<Heredoc>> {
    if !line.contains("<<") {
        return Ok(Vec::new());
    }
    let raw = Options { raw_quotes: true, raw_escapes: true, keep_unset: true, ..Options::new('\\') };
    // A line that is no list of words, such as one with a single quote, has none (`heredocsFromLine` of BuildKit).
    let words = lex(line, raw, &|_| None).map(|expanded| expanded.words).unwrap_or_default();
    let mut heredocs = Vec::new();
    for word in words {
        heredocs.extend(of_word(&word)?);
    }
    if heredocs.len() > MOST {
        return Err(Error::invalid(format!("the line has more than {MOST} heredocs")));
    }
    Ok(heredocs)
}

/// Whether a command is one heredoc and nothing else.
pub fn is_heredoc(command: &str) -> bool {
    !command.trim().contains(char::is_whitespace) && matches!(of_word(command.trim()), Ok(Some(_)))
}

/// The heredoc that a word announces.
///
/// # Errors
/// It would be one, but a quote is not closed.
pub fn of_word(word: &str) -> Result<Option<Heredoc>> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = word.split_at(digits);
    let Some(rest) = rest.strip_prefix("<<") else { return Ok(None) };
    let (chomp, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    let plain = Options { keep_unset: true, ..Options::new('\\') };
    let [name] = &lex(rest, plain, &|_| None)?.words[..] else { return Ok(None) };
    let with_quotes = lex(rest, Options { raw_quotes: true, ..plain }, &|_| None)?.words.concat();
    let quotes = |text: &str| text.chars().filter(|char| matches!(char, '\'' | '"')).count();
    Ok(Some(Heredoc {
        name: name.clone(),
        content: String::new(),
        // A quote around any part of the word says that nothing is replaced.
        expand: quotes(name) == quotes(&with_quotes),
        chomp,
        descriptor: number.parse().unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_announces_a_heredoc() {
        let shown = |heredoc: Heredoc| (heredoc.name, heredoc.expand, heredoc.chomp, heredoc.descriptor);
        for (word, name, expand, chomp, descriptor) in [
            ("<<EOF", "EOF", true, false, 0),
            ("<<'EOF'", "EOF", false, false, 0),
            ("<<\"EOF\"", "EOF", false, false, 0),
            ("<<-EOF", "EOF", true, true, 0),
            ("<<-'EOF'", "EOF", false, true, 0),
            ("<<E'O'F", "EOF", false, false, 0),
            ("<<EO\\'F", "EO'F", true, false, 0),
            ("<<\"one two\"", "one two", false, false, 0),
            ("<<file.txt", "file.txt", true, false, 0),
            ("<<$EOF", "$EOF", true, false, 0),
            ("3<<EOF", "EOF", true, false, 3),
        ] {
            let expected = (name.to_owned(), expand, chomp, descriptor);
            assert_eq!(of_word(word).unwrap().map(shown), Some(expected), "{word}");
        }
        for word in ["EOF", "<<", "<<-", "<EOF", "<<<EOF", "x<<EOF"] {
            assert_eq!(of_word(word).unwrap(), None, "{word}");
        }
        for word in ["<<'EOF", "<<\"EOF", "<<EOF'", "<<EOF\""] {
            assert!(of_word(word).is_err(), "{word}");
        }
    }

    #[test]
    fn a_line_announces_heredocs() {
        for (line, names) in [
            ("RUN <<EOF", &["EOF"][..]),
            ("RUN <<-EOF", &["EOF"]),
            ("RUN <<-'EOF'", &["EOF"]),
            ("RUN <<EOF <<EOF2", &["EOF", "EOF2"]),
            ("RUN --mount=type=cache,target=/c <<EOF", &["EOF"]),
            ("RUN cat <<X 3<<Y | sh", &["X", "Y"]),
            ("RUN echo 1<<2<<3", &[]),
            ("RUN <<- EOF", &[]),
            ("RUN echo \"<<EOF\"", &[]),
            ("RUN echo it's <<EOF", &[]),
        ] {
            let found: Vec<_> = announced(line).unwrap().into_iter().map(|heredoc| heredoc.name).collect();
            assert_eq!(found, names, "{line}");
        }
    }
}
