//! Rust source as the architecture tests read it: where it stands, and its text without comments and strings.

use std::fs;
use std::path::{Path, PathBuf};

/// One file below `src/`.
pub struct Source {
    /// Relative to the checkout, such as `src/store/blob.rs`.
    pub path: String,
    /// Modules from the crate's root, such as `["store", "blob"]`; empty for `main.rs` and `lib.rs`.
    pub module: Vec<String>,
    /// As it stands in the file.
    pub text: String,
    /// With blanks in place of comments and of the content of strings.
    pub code: String,
}

/// All files below `src/`.
pub fn sources() -> Vec<Source> {
    let files = files_below("src", "rs");
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(checkout().join(&path)).unwrap();
            Source { module: module_of(&path), code: code_only(&text), path, text }
        })
        .collect()
}

/// Paths relative to the checkout, sorted.
pub fn files_below(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![checkout().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path.strip_prefix(checkout()).unwrap().to_str().unwrap().to_string());
            }
        }
    }
    found.sort();
    found
}

pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

impl Source {
    /// The top-level modules of this crate that the file names, with the line: `crate::x`, `crate::{x, y::z}`, and
    /// `super::…` as far as it climbs to the crate's root.
    pub fn imports(&self) -> Vec<(usize, String)> {
        let words = words(&self.code);
        let mut found = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let start = at;
            let climbs = match words[at].1 {
                "crate" => {
                    at += 1;
                    true
                }
                "super" => {
                    let mut levels = 0;
                    while words.get(at).is_some_and(|word| word.1 == "super") {
                        levels += 1;
                        at += if words.get(at + 1).is_some_and(|word| word.1 == "::") { 2 } else { 1 };
                    }
                    at -= 1; // back to the `::` before the name
                    levels >= self.module.len() + usize::from(self.is_in_tests(words[start].0))
                }
                _ => {
                    at += 1;
                    continue;
                }
            };
            if !climbs || words.get(at).is_none_or(|word| word.1 != "::") {
                at = at.max(start + 1);
                continue;
            }
            found.extend(heads(&words[at + 1..]).into_iter().map(|(line, name)| (line, name.to_string())));
        }
        found
    }

    /// Whether a line is in the unit tests, which stand last in a file, in a module of their own.
    fn is_in_tests(&self, line: usize) -> bool {
        self.text.lines().take(line).any(|line| line.trim() == "#[cfg(test)]")
    }
}

/// The first names of a path or of a group of paths: `a::b` gives `a`, `{a::{b, c}, d}` gives `a` and `d`.
fn heads<'a>(words: &[(usize, &'a str)]) -> Vec<(usize, &'a str)> {
    if words.first().is_none_or(|word| word.1 != "{") {
        return words.first().copied().into_iter().collect();
    }
    let (mut depth, mut expected, mut found) = (0, false, Vec::new());
    for &(line, word) in words {
        match word {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && expected => found.push((line, word)),
            _ => {}
        }
        expected = depth == 1 && matches!(word, "{" | ",");
        if depth == 0 {
            break;
        }
    }
    found
}

/// Identifiers, `::`, and single characters, with their line numbers from 1.
fn words(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if rest.starts_with("::") {
                2
            } else {
                let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                word.max(first.len_utf8())
            };
            found.push((number + 1, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    found
}

fn module_of(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Vec<String> = inner.split('/').map(String::from).collect();
    if module.last().is_some_and(|last| last == "mod") || inner == "main" || inner == "lib" {
        module.pop();
    }
    module
}

/// Blanks out comments, strings and character literals; lines stay where they are.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("r\"") || rest.starts_with("r#") {
            raw_string(rest)
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            // A whole identifier at once, so that the `r` of `for"` does not begin a raw string.
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = word.max(first.len_utf8());
            code.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            code.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    code
}

/// The length of `r#"…"#`, or 0 for a raw identifier.
fn raw_string(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    if !rest[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = 2 + hashes;
    rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character literal, or 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => quoted(rest, '\''),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[test]
fn imports_are_found_in_every_form() {
    let text = r##"
        use crate::store::Blob;
        use crate::{error::{Error, Result}, model::{self, Id}};
        use super::super::sys;
        use super::sibling;
        fn f<'a>(x: &'a str) -> char { crate::context::now(); "crate::string"; r#"crate::raw"#; '"' } // crate::comment
        #[cfg(test)]
        mod tests { use super::super::super::image; use super::super::network; }
    "##;
    let source = Source {
        path: "src/archive/tar.rs".into(),
        module: vec!["archive".into(), "tar".into()],
        text: text.into(),
        code: code_only(text),
    };
    let names: Vec<_> = source.imports().into_iter().map(|(line, name)| format!("{line} {name}")).collect();
    assert_eq!(names, ["2 store", "3 error", "3 model", "4 sys", "6 context", "8 image"]);
}
