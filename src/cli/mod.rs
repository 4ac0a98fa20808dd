//! The command line: reads it, runs what it says, and gives the exit code.

mod arguments;
mod check;
mod cleaner;
mod doctor;
mod engine;
mod named;
pub mod progress;
mod signals;

use crate::context::{CancelToken, Context, Progress, Silent};
use crate::error::{Error, IoContext, Result};
use crate::privilege;
use crate::repl;
use crate::runner::{self, Outcome};
use crate::script::binding::{help_text, nearest};
use crate::script::{Host, Report, Settings};
use arguments::{Arguments, Command, Options};
use clap::Parser;
use named::Script;
use progress::{Bars, Plain};
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

pub use cleaner::main as cleaner;

/// The script threw.
const THREW: u8 = 1;
/// Usage, or a script that does not parse.
const USAGE: u8 = 2;

/// Does what the command line says.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // What cannot be written cannot be reported either.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    if let Some(level) = &arguments.options.log
        && let Err(error) = start_log(level)
    {
        return fail(&error, USAGE);
    }
    // Before there are threads and open files: what is opened later is opened with the rights that it is used with.
    if arguments.needs_engine()
        && let Err(error) = privilege::enter()
    {
        return fail(&error, THREW);
    }
    crate::network::find_addresses();
    // The command's code is the process's: a thread with a large stack does the work.
    match Host::on_large_stack(|| dispatch(arguments)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(&Error::new(crate::error::ErrorKind::Io, format!("cannot start a thread: {error}")), THREW),
    }
}

fn dispatch(arguments: Arguments) -> u8 {
    let options = &arguments.options;
    let script = match arguments.command {
        Some(Command::Run { file, args }) => read_script(&file).map(|script| (script, args)),
        Some(Command::Eval { code, args }) => Ok((unnamed("<eval>", code), args)),
        Some(Command::Script(words)) => match named_script(&words[0]) {
            Ok(script) => {
                if matches!(words.get(1).map(String::as_str), Some("--help" | "-h"))
                    && let Some(help) = script.help()
                {
                    return print_line(&help);
                }
                Ok((script, words[1..].to_vec()))
            }
            Err(error) => {
                report(&error);
                return USAGE;
            }
        },
        Some(Command::Check { files }) => return check::check(options, &files),
        Some(Command::Doc { name }) => return doc(name.as_deref()),
        Some(Command::Doctor) => return doctor::doctor(options),
        None => {
            if std::io::stdin().is_terminal() {
                return prompt(options);
            }
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .doing(|| "cannot read the script from standard input")
                .map(|_| (unnamed("<stdin>", text), Vec::new()))
        }
    };
    match script {
        Ok((script, args)) => run(options, script, args),
        Err(error) => {
            report(&error);
            THREW
        }
    }
}

fn run(options: &Options, script: Script, args: Vec<String>) -> u8 {
    let host = host(options, args, &script.folder, true);
    signals::interrupt(host.session());
    let code = tell(&host, options, &script, runner::run(&host, &script.text, &script.source));
    host.session().finish();
    // The process ends: taking a thousand functions apart one by one would be a tenth of a short script's time.
    std::mem::forget(host);
    code
}

/// Writes what came of a script; gives the exit code.
fn tell(host: &Host, options: &Options, script: &Script, outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Value(value) if options.json => match host.json(&value) {
            Ok(json) => print_line(&json),
            Err(thrown) => draw(&host.report(&thrown, &script.source), THREW),
        },
        Outcome::Value(_) => 0,
        Outcome::Exit(code) => code,
        // Where in its script a shipped command failed says nothing to who called it.
        Outcome::Threw(report) if script.is_shipped() => draw(&Report::plain(report.error().clone()), THREW),
        Outcome::Threw(report) => draw(&report, THREW),
        Outcome::DoesNotParse(report) => draw(&report, USAGE),
        Outcome::Interrupted => u8::try_from(signals::exit_code()).unwrap_or(THREW),
    }
}

