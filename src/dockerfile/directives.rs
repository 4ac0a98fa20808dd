//! Directives: comments at the very top that change how a file is read.

use crate::error::{Error, Result};

/// What `# check=…` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckDirective {
    /// Rules that are not checked.
    pub skip: Vec<String>,
    /// `skip=all`.
    pub skip_all: bool,
    /// A warning is an error.
    pub error: bool,
    /// Rules on trial that are checked all the same.
    pub experimental: Vec<String>,
    /// `experimental=all`.
    pub experimental_all: bool,
}

impl CheckDirective {
    /// Whether a rule is checked. `on_trial`: only when it was asked for.
    pub fn wants(&self, rule: &str, on_trial: bool) -> bool {
        let named = |rules: &[String]| rules.iter().any(|named| named == rule);
        if on_trial && !self.experimental_all && !named(&self.experimental) {
            return false;
        }
        !self.skip_all && !named(&self.skip)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut check = Self::default();
        for option in text.split(';').map(str::trim).filter(|option| !option.is_empty()) {
            let wrong = || {
                Error::invalid(format!("`{option}` is no option of the directive `check`"))
                    .hint("write `# check=skip=JSONArgsRecommended,StageNameCasing;error=true`")
            };
            let (name, value) = option.split_once('=').ok_or_else(wrong)?;
            let value = value.trim();
            let rules = || value.split(',').map(|rule| rule.trim().to_owned()).collect();
            match name.trim() {
                "skip" if value == "all" => check.skip_all = true,
                "skip" => check.skip = rules(),
                "experimental" if value == "all" => check.experimental_all = true,
                "experimental" => check.experimental = rules(),
                "error" => check.error = truth(value).ok_or_else(wrong)?,
                _ => return Err(wrong()),
            }
        }
        Ok(check)
    }
}

/// What the directives of a file say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    /// The image of the frontend: `docker/dockerfile:1`.
    pub syntax: Option<String>,
    /// What continues lines and escapes characters.
    pub escape: char,
    /// `# check=…`.
    pub check: CheckDirective,
}

/// Reads the directives of a file without its byte order mark. An error comes with its line.
pub fn read(text: &str) -> Result<Directives, (usize, Error)> {
    let mut directives = Directives { syntax: None, escape: '\\', check: CheckDirective::default() };
    // BuildKit passes over `#!…` when it looks for `syntax` and `check`, but not when it looks for `escape`.
    let shebang = text.starts_with("#!");
    let mut seen: Vec<String> = Vec::new();
    for (at, line) in text.lines().enumerate().skip(usize::from(shebang)) {
        let Some((name, value)) = line.trim_start().strip_prefix('#').and_then(directive) else { break };
        let wrong = |error| (at + 1, error);
        if seen.contains(&name) {
            return Err(wrong(Error::invalid(format!("the directive `{name}` is given twice"))));
        }
        match name.as_str() {
            "syntax" => directives.syntax = value.split(' ').next().map(str::to_owned),
            "check" => directives.check = CheckDirective::parse(value).map_err(wrong)?,
            "escape" if shebang => {}
            "escape" => match value {
                "\\" => directives.escape = '\\',
                "`" => directives.escape = '`',
                _ => {
                    return Err(wrong(
                        Error::invalid(format!("`{value}` cannot be the escape character"))
                            .hint("it is a backslash or a backtick: write `# escape=\\`"),
                    ));
                }
            },
            _ => break,
        }
        seen.push(name);
    }
    if directives.syntax.is_none() {
        directives.syntax = foreign_syntax(text);
    }
    Ok(directives)
}

/// The frontend of a file that is no Dockerfile: `// syntax=…`, or JSON with the key `syntax`.
fn foreign_syntax(text: &str) -> Option<String> {
    for line in text.lines() {
        let Some((name, value)) = line.strip_prefix("//").and_then(directive) else { break };
        if name == "syntax" {
            return value.split(' ').next().map(str::to_owned);
        }
    }
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    json.get("syntax")?.as_str().map(str::to_owned)
}

/// `name = value`, the name in lower case.
fn directive(text: &str) -> Option<(String, &str)> {
    let (name, value) = text.trim().split_once('=')?;
    let (name, value) = (name.trim_end(), value.trim_start());
    let is_name = name.starts_with(|char: char| char.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_name && !value.is_empty()).then(|| (name.to_ascii_lowercase(), value))
}

/// As Go's `strconv.ParseBool`.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_at_the_top() {
        for (text, syntax, escape) in [
            ("# syntax=docker/dockerfile:1\n# escape=`\nFROM x", Some("docker/dockerfile:1"), '`'),
            ("#SyNtAx = a b\r\n", Some("a"), '\\'),
            ("# escape = ` \n# syntax=a", Some("a"), '`'),
            ("\n# syntax=a", None, '\\'),
            ("# a comment\n# syntax=a", None, '\\'),
            ("# other=1\n# escape=`", None, '\\'),
            ("#!/usr/bin/env x\n# syntax=a\n# escape=`", Some("a"), '\\'),
            ("// syntax=a\n", Some("a"), '\\'),
            ("// x=a\n// syntax=b\n", Some("b"), '\\'),
            ("{\"syntax\": \"a\"}", Some("a"), '\\'),
        ] {
            let read = read(text).unwrap();
            assert_eq!((read.syntax.as_deref(), read.escape), (syntax, escape), "{text}");
        }
        for (text, line) in [
            ("# escape=x", 1),
            ("# escape=\\\n#escape=\\", 2),
            ("#syntax=a\n# SYNTAX=b", 2),
            ("# check=skip", 1),
            ("# check=what=1", 1),
            ("# check=error=maybe", 1),
        ] {
            assert_eq!(read(text).unwrap_err().0, line, "{text}");
        }
    }

    #[test]
    fn checks_are_chosen_by_a_directive() {
        let check = |text: &str| read(text).unwrap().check;
        let some = check("# check=skip=A, B;error=true");
        assert!(some.error && !some.wants("A", false) && !some.wants("B", false) && some.wants("C", false));
        assert!(!some.wants("C", true));
        assert!(!check("# check=skip=all").wants("A", false));
        assert!(check("# check=experimental=all").wants("A", true));
        assert!(check("# check=experimental=A").wants("A", true));
        assert!(!check("# check=skip=A;experimental=all").wants("A", true));
    }
}
