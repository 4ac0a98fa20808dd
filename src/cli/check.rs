//! `shanty check`: scripts and Dockerfiles, which are not run.

use super::arguments::Options;
use super::{USAGE, draw, host, print_line, read_script, report};
use crate::dockerfile::checks::{CheckInput, Warning, check as warnings};
use crate::dockerfile::ignore::Ignore;
use crate::dockerfile::{Dockerfile, excerpt, parse};
use crate::error::{IoContext, Result};
use crate::runner;
use serde_json::{Value, json};
use std::fmt::Write;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Says what is wrong with the files; gives the exit code.
pub fn check(options: &Options, files: &[PathBuf]) -> u8 {
    let mut code = 0;
    let mut found = None;
    for file in files {
        let failed = if is_dockerfile(file) {
            check_dockerfile(file, found.get_or_insert_default(), options.json)
        } else {
            check_script(options, file)
        };
        if failed {
            code = USAGE;
        }
    }
    match found {
        Some(found) if options.json => code.max(print_line(&Value::Array(found).to_string())),
        _ => code,
    }
}

fn is_dockerfile(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    matches!(&*name, "Dockerfile" | "Containerfile")
        || name.starts_with("Dockerfile.")
        || file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("dockerfile"))
}

fn check_script(options: &Options, file: &Path) -> bool {
    let script = match read_script(file) {
        Ok(script) => script,
        Err(error) => {
            report(&error);
            return true;
        }
    };
    let host = host(options, Vec::new(), &script.folder, true);
    let Some(wrong) = runner::check(&host, &script.text, &script.source) else { return false };
    draw(&wrong, USAGE);
    true
}

/// Whether it cannot be built, or has warnings and says that they are errors.
fn check_dockerfile(path: &Path, found: &mut Vec<Value>, as_json: bool) -> bool {
    let (file, warnings) = match read(path) {
        Ok(read) => read,
        Err(error) => {
            report(&error);
            return true;
        }
    };
    for warning in &warnings {
        if as_json {
            found.push(json!({
                "file": file.name,
                "line": warning.span.first,
                "last_line": warning.span.last,
                "rule": warning.rule,
                "message": warning.message,
                "hint": warning.hint,
            }));
        } else {
            eprint!("{}", drawn(&file, warning));
        }
    }
    file.check.error && !warnings.is_empty()
}

fn read(path: &Path) -> Result<(Dockerfile, Vec<Warning>)> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).doing(|| format!("cannot read `{name}`"))?;
    let file = parse(&text, &name)?;
    let ignore = ignore_file(path)?;
    let warnings = warnings(&file, &CheckInput { ignore: ignore.as_ref(), ..CheckInput::default() });
    Ok((file, warnings))
}

/// What belongs to this Dockerfile, or to the folder that it is in.
fn ignore_file(dockerfile: &Path) -> Result<Option<Ignore>> {
    let mut own = dockerfile.as_os_str().to_owned();
    own.push(".dockerignore");
    for path in [PathBuf::from(own), dockerfile.with_file_name(".dockerignore")] {
        let name = path.display();
        match std::fs::read(&path) {
            Ok(text) => return Ignore::parse(&text).map(Some).map_err(|error| error.context(format!("`{name}`"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).doing(|| format!("cannot read `{name}`")),
        }
    }
    Ok(None)
}

/// As errors of scripts are drawn.
fn drawn(file: &Dockerfile, warning: &Warning) -> String {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let paint =
        |style: &str, text: &str| if color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() };
    let message = format!("{}:{}: {}", file.name, warning.span.first, warning.message);
    let head = paint("1;33", &format!("warning[{}]:", warning.rule));
    let mut text = format!("{head} {}\n{}", paint("1", &message), excerpt(&file.text, warning.span));
    if let Some(hint) = &warning.hint {
        let _ = writeln!(text, "{} {hint}", paint("34", "hint:"));
    }
    text
}
