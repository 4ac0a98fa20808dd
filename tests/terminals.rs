//! Terminals of containers, through a real one (tmux).

use crate::support::busybox::with_busybox;
use crate::support::terminal::Terminal;
use crate::support::{program, require};
use nix::sys::signal::Signal;

const IMAGE: &str = r#"image("busybox:1")"#;

#[test]
fn a_command_in_a_terminal_sees_one_and_its_output_is_one_stream() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let c = image("busybox:1").run(["sleep", "1000"], #{ network: "none" });
        let probe = "tty; stty size; echo $TERM; echo err >&2; read line; echo got $line; exit 3";
        let inside = c.sh(probe, #{ tty: true, stdin: "typed\n", check: false });
        let once = image("busybox:1").sh("tty; stty size; exit 4", #{ tty: true, check: false, network: "none" });
        c.remove(#{ force: true });
        #{ code: inside.code, lines: inside.lines, rest: inside.lines.filter(|line| line != "typed"), errors: inside.stderr, once: once.lines, once_code: once.code }
        "#,
    );
    // What is typed ahead is echoed at some moment.
    assert!(value["lines"].as_array().unwrap().contains(&"typed".into()), "{value}");
    assert_eq!(value["rest"], serde_json::json!(["/dev/pts/0", "24 80", "xterm", "err", "got typed"]));
    assert_eq!((&value["code"], &value["errors"]), (&3.into(), &"".into()));
    assert_eq!((&value["once"], &value["once_code"]), (&serde_json::json!(["/dev/pts/0", "24 80"]), &4.into()));
    shanty.assert_nothing_left();
}

#[test]
fn a_container_with_a_terminal_logs_what_it_draws_and_has_a_console() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let c = image("busybox:1").run(["sh", "-c", "tty; stty size; ls -l /dev/console | cut -c1; echo console >/dev/console; exec cat"], #{ tty: true, network: "none" });
        c.wait_for(#{ log: "console" });
        let log = c.logs();
        c.stop(#{ timeout: "0s" });
        c.start();
        c.wait_for(#{ log: "console" });
        c.remove(#{ force: true });
        log
        "#,
    );
    assert_eq!(value, "/dev/pts/0\r\n24 80\r\nc\r\nconsole\r\n");
    shanty.assert_nothing_left();
}

#[test]
fn a_shell_works_at_the_prompt_and_gives_the_terminal_back() {
    require!(program("tmux"));
    let shanty = require!(with_busybox());
    let terminal = Terminal::start(&shanty, &[]);
    terminal.shows("shanty>").enter(&format!(r#"{IMAGE}.shell(#{{ network: "none", hostname: "inside" }})"#));
    terminal.shows("/ #").enter("echo $((6 * 7)); hostname; stty size");
    terminal.shows("42").shows("inside").shows("50 110");
    // Ctrl-C is the shell's, and what it runs. Before a program runs it would be a character of the next line.
    terminal
        .enter("echo $((50 + 5)) runs; sleep 1000")
        .shows("55 runs")
        .key("C-c")
        .enter("echo still $((40 + 2)) here");
    terminal.shows("still 42 here").enter("exit 5");
    terminal.shows_times("shanty>", 2).enter("print(1 + 1000)").shows("1001");
    drop(terminal);
    shanty.assert_nothing_left();
}

#[test]
fn a_window_that_changes_is_seen_inside() {
    require!(program("tmux"));
    let shanty = require!(with_busybox());
    let terminal = Terminal::start(&shanty, &["eval", &format!(r#"{IMAGE}.shell(#{{ network: "none" }})"#)]);
    terminal.shows("/ #").enter("stty size");
    terminal.shows("50 110").resize(90, 30);
    terminal.enter("sleep 0.2; stty size").shows("30 90");
    terminal.enter("exit").ends_with(0);
}

#[test]
fn keys_detach_from_a_container_that_goes_on_and_can_be_attached_to_again() {
    require!(program("tmux"));
    let shanty = require!(with_busybox());
    shanty.eval(&format!(r#"{IMAGE}.run(["sh"], #{{ name: "tt", tty: true, stdin: true, network: "none" }})"#)).ok();
    for (keys, option) in [(&["C-p", "C-q"][..], ""), (&["C-a", "d"], r#"#{ detach_keys: "ctrl-a,d" }"#)] {
        let terminal = Terminal::start(&shanty, &["eval", &format!(r#"container("tt").attach({option})"#)]);
        terminal.enter("echo $((6 * 7))").shows("42");
        for key in keys {
            terminal.key(key);
        }
        terminal.ends_with(0);
        assert_eq!(shanty.json(r#"container("tt").status"#), "running");
    }
    let terminal = Terminal::start(&shanty, &["eval", r#"exit(container("tt").attach())"#]);
    terminal.enter("exit 6").ends_with(6);
}

#[test]
fn two_see_what_one_types() {
    require!(program("tmux"));
    let shanty = require!(with_busybox());
    shanty.eval(&format!(r#"{IMAGE}.run(["sh"], #{{ name: "tt", tty: true, stdin: true, network: "none" }})"#)).ok();
    let attach = ["eval", r#"container("tt").attach()"#];
    let (one, two) = (Terminal::start(&shanty, &attach), Terminal::start(&shanty, &attach));
    one.enter("").shows("/ #");
    two.enter("").shows("/ #");
    // At a new prompt the shell throws away what was typed before.
    one.shows_times("/ #", 2).enter("echo $((6 * 7))").shows("42");
    two.shows("42").enter("exit");
    one.ends_with(0);
    two.ends_with(0);
}

#[test]
fn the_terminal_is_cooked_again_when_the_program_is_killed_or_we_are() {
    require!(program("tmux"));
    let shanty = require!(with_busybox());
    shanty.eval(&format!(r#"{IMAGE}.run(["sleep", "1000"], #{{ name: "tt", network: "none" }})"#)).ok();
    for signal in [Some(Signal::SIGTERM), Some(Signal::SIGHUP), None] {
        let terminal = Terminal::start(&shanty, &["eval", r#"container("tt").shell()"#]);
        terminal.shows("/ #");
        match signal {
            Some(signal) => terminal.signal_program(signal),
            None => drop(shanty.eval(r#"container("tt").kill()"#).ok()),
        }
        // `cat` echoes a line only in cooked mode, and once more when Enter is pressed.
        terminal.shows("[ended with").enter("cooked").shows("cooked\ncooked");
    }
}

#[test]
fn without_a_terminal_a_shell_reads_its_input() {
    let shanty = require!(with_busybox());
    let code = format!(r#"exit({IMAGE}.shell(#{{ network: "none" }}))"#);
    let output = shanty.eval(&code).stdin("echo from a pipe\nid -u\nexit 7\n").exits(7);
    assert_eq!(output.stdout, "from a pipe\n0\n", "{output}");
    shanty.assert_nothing_left();
}

#[test]
fn a_full_screen_program_draws_and_ends() {
    require!(program("tmux"));
    let shanty = require!(with_busybox());
    let terminal = Terminal::start(&shanty, &["eval", &format!(r#"{IMAGE}.shell(#{{ network: "none" }})"#)]);
    terminal.shows("/ #").enter("vi /tmp/text").shows("~");
    terminal.types("ihello from vi").key("Escape").shows("- /tmp/text [Modified]").enter(":wq");
    terminal.enter("cat /tmp/text").shows("hello from vi").enter("exit").ends_with(0);
}
