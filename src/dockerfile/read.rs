//! One line as an instruction.

use super::flags::Flags;
use super::instruction::{Copy, Form, Instruction, Kind, Run};
use super::lines::Line;
use super::nearest::nearest;
use super::words::{json, json_or_fields, words};
use super::{heredoc, key_values, mount};
use crate::error::{Error, Result};
use crate::model::{HealthcheckSpec, duration};
use std::time::Duration;

const NAMES: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Reads any instruction but `FROM`.
pub fn read(line: &Line, escape: char) -> Result<Instruction> {
    let name = line.name();
    let (mut flags, rest) = Flags::split(&line.arguments);
    let needs = |what: &str| Error::invalid(format!("{name} needs {what}"));
    let one = |what: &str| if rest.is_empty() { Err(needs(what)) } else { Ok(rest.clone()) };
    let mut legacy_pairs = false;
    let mut pairs = || -> Result<_> {
        let (pairs, legacy) = key_values::read(&name, &rest, escape)?;
        legacy_pairs = legacy;
        Ok(pairs)
    };
    let mut known: &[&str] = &[];
    let kind = match name.as_str() {
        "RUN" => {
            known = &["mount", "network", "security", "device"];
            Kind::Run(run(&mut flags, &rest, line)?)
        }
        "COPY" => {
            known = &["from", "chown", "chmod", "link", "parents", "exclude"];
            let copy = Copy { from: flags.text("from")?, parents: truth(&mut flags, "parents")?, ..Copy::default() };
            Kind::Copy(sources(copy, &name, &mut flags, &rest, line)?)
        }
        "ADD" => {
            known = &["chown", "chmod", "link", "exclude", "checksum", "keep-git-dir", "unpack"];
            let copy = Copy {
                checksum: flags.text("checksum")?,
                keep_git_dir: truth(&mut flags, "keep-git-dir")?,
                unpack: flags.truth("unpack")?,
                ..Copy::default()
            };
            Kind::Add(sources(copy, &name, &mut flags, &rest, line)?)
        }
        "ARG" => Kind::Arg(arguments(&rest, escape)?),
        "CMD" => Kind::Cmd(form(&name, &rest)?),
        "ENTRYPOINT" => Kind::Entrypoint(form(&name, &rest)?),
        "ENV" => Kind::Env(pairs()?),
        "LABEL" => Kind::Label(pairs()?),
        "EXPOSE" => {
            one("a port")?;
            Kind::Expose(super::words::fields(&rest))
        }
        "HEALTHCHECK" => {
            known = &["interval", "timeout", "start-period", "start-interval", "retries"];
            Kind::Healthcheck(healthcheck(&mut flags, &rest)?)
        }
        "MAINTAINER" => Kind::Maintainer(one("a name")?),
        "ONBUILD" => {
            one("an instruction")?;
            let inner = line.inner(&rest);
            no_trigger(&inner.name())?;
            if !NAMES.contains(&inner.name().as_str()) {
                return Err(unknown(&inner.keyword));
            }
            let bodies = line.heredocs.iter().map(|heredoc| format!("\n{}{}", heredoc.content, heredoc.name));
            Kind::OnBuild(format!("{rest}{}", bodies.collect::<String>()))
        }
        "SHELL" => match json(&rest)? {
            Some(shell) if !shell.is_empty() => Kind::Shell(shell),
            _ => {
                return Err(needs("a program and its options as JSON").hint("write `SHELL [\"/bin/bash\", \"-c\"]`"));
            }
        },
        "STOPSIGNAL" => Kind::StopSignal(one("a signal")?),
        "USER" => Kind::User(one("a user")?),
        "VOLUME" => {
            one("a path")?;
            let paths: Vec<_> = json_or_fields(&rest)?.iter().map(|path| path.trim().to_owned()).collect();
            if paths.is_empty() || paths.iter().any(String::is_empty) {
                return Err(Error::invalid("VOLUME has an empty path"));
            }
            Kind::Volume(paths)
        }
        "WORKDIR" => Kind::Workdir(one("a path")?),
        "FROM" => return Err(Error::invalid("FROM begins a stage, and cannot be here")),
        _ => return Err(unknown(&line.keyword)),
    };
    flags.finish(&name, known)?;
    Ok(Instruction {
        span: line.span,
        source: line.source(),
        keyword: line.keyword.clone(),
        comments: line.comments.clone(),
        legacy_pairs,
        kind,
    })
}

/// Refuses what cannot come after `ONBUILD`.
pub fn no_trigger(name: &str) -> Result<()> {
    match name {
        "ONBUILD" | "FROM" | "MAINTAINER" => Err(Error::invalid(format!("{name} cannot come after ONBUILD"))),
        _ => Ok(()),
    }
}

fn unknown(keyword: &str) -> Error {
    let error = Error::invalid(format!("there is no instruction `{keyword}`"));
    let upper = keyword.to_uppercase();
    match nearest(&upper, NAMES) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None => error,
    }
}

/// A JSON array is a program with its arguments, everything else is for the shell.
fn form(name: &str, text: &str) -> Result<Form> {
    match json(text)? {
        Some(argv) => Ok(Form::Exec(argv)),
        None if text.is_empty() => Err(Error::invalid(format!("{name} needs a command"))),
        None => Ok(Form::Shell(text.to_owned())),
    }
}

