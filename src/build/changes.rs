//! Lines of a Dockerfile that change how containers run: what `commit` takes as `changes`.

use crate::error::{Error, Result};
use crate::model::{BuildStep, HealthcheckSpec, UserSpec, duration, signal};

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Steps that a builder has too.
    Steps(Vec<BuildStep>),
    /// For images that are made from this one.
    OnBuild(String),
}

/// Reads a line. `variable` gives the values of `$NAME`, where Docker replaces them.
///
/// # Errors
/// `invalid` when it is no such line.
pub fn parse(line: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Change> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let refused = |why: &str| {
        Error::invalid(format!("`{line}` cannot be used as a change: {why}"))
            .hint("write it as in a Dockerfile: `CMD [\"node\", \"app.js\"]`, `ENV KEY=value`")
    };
    if rest.is_empty() {
        return Err(refused("nothing follows its first word"));
    }
    let words = || words(rest, variable).map_err(&refused);
    let one = || match &words()?[..] {
        [word] => Ok(word.clone()),
        _ => Err(refused("it takes one word")),
    };
    let pairs = || pairs(&words()?, rest).ok_or_else(|| refused("write it as `NAME=value`"));
    let steps = match word.to_ascii_uppercase().as_str() {
        "CMD" => vec![BuildStep::Cmd(command(rest))],
        "ENTRYPOINT" => vec![BuildStep::Entrypoint(command(rest))],
        "ENV" => pairs()?.into_iter().map(|(name, value)| BuildStep::Env(name, value)).collect(),
        "LABEL" => vec![BuildStep::Labels(pairs()?.into_iter().collect())],
        "EXPOSE" => words()?.into_iter().map(BuildStep::Expose).collect(),
        "VOLUME" => {
            let paths = json(rest).map_or_else(words, Ok)?;
            paths.into_iter().map(BuildStep::Volume).collect()
        }
        "USER" => {
            let user = one()?;
            user.parse::<UserSpec>()?;
            vec![BuildStep::User(user)]
        }
        "WORKDIR" => vec![BuildStep::Workdir(one()?)],
        "STOPSIGNAL" => {
            let name = one()?;
            signal::number(&name)?;
            vec![BuildStep::StopSignal(name)]
        }
        "HEALTHCHECK" => vec![BuildStep::Healthcheck(healthcheck(rest).map_err(|why| refused(&why))?)],
        "ONBUILD" => {
            let trigger = rest.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
            if matches!(trigger.as_str(), "ONBUILD" | "FROM" | "MAINTAINER") {
                return Err(refused(&format!("`{trigger}` cannot be a trigger")));
            }
            return Ok(Change::OnBuild(rest.to_owned()));
        }
        _ => {
            return Err(refused(&format!(
                "`{word}` is none of CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD \
                 STOPSIGNAL USER VOLUME WORKDIR"
            )));
        }
    };
    Ok(Change::Steps(steps))
}

/// A command: a JSON array is one, everything else is a line for the shell.
fn command(text: &str) -> Vec<String> {
    json(text).unwrap_or_else(|| ["/bin/sh", "-c", text].map(str::to_owned).to_vec())
}

fn json(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// `A=1 B=2`, or the old form `A the rest`.
fn pairs(words: &[String], rest: &str) -> Option<Vec<(String, String)>> {
    let split = |word: &String| word.split_once('=').filter(|(name, _)| !name.is_empty()).map(owned);
    if words.first()?.contains('=') {
        return words.iter().map(split).collect();
    }
    let (name, value) = rest.split_once(char::is_whitespace)?;
    Some(vec![(name.to_owned(), value.trim().to_owned())])
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn healthcheck(text: &str) -> Result<HealthcheckSpec, String> {
    let mut check = HealthcheckSpec::default();
    let mut rest = text;
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) = option.split_once(char::is_whitespace).ok_or("a check has to follow its options")?;
        rest = after.trim_start();
        let (name, value) = option.split_once('=').ok_or_else(|| format!("`--{option}` has no value"))?;
        let time = || duration::parse(value).map(Some).map_err(|error| error.message());
        match name {
            "interval" => check.interval = time()?,
            "timeout" => check.timeout = time()?,
            "start-period" => check.start_period = time()?,
            "start-interval" => check.start_interval = time()?,
            "retries" => check.retries = Some(value.parse().map_err(|_| format!("`{value}` is no number"))?),
            _ => return Err(format!("there is no option `--{name}`")),
        }
    }
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let rest = rest.trim();
    check.test = match (word.to_ascii_uppercase().as_str(), json(rest)) {
        ("NONE", _) if rest.is_empty() => vec!["NONE".to_owned()],
        ("CMD", Some(argv)) if !argv.is_empty() => [vec!["CMD".to_owned()], argv].concat(),
        ("CMD", None) if !rest.is_empty() => vec!["CMD-SHELL".to_owned(), rest.to_owned()],
        _ => return Err("a check is `CMD command` or `NONE`".to_owned()),
    };
    Ok(check)
}