/// A prompt on the terminal.
fn prompt(options: &Options) -> u8 {
    let folder = std::env::current_dir().unwrap_or_else(|_| "/".into());
    // Not strict: a line uses the variables of earlier ones.
    let host = host(options, Vec::new(), &folder, false);
    signals::interrupt(host.session());
    let code = repl::run(&host);
    host.session().finish();
    code
}

fn print_line(line: &str) -> u8 {
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => 0,
        Err(_) => THREW,
    }
}

fn doc(name: Option<&str>) -> u8 {
    let text = match name {
        Some(name) => help_text(name),
        None => Ok(crate::docs::reference()),
    };
    match text.and_then(|text| writeln!(std::io::stdout(), "{}", text.trim_end()).doing(|| "cannot write")) {
        Ok(()) => 0,
        Err(error) => {
            report(&error);
            THREW
        }
    }
}

/// A host whose scripts print, show progress and open the engine as the command line says.
fn host(options: &Options, args: Vec<String>, folder: &Path, strict: bool) -> Host {
    let bars = (std::io::stderr().is_terminal() && !options.quiet).then(Bars::default);
    let progress: Arc<dyn Progress> = match &bars {
        Some(bars) => Arc::new(bars.clone()),
        None if options.quiet => Arc::new(Silent),
        None => Arc::new(Plain::default()),
    };
    let json = options.json;
    let above = bars.clone();
    let print = move |line: &str| {
        let write = || if json { writeln!(std::io::stderr(), "{line}") } else { writeln!(std::io::stdout(), "{line}") };
        let written = above.as_ref().map_or_else(write, |bars| bars.suspend(write));
        written.doing(|| "cannot write the output")
    };
    let warn = move |line: &str| {
        let write = || eprintln!("{line}");
        bars.as_ref().map_or_else(write, |bars| bars.suspend(write));
    };
    let engine = options.clone();
    let settings = Settings {
        args,
        folder: folder.to_owned(),
        open_engine: Box::new(move || engine::open(&engine)),
        print: Box::new(print),
        warn: Box::new(warn),
        context: Context { cancel: CancelToken::new(), progress, scope: None },
    };
    Host::new(settings, strict)
}

/// The script of the first word after the options: a file, or a command of that name.
fn named_script(word: &str) -> Result<Script> {
    let path = Path::new(word);
    if word.contains('/') || path.extension().is_some_and(|extension| extension == "rhai") {
        return read_script(path);
    }
    if let Some(script) = named::find(word) {
        return Ok(script);
    }
    if path.is_file() {
        return read_script(path);
    }
    let names = named::names();
    let built_in = ["run", "eval", "check", "doc", "doctor"];
    let known = names.iter().map(String::as_str).chain(built_in);
    let error = Error::not_found(format!("there is neither a command nor a file `{word}`"));
    Err(match nearest(word, known) {
        Some(name) => error.hint(format!("did you mean `shanty {name}`?")),
        None => error.hint("`shanty --help` lists the commands"),
    })
}

fn read_script(file: &Path) -> Result<Script> {
    let name = file.display();
    let path = file.canonicalize().doing(|| format!("cannot read the script `{name}`"))?;
    let text = std::fs::read_to_string(&path).doing(|| format!("cannot read the script `{name}`"))?;
    let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Script { text, source: path.to_string_lossy().into_owned(), folder })
}

fn unnamed(source: &str, text: String) -> Script {
    let folder = std::env::current_dir().unwrap_or_else(|_| "/".into());
    Script { text, source: source.to_owned(), folder }
}

fn start_log(level: &str) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(level).map_err(|_| {
        Error::invalid(format!("`{level}` is not a log level")).hint("levels: error, warn, info, debug, trace")
    })?;
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
    Ok(())
}

fn fail(error: &Error, code: u8) -> ExitCode {
    report(error);
    ExitCode::from(code)
}

/// An error outside of any script.
fn report(error: &Error) {
    draw(&Report::plain(error.clone()), 0);
}

fn draw(report: &Report, code: u8) -> u8 {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    eprint!("{}", report.draw(color));
    code
}
