//! The prompt, in a real terminal.

use crate::require;
use crate::support::terminal::Terminal;
use crate::support::{Shanty, program};
use std::time::{Duration, Instant};

/// A prompt that is ready.
macro_rules! prompt {
    ($shanty:expr) => {{
        require!(program("tmux"));
        let terminal = Terminal::start(&$shanty, &[]);
        // Before that, the terminal is not yet the prompt's, and would itself act on Ctrl-D.
        terminal.shows("shanty>");
        terminal
    }};
}

#[test]
fn values_are_shown_and_the_last_one_is_kept() {
    let shanty = Shanty::new();
    let terminal = prompt!(shanty);
    terminal.enter("40 + 2").shows("\n42\n");
    terminal.enter("_ * 10").shows("\n420\n");
    terminal.enter("let x = `a` + \"b\"; x").shows("\n\"ab\"\n");
    // A line without a value leaves it alone, and `_` in a `switch` is what Rhai means by it.
    terminal.enter("let y = 1").enter("switch 5 { 1 => 2, _ => _ + `!` }").shows("\n\"ab!\"\n");
}

#[test]
fn lines_go_on_until_they_are_whole() {
    let shanty = Shanty::new();
    let terminal = prompt!(shanty);
    terminal.enter("fn twice(n) {").enter("  n * 2").enter("}");
    terminal.enter("twice(21)").shows("\n42\n");
}

#[test]
fn what_a_line_makes_is_there_in_later_ones() {
    let shanty = Shanty::new();
    shanty.write("lib.rhai", "fn triple(n) { n * 3 }");
    let terminal = prompt!(shanty);
    terminal.enter("import \"./lib\" as lib;").enter("const BASE = 100; let count = 0;");
    terminal.enter("let add = |n| { count += n; count };").enter("fn sum(n) { global::BASE + lib::triple(n) }");
    terminal.enter("add.call(5); add.call(6)").shows("\n11\n");
    terminal.enter("sum(1)").shows("\n103\n");
    // An error of an earlier line's function is drawn on that line.
    terminal.enter("fn fails() { throw \"boom\" }").enter("1000").shows("\n1000\n");
    terminal.clear().enter("fails()").shows("boom");
    assert!(terminal.screen().contains("fn fails() { throw"), "{}", terminal.screen());
    terminal.enter("count").shows("\n11\n");
}

#[test]
fn tab_completes_members_names_and_options() {
    let shanty = Shanty::new();
    let terminal = prompt!(shanty);
    terminal.enter("let word = \"abc\"").types("word.to_up").key("Tab").types(")").key("Enter").shows("\n\"ABC\"\n");
    terminal.types("let n = wo").key("Tab").types(".len(); n + 40").key("Enter").shows("\n43\n");
    terminal.types("container(`x`).wait_for(#{ inter").key("Tab").shows("#{ interval:").key("C-c");
    terminal.shows_times("shanty>", 5);
    // Several are listed.
    terminal.types("container(`x`).sta").key("Tab").key("Tab").shows("status").shows("started");
}

#[test]
fn ctrl_c_stops_a_running_line_at_once() {
    let shanty = Shanty::new();
    let terminal = prompt!(shanty);
    for line in ["print(`go`); loop { }", "print(`went`); sleep(1000)"] {
        terminal.enter(line).shows(if line.contains("went") { "\nwent\n" } else { "\ngo\n" });
        let started = Instant::now();
        terminal.key("C-c").shows_times("interrupted", if line.contains("went") { 2 } else { 1 });
        // 0.2 s is what a person is promised; the rest is tmux and a busy machine.
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
    terminal.enter("6 * 7").shows("\n42\n");
}

#[test]
fn ctrl_c_at_the_prompt_clears_the_input() {
    let shanty = Shanty::new();
    let terminal = prompt!(shanty);
    terminal.enter("foo(").types("bar").key("C-c").shows_times("shanty>", 2);
    terminal.enter("6 * 7").shows("\n42\n");
}

#[test]
fn ctrl_d_ends_it_with_0_and_exit_with_its_code() {
    let shanty = Shanty::new();
    let terminal = prompt!(shanty);
    terminal.key("C-d").ends_with(0);
    let terminal = prompt!(shanty);
    terminal.enter("exit(3)").ends_with(3);
}

#[test]
fn the_history_is_there_next_time() {
    let shanty = Shanty::new();
    let terminal = prompt!(shanty);
    terminal.enter("print(`first` + `line`)").shows("\nfirstline\n");
    terminal.shows_times("shanty>", 2).key("C-d").ends_with(0);
    let history = shanty.home().join(".local/state/shanty/history");
    assert!(std::fs::read_to_string(&history).unwrap().contains("first"));
    let terminal = prompt!(shanty);
    terminal.key("Up").shows("print(`first` + `line`)").key("Enter").shows("\nfirstline\n");
}

#[test]
fn help_and_mistakes_are_shown() {
    let shanty = Shanty::new();
    let terminal = prompt!(shanty);
    terminal.enter("help(\"sleep\")").shows("sleep(");
    terminal.enter("contaner(`x`)").shows("did you mean");
    terminal.enter("let 1 = 2").shows("shanty>");
    terminal.enter("6 * 7").shows("\n42\n");
}