/// Splits as a Dockerfile does: quotes and `\` keep spaces, `$NAME` and `${NAME}` are replaced but in single quotes.
fn words(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            _ if quote == Some(char) => quote = None,
            '\'' | '"' if quote.is_none() => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            '\\' if quote != Some('\'') => word.get_or_insert_default().extend(chars.next()),
            '$' if quote != Some('\'') => {
                let braces = chars.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(char) = chars.next_if(|char| char.is_ascii_alphanumeric() || *char == '_') {
                    name.push(char);
                }
                if braces && chars.next() != Some('}') {
                    return Err("only `$NAME` and `${NAME}` are replaced");
                }
                let value = if name.is_empty() { "$".to_owned() } else { variable(&name).unwrap_or_default() };
                word.get_or_insert_default().push_str(&value);
            }
            char if char.is_whitespace() && quote.is_none() => words.extend(word.take()),
            char => word.get_or_insert_default().push(char),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::time::Duration;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lines_are_read_as_in_a_dockerfile() {
        let env = |name: &str, value: &str| BuildStep::Env(name.to_owned(), value.to_owned());
        for (line, expected) in [
            (r#"CMD ["a", "b c"]"#, vec![BuildStep::Cmd(strings(&["a", "b c"]))]),
            ("cmd a  'b'", vec![BuildStep::Cmd(strings(&["/bin/sh", "-c", "a  'b'"]))]),
            ("ENTRYPOINT []", vec![BuildStep::Entrypoint(vec![])]),
            (
                r#"ENV A=1 B="2 3" C=x\ y D='$HOME' E=$HOME/${HOME}"#,
                vec![env("A", "1"), env("B", "2 3"), env("C", "x y"), env("D", "$HOME"), env("E", "/root//root")],
            ),
            ("ENV A the rest", vec![env("A", "the rest")]),
            ("EXPOSE 80 53/udp", vec![BuildStep::Expose("80".into()), BuildStep::Expose("53/udp".into())]),
            (r#"LABEL a.b="c d""#, vec![BuildStep::Labels([("a.b".to_owned(), "c d".to_owned())].into())]),
            (r#"VOLUME ["/a", "/b"]"#, vec![BuildStep::Volume("/a".into()), BuildStep::Volume("/b".into())]),
            ("VOLUME /a /b", vec![BuildStep::Volume("/a".into()), BuildStep::Volume("/b".into())]),
            ("USER node", vec![BuildStep::User("node".into())]),
            ("WORKDIR $HOME/x", vec![BuildStep::Workdir("/root/x".into())]),
            ("STOPSIGNAL USR1", vec![BuildStep::StopSignal("USR1".into())]),
            (
                "HEALTHCHECK --interval=5s --retries=2 CMD curl x",
                vec![BuildStep::Healthcheck(HealthcheckSpec {
                    test: strings(&["CMD-SHELL", "curl x"]),
                    interval: Some(Duration::from_secs(5)),
                    retries: Some(2),
                    ..HealthcheckSpec::default()
                })],
            ),
            (
                r#"HEALTHCHECK CMD ["a"]"#,
                vec![BuildStep::Healthcheck(HealthcheckSpec {
                    test: strings(&["CMD", "a"]),
                    ..HealthcheckSpec::default()
                })],
            ),
            (
                "HEALTHCHECK NONE",
                vec![BuildStep::Healthcheck(HealthcheckSpec {
                    test: strings(&["NONE"]),
                    ..HealthcheckSpec::default()
                })],
            ),
        ] {
            let home = |name: &str| (name == "HOME").then(|| "/root".to_owned());
            assert_eq!(parse(line, &home).unwrap(), Change::Steps(expected), "{line}");
        }
        let trigger = parse("ONBUILD RUN make", &|_| None).unwrap();
        assert_eq!(trigger, Change::OnBuild("RUN make".to_owned()));
    }

    #[test]
    fn other_lines_are_refused() {
        for line in [
            "",
            "CMD",
            "RUN x",
            "FROM x",
            "ENV =x",
            "ENV A=1 B",
            "ENV A='1",
            "ENV A=${B:-x}",
            "USER a b",
            "STOPSIGNAL NOPE",
            "HEALTHCHECK --interval=x CMD y",
            "HEALTHCHECK --no=1 CMD y",
            "HEALTHCHECK y",
            "ONBUILD FROM x",
        ] {
            assert!(parse(line, &|_| None).unwrap_err().is(ErrorKind::Invalid), "{line}");
        }
    }
}
