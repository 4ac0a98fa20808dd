//! The steps of a build on a real terminal.

use crate::support::fixtures::program;
use crate::support::terminal::Terminal;
use crate::support::{require, wait_until};
use shanty::cli::progress::Bars;
use shanty::context::{Progress, StepProgress};
use shanty::model::Stream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn steps_that_run_are_drawn_and_those_that_ended_are_lines() {
    require!(program("tmux"));
    let folder = TempDir::with_prefix("shanty-progress-").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "progress::a_build_on_a_terminal", "--ignored", "--nocapture"]);
    command.env("FOLDER", folder.path()).env("LANG", "C.UTF-8");
    let terminal = Terminal::start_program(folder.path(), &command);
    let go = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();

    terminal.resize(40, 20);
    go("begin");
    terminal.shows("✓ [base 1/1] FROM node  cached").shows("[build 2/4] RUN make").shows("    compiling 42%");
    terminal.shows("[build 3/4] RUN other");
    assert!(!terminal.screen().contains("compiling 9"), "{}", terminal.screen());
    go("more");
    terminal.shows("    a line that is longer than the ter…");
    go("end");
    terminal
        .shows("✓ [build 2/4] RUN make  ")
        .shows("printed meanwhile")
        .shows("✗ [build 3/4] RUN other  ")
        .shows("[ended with 0]");
    wait_until(LIMIT, || !terminal.screen().contains("compiling"));
    let screen = terminal.screen();
    assert!(!screen.contains("a line that is"), "{screen}");
    // Each step is there once.
    for label in ["[base 1/1]", "[build 2/4]", "[build 3/4]"] {
        assert_eq!(screen.matches(label).count(), 1, "{screen}");
    }
}

/// Not a test: what runs in the terminal of the one above.
#[test]
#[ignore = "runs in another test's terminal"]
fn a_build_on_a_terminal() {
    let Some(folder) = std::env::var_os("FOLDER") else { return };
    let wait = |name: &str| wait_until(LIMIT, || Path::new(&folder).join(name).exists());
    wait("begin");
    let bars = Bars::default();
    bars.step("[base 1/1] FROM node").cached();
    let [make, other]: [Box<dyn StepProgress>; 2] =
        ["[build 2/4] RUN make", "[build 3/4] RUN other"].map(|label| bars.step(label));
    // What would clear the screen, and set the title.
    make.output(Stream::Stdout, b"\x1b[2J\x1b[Hcompiling 9%\r\x1b]0;title\x07compiling 42%");
    wait("more");
    make.output(Stream::Stdout, b"\n");
    make.output(Stream::Stderr, b"a line that is longer than the terminal is wide by now\n");
    wait("end");
    make.done();
    bars.suspend(|| println!("printed meanwhile"));
    other.failed();
}
