//! What instructions look like, one by one.

use super::Found;
use crate::dockerfile::Stage;
use crate::dockerfile::instruction::{Form, Kind, Span};

pub fn check(stage: &Stage, found: &mut Found) {
    let mut has_shell = false;
    // Where CMD, ENTRYPOINT and HEALTHCHECK were last.
    let mut before: [Option<Span>; 3] = [None; 3];
    for instruction in &stage.instructions {
        let span = instruction.span;
        let keyword = instruction.keyword.to_uppercase();
        if instruction.legacy_pairs {
            let message = format!("`{keyword} NAME value` is the old form");
            found.add("LegacyKeyValueFormat", span, message, format!("write `{keyword} NAME=value`"));
        }
        let once = match &instruction.kind {
            Kind::Cmd(_) => Some(0),
            Kind::Entrypoint(_) => Some(1),
            Kind::Healthcheck(_) => Some(2),
            _ => None,
        };
        if let Some(earlier) = once.and_then(|index| before[index].replace(span)) {
            let message = format!("a later {keyword} of the stage takes the place of this one");
            found.add("MultipleInstructionsDisallowed", earlier, message, format!("keep one {keyword}"));
        }
        match &instruction.kind {
            Kind::Shell(_) => has_shell = true,
            Kind::Maintainer(name) => {
                let hint = format!("write `LABEL org.opencontainers.image.authors=\"{name}\"`");
                found.add("MaintainerDeprecated", span, "MAINTAINER is the old form of a label".to_owned(), hint);
            }
            // Who sets a shell wants it.
            Kind::Cmd(Form::Shell(line)) | Kind::Entrypoint(Form::Shell(line)) if !has_shell => {
                let words: Vec<_> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
                let message = format!("a shell is between {keyword} and its program, which gets no signals");
                let hint = format!("write `{keyword} [{}]`", words.join(", "));
                // What only a shell can do has no such form.
                let hint = (!line.contains(['$', '&', '|', ';', '<', '>', '`', '"', '\'', '*', '\\'])).then_some(hint);
                found.add("JSONArgsRecommended", span, message, hint);
            }
            Kind::Arg(arguments) => secrets("ARG", arguments.iter().map(|(name, _)| name.as_str()), span, found),
            Kind::Env(pairs) => secrets("ENV", pairs.iter().map(|(name, _)| name.as_str()), span, found),
            _ => {}
        }
        if let Kind::Arg(arguments) = &instruction.kind {
            let names: Vec<_> = arguments.iter().map(|(name, _)| name.as_str()).collect();
            found.description("argument", &names, &instruction.comments, span);
        }
    }
}

/// Words of a name that say that it is a secret, and those that say that it is none.
const SECRET: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];
const NO_SECRET: [&str; 3] = ["public", "file", "version"];

/// Names of secrets: what an image keeps is no place for them.
pub fn secrets<'a>(keyword: &str, names: impl Iterator<Item = &'a str>, span: Span, found: &mut Found) {
    for name in names {
        let lower = name.to_lowercase();
        let has = |words: &[&str]| lower.split('_').any(|word| words.contains(&word));
        if has(&SECRET) && !has(&NO_SECRET) {
            let message = format!("`{name}` looks like a secret, and {keyword} stays in the image");
            let hint = "give it to the command alone: `RUN --mount=type=secret,id=NAME …`".to_owned();
            found.add("SecretsUsedInArgOrEnv", span, message, hint);
        }
    }
}
