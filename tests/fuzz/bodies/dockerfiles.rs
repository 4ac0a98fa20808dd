//! Dockerfiles, the words in them, and ignore files.

use super::assert_kind;
use shanty::dockerfile::checks::{CheckInput, check};
use shanty::dockerfile::ignore::Ignore;
use shanty::dockerfile::{Expander, Kind, Span, parse, parse_trigger, wildcard};
use shanty::error::ErrorKind;

/// What is accepted has stages in order, lines that are in the file, and triggers that can be read; what is not is refused
/// at a line. All of it can be checked.
pub fn dockerfile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let file = match parse(text, "f") {
        Ok(file) => file,
        Err(error) => return assert_kind(&error, &[ErrorKind::Invalid]),
    };
    let lines = text.lines().count();
    let mut last = 0;
    let mut after = |span: Span| {
        assert!(last < span.first && span.first <= span.last && span.last <= lines, "{span:?} after {last} of {lines}");
        last = span.last;
    };
    file.args.iter().for_each(|instruction| after(instruction.span));
    assert!(!file.stages.is_empty());
    for stage in &file.stages {
        after(stage.span);
        for instruction in &stage.instructions {
            after(instruction.span);
            match &instruction.kind {
                // The escape character of another file is not known to it.
                Kind::OnBuild(trigger) if file.escape == '\\' => {
                    if let Err(error) = parse_trigger(trigger, '\\') {
                        assert_kind(&error, &[ErrorKind::Invalid]);
                    }
                }
                Kind::Copy(copy) | Kind::Add(copy) => assert!(!copy.sources.is_empty() || !copy.heredocs.is_empty()),
                _ => {}
            }
        }
    }
    let args = ["A".to_owned()];
    for warning in check(&file, &CheckInput { build_args: &args, ..CheckInput::default() }) {
        assert!(warning.span.first >= 1 && warning.span.last <= lines, "{warning:?}");
    }
}

/// A word, whose first line is the value of `A`: without `$`, quotes and backslashes it stays as it is; what becomes of it has
/// a limit.
pub fn expansion(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (value, raw) = text.split_once('\n').unwrap_or(("", text));
    let env = |name: &str| (name == "A").then(|| value.to_owned());
    let expander = Expander::new('\\');
    match expander.word(raw, &env) {
        Ok(expanded) => {
            assert!(expanded.text.len() <= 8 << 20);
            assert!(expanded.undefined.iter().all(|name| name != "A"));
            if !raw.contains(['$', '\'', '"', '\\']) {
                assert_eq!(expanded.text, raw);
            }
            let (words, _) = expander.words(raw, &env).unwrap();
            assert!(words.iter().all(|word| !word.is_empty()));
        }
        Err(error) => assert_kind(&error, &[ErrorKind::Invalid]),
    }
    match expander.heredoc(raw, &env) {
        Ok(expanded) if !raw.contains(['$', '\\']) => assert_eq!(expanded.text, raw),
        Ok(_) => {}
        Err(error) => assert_kind(&error, &[ErrorKind::Invalid]),
    }
}

/// An ignore file, whose last line is a path: a walk gives the same answer as a look, and finds all exceptions.
pub fn dockerignore(data: &[u8]) {
    let at = data.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (text, path) = data.split_at(at);
    let ignore = match Ignore::parse(text) {
        Ok(ignore) => ignore,
        Err(error) => return assert_kind(&error, &[ErrorKind::Invalid]),
    };
    let mut state = ignore.root();
    let ends = (1..=path.len()).filter(|end| *end == path.len() || path[*end] == b'/');
    for end in ends {
        let parent = state.clone();
        state = ignore.child(&parent, &path[..end]);
        assert_eq!(state.ignored, ignore.is_ignored(&path[..end]));
        assert_eq!(state.ignored, ignore.leaf_is_ignored(&parent, &path[..end]));
        if parent.ignored && !state.ignored {
            let folder = &path[..path[..end].iter().rposition(|byte| *byte == b'/').unwrap()];
            assert!(ignore.may_hold_exceptions(folder), "{:?}", String::from_utf8_lossy(folder));
        }
    }
    if let Err(error) = wildcard::matches(text.trim_ascii(), path) {
        assert_kind(&error, &[ErrorKind::Invalid]);
    }
}