fn truth(flags: &mut Flags, name: &str) -> Result<bool> {
    Ok(flags.truth(name)?.unwrap_or(false))
}

fn run(flags: &mut Flags, text: &str, line: &Line) -> Result<Run> {
    let command = form("RUN", text)?;
    if command == Form::Exec(Vec::new()) {
        return Err(Error::invalid("RUN needs a command"));
    }
    let mounts = flags.texts("mount")?;
    mounts.iter().try_for_each(|value| mount::check(value))?;
    let mut choice = |name: &str, choices: &[&str]| match flags.text(name)? {
        Some(value) if !choices.contains(&value.as_str()) => {
            Err(Error::invalid(format!("`--{name}={value}` is none of {}", choices.join(", "))))
        }
        value => Ok(value),
    };
    let network = choice("network", &["default", "none", "host"])?;
    let security = choice("security", &["sandbox", "insecure"])?;
    let devices = flags.texts("device")?;
    Ok(Run { command, heredocs: line.heredocs.clone(), mounts, network, security, devices })
}

fn sources(mut copy: Copy, name: &str, flags: &mut Flags, text: &str, line: &Line) -> Result<Copy> {
    copy.chown = flags.text("chown")?;
    copy.chmod = flags.text("chmod")?;
    copy.link = truth(flags, "link")?;
    copy.exclude = flags.texts("exclude")?;
    let mut paths = json_or_fields(text)?;
    let target = paths.pop().filter(|_| !paths.is_empty());
    copy.target = target.ok_or_else(|| {
        Error::invalid(format!("{name} needs a source and a target")).hint(format!("write `{name} SOURCE… TARGET`"))
    })?;
    if line.heredocs.iter().any(|heredoc| is_of(heredoc, &copy.target)) {
        return Err(Error::invalid(format!("the target of {name} cannot be a heredoc")));
    }
    for path in paths {
        match line.heredocs.iter().find(|heredoc| is_of(heredoc, &path)) {
            Some(heredoc) => {
                copy.heredocs.push(super::Heredoc { content: heredoc.text(), ..heredoc.clone() });
            }
            None => copy.sources.push(path),
        }
    }
    Ok(copy)
}

fn is_of(heredoc: &super::Heredoc, word: &str) -> bool {
    matches!(heredoc::of_word(word), Ok(Some(announced)) if announced.name == heredoc.name)
}

fn arguments(text: &str, escape: char) -> Result<Vec<(String, Option<String>)>> {
    let words = words(text, escape);
    if words.is_empty() {
        return Err(Error::invalid("ARG needs a name"));
    }
    let arguments = words.into_iter().map(|word| match word.split_once('=') {
        Some(("", _)) => Err(Error::invalid(format!("ARG has `{word}`, which has no name"))),
        Some((name, value)) => Ok((name.to_owned(), Some(value.to_owned()))),
        None => Ok((word, None)),
    });
    arguments.collect()
}

fn healthcheck(flags: &mut Flags, text: &str) -> Result<HealthcheckSpec> {
    let mut time = |name: &str| -> Result<Option<Duration>> {
        let Some(text) = flags.text(name)? else { return Ok(None) };
        let time = duration::parse(&text).map_err(|error| error.context(format!("`--{name}`")))?;
        if !time.is_zero() && time < Duration::from_millis(1) {
            return Err(Error::invalid(format!("`--{name}={text}` is shorter than a millisecond")));
        }
        // 0 is as if it were not given.
        Ok((!time.is_zero()).then_some(time))
    };
    let (interval, timeout) = (time("interval")?, time("timeout")?);
    let (start_period, start_interval) = (time("start-period")?, time("start-interval")?);
    let retries = match flags.text("retries")? {
        Some(text) => {
            let wrong = |_| Error::invalid(format!("`--retries={text}` is no number of failures"));
            Some(text.parse::<u32>().map_err(wrong)?).filter(|retries| *retries > 0)
        }
        None => None,
    };
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim_start();
    let wrong = |message: &str| Error::invalid(message).hint("write `HEALTHCHECK CMD COMMAND` or `HEALTHCHECK NONE`");
    let test = match word.to_ascii_uppercase().as_str() {
        // Its options mean nothing.
        "NONE" if rest.is_empty() => {
            return Ok(HealthcheckSpec { test: vec!["NONE".to_owned()], ..HealthcheckSpec::default() });
        }
        "NONE" => return Err(wrong("HEALTHCHECK NONE takes nothing more")),
        "CMD" => match json(rest)? {
            Some(argv) if !argv.is_empty() => [vec!["CMD".to_owned()], argv].concat(),
            None if !rest.is_empty() => vec!["CMD-SHELL".to_owned(), rest.to_owned()],
            _ => return Err(wrong("HEALTHCHECK CMD needs a command")),
        },
        "" => return Err(wrong("HEALTHCHECK needs a command")),
        _ => return Err(wrong(&format!("HEALTHCHECK takes CMD or NONE, not `{word}`"))),
    };
    Ok(HealthcheckSpec { test, interval, timeout, retries, start_period, start_interval })
}
