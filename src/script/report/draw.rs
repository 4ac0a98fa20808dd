//! How a report looks.

use super::{Frame, Report};
use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// Lines of a container's log that are shown.
const LOG_LINES: usize = 20;
/// Frames that are shown of a call stack.
const FRAMES: usize = 12;

const RED: &str = "\u{1b}[1;31m";
const BLUE: &str = "\u{1b}[34m";
const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

pub fn draw(report: &Report, color: bool) -> String {
    let paint = |style: &str, text: &str| if color { format!("{style}{text}{RESET}") } else { text.to_owned() };
    let error = &report.error;
    let mut text = format!("{} {}\n", paint(RED, &format!("error[{}]:", error.kind())), paint(BOLD, &error.message()));
    text.push_str(error.excerpt_text().unwrap_or_default());
    let mut frames = report.frames.iter().filter(|frame| !frame.position.is_none());
    if let Some(frame) = frames.next() {
        draw_source(&mut text, frame, &paint);
    }
    draw_stack(&mut text, report, &paint);
    if let Some(log) = error.log_tail_text() {
        draw_output(&mut text, "the end of its log", log, &paint);
    } else if let Some(details) = error.exit_details() {
        let stderr = String::from_utf8_lossy(&details.stderr);
        draw_output(&mut text, "its standard error", &stderr, &paint);
    }
    if let Some(hint) = error.hint_text() {
        let _ = writeln!(text, "{} {hint}", paint(BLUE, "hint:"));
    }
    text
}

type Paint<'a> = &'a dyn Fn(&str, &str) -> String;

/// The line with the place underlined.
fn draw_source(text: &mut String, frame: &Frame, paint: Paint<'_>) {
    let (Some(line), Some(column)) = (frame.position.line(), frame.position.position()) else { return };
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    let _ = writeln!(text, "{gutter}{} {}", paint(BLUE, "-->"), place(frame));
    let Some(source) = frame.text.as_ref().and_then(|source| source.text.split('\n').nth(line - 1)) else { return };
    // A tab is as wide as the terminal likes: keep it above the carets too.
    let before: String = source.chars().take(column - 1).map(|char| if char == '\t' { '\t' } else { ' ' }).collect();
    let bar = paint(BLUE, "|");
    let _ = writeln!(text, "{gutter} {bar}");
    let _ = writeln!(text, "{} {bar} {}", paint(BLUE, &number), without_secrets(source.trim_end()));
    let _ = writeln!(text, "{gutter} {bar} {before}{}", paint(RED, &"^".repeat(frame.width)));
}

/// Options whose values are secrets.
const SECRET_OPTIONS: [&str; 3] = ["secret_key", "session_token", "passphrase"];

/// Who writes a password into a script does not want it in a log of the script's errors.
fn without_secrets(line: &str) -> Cow<'_, str> {
    let after_user = line.find(".login(").and_then(|at| Some(at + line[at..].find(',')?));
    let option = |name: &&str| line.find(*name).map(|at| at + name.len());
    // Everything that follows: what is behind a secret is not worth a lexer.
    let Some(at) = SECRET_OPTIONS.iter().filter_map(option).chain(after_user).min() else { return line.into() };
    let (shown, rest) = line.split_at(at);
    let pieces = rest.split(['"', '`', '\'']).enumerate().map(|(i, piece)| if i % 2 == 1 { "***" } else { piece });
    format!("{shown}{}", pieces.collect::<Vec<_>>().join("\"")).into()
}

fn draw_stack(text: &mut String, report: &Report, paint: Paint<'_>) {
    for pair in report.frames.windows(2).take(FRAMES) {
        let [inner, outer] = pair else { continue };
        let Some(function) = &inner.function else {
            let _ = writeln!(text, "  {} imported at {}", paint(DIM, "in"), place(outer));
            continue;
        };
        if !outer.position.is_none() {
            let _ = writeln!(text, "  {} {function}, called at {}", paint(DIM, "in"), place(outer));
        }
    }
    if report.frames.len() > FRAMES + 1 {
        let _ = writeln!(text, "  … and {} more calls", report.frames.len() - FRAMES - 1);
    }
}

fn draw_output(text: &mut String, title: &str, output: &str, paint: Paint<'_>) {
    let lines: Vec<&str> = output.trim_end().lines().collect();
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "{}", paint(DIM, &format!("{title}:")));
    for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
        let _ = writeln!(text, "  {} {line}", paint(DIM, "|"));
    }
}

/// `deploy.rhai:3:5`; relative to the working directory when it is below.
fn place(frame: &Frame) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let source = Path::new(&frame.source);
    let name = source.strip_prefix(&here).unwrap_or(source).display();
    match (frame.position.line(), frame.position.position()) {
        (Some(line), Some(column)) => format!("{name}:{line}:{column}"),
        (Some(line), None) => format!("{name}:{line}"),
        _ => name.to_string(),
    }
}
