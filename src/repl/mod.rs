//! The prompt: reads a line, runs it, shows its value, and keeps what it made for the next one.

mod completion;
mod helper;
mod history;
mod input;
mod memory;

use crate::script::Host;
use helper::PromptHelper;
use memory::{Evaluated, Memory};
use rhai::Dynamic;
use rustyline::error::ReadlineError;
use rustyline::{CompletionType, Config, Editor, history::FileHistory};
use std::io::IsTerminal;
use std::path::Path;

const PROMPT: &str = "shanty> ";
/// Entries of the history that are kept.
const HISTORY_LENGTH: usize = 10_000;
/// The exit code of a prompt that cannot be shown.
const FAILED: u8 = 1;

type PromptEditor = Editor<PromptHelper, FileHistory>;

/// Reads lines from the terminal until Ctrl-D or `exit(n)`; gives the exit code. The host must not have strict
/// variables, since a line uses those of earlier ones.
pub fn run(host: &Host) -> u8 {
    let mut memory = Memory::new(host);
    let mut editor = match editor(host) {
        Ok(editor) => editor,
        Err(error) => {
            host.session().warn(&format!("the prompt cannot be shown: {error}"));
            return FAILED;
        }
    };
    let history = history::path();
    if let Some(path) = &history {
        // There is none at the first time.
        let _ = editor.load_history(path);
    }
    println!("Shanty {} · `help()` lists what there is, Ctrl-D ends", env!("CARGO_PKG_VERSION"));
    let code = read_lines(host, &mut editor, &mut memory, history.as_deref());
    let failures = host.session().clean_up(None);
    host.session().warn_of(&failures);
    code
}

fn editor(host: &Host) -> rustyline::Result<PromptEditor> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(HISTORY_LENGTH)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(PromptHelper::new(host)));
    Ok(editor)
}

fn read_lines(host: &Host, editor: &mut PromptEditor, memory: &mut Memory, history: Option<&Path>) -> u8 {
    loop {
        if let Some(helper) = editor.helper_mut() {
            helper.know(memory);
        }
        let line = match editor.readline(PROMPT) {
            Ok(line) => line,
            // Ctrl-C at the prompt clears the input.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return 0,
            Err(error) => {
                host.session().warn(&format!("the terminal cannot be read: {error}"));
                return FAILED;
            }
        };
        if line.trim().is_empty() {
            continue;
        }
        remember(editor, history, &line);
        match memory.evaluate(&line) {
            Evaluated::Value(value) => show(host, &value),
            Evaluated::Failed(report) => eprint!("{}", report.draw(color())),
            Evaluated::Interrupted => eprintln!("interrupted"),
            Evaluated::Exit(code) => return code,
        }
    }
}

/// Written at once: another prompt, or one that is killed, has it too.
fn remember(editor: &mut PromptEditor, history: Option<&Path>, line: &str) {
    let added = editor.add_history_entry(line).unwrap_or(false);
    if let (true, Some(path)) = (added, history)
        && history::make_folder(path)
    {
        // A history that cannot be written is no reason to stop working.
        let _ = editor.append_history(path);
    }
}

fn show(host: &Host, value: &Dynamic) {
    if value.is_unit() {
        return;
    }
    match host.text(value) {
        // Quoted, so that text is told from other values; a log reads better as it is.
        Ok(text) if value.is_string() && !text.contains('\n') => println!("{text:?}"),
        Ok(text) => println!("{}", text.trim_end_matches('\n')),
        Err(thrown) => eprint!("{}", host.report(&thrown, memory::SOURCE).draw(color())),
    }
}

fn color() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
