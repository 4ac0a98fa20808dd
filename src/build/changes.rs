//! Lines of a Dockerfile that change how containers run: what `commit` takes as `changes`.

use crate::dockerfile::{Expander, Form, Kind, parse_instruction};
use crate::error::{Error, Result};
use crate::model::{BuildStep, UserSpec, signal};

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Steps that a builder has too.
    Steps(Vec<BuildStep>),
    /// For images that are made from this one.
    OnBuild(String),
}

/// What escapes characters: a line by itself has no directives.
const ESCAPE: char = '\\';

/// Reads a line. `variable` gives the values of `$NAME`, where Docker replaces them.
///
/// # Errors
/// `invalid` when it is no such line.
pub fn parse(line: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Change> {
    read(line, variable).map_err(|error| {
        let hint =
            error.hint_text().unwrap_or("write it as in a Dockerfile: `CMD [\"node\", \"app.js\"]`, `ENV KEY=value`");
        let hint = hint.to_owned();
        error.context(format!("`{}` cannot be used as a change", line.trim())).hint(hint)
    })
}

fn read(line: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Change> {
    let expander = Expander::new(ESCAPE);
    let word = |raw: &String| expander.word(raw, variable).map(|word| word.text);
    let words = |raws: &[String]| raws.iter().map(word).collect::<Result<Vec<_>>>();
    let pairs = |raws: &[(String, String)]| {
        raws.iter().map(|(name, value)| Ok((word(name)?, word(value)?))).collect::<Result<Vec<_>>>()
    };
    let instruction = parse_instruction(line.trim(), ESCAPE)?;
    let steps = match instruction.kind {
        Kind::Cmd(form) => vec![BuildStep::Cmd(command(form))],
        Kind::Entrypoint(form) => vec![BuildStep::Entrypoint(command(form))],
        Kind::Env(raws) => pairs(&raws)?.into_iter().map(|(name, value)| BuildStep::Env(name, value)).collect(),
        Kind::Label(raws) => vec![BuildStep::Labels(pairs(&raws)?.into_iter().collect())],
        Kind::Expose(raws) => words(&raws)?.into_iter().map(BuildStep::Expose).collect(),
        Kind::Volume(raws) => words(&raws)?.into_iter().map(BuildStep::Volume).collect(),
        Kind::User(raw) => {
            let user = word(&raw)?;
            user.parse::<UserSpec>()?;
            vec![BuildStep::User(user)]
        }
        Kind::Workdir(raw) => vec![BuildStep::Workdir(word(&raw)?)],
        Kind::StopSignal(raw) => {
            let name = word(&raw)?;
            signal::number(&name)?;
            vec![BuildStep::StopSignal(name)]
        }
        Kind::Healthcheck(check) => vec![BuildStep::Healthcheck(check)],
        Kind::OnBuild(trigger) => return Ok(Change::OnBuild(trigger)),
        _ => {
            return Err(Error::invalid(format!(
                "`{}` is none of CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR",
                instruction.keyword
            )));
        }
    };
    Ok(Change::Steps(steps))
}

/// A line is for the shell.
fn command(form: Form) -> Vec<String> {
    match form {
        Form::Exec(argv) => argv,
        Form::Shell(line) => ["/bin/sh", "-c", &line].map(str::to_owned).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::model::HealthcheckSpec;
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
            ("ENV A=${B:-x}", vec![env("A", "x")]),
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
            "ENV A=${B:?x}",
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
