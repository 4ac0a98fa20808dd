//! Ctrl-C and SIGTERM: everything stops at once, and what was begun is cleaned up.

use crate::support::{Shanty, wait_until};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// Longer than the 0.2 s that is promised, for a loaded test machine; what does not stop runs a minute.
const AT_ONCE: Duration = Duration::from_secs(2);

#[track_caller]
fn stops_at_once(script: &str, signal: Signal, code: i32) -> String {
    let shanty = Shanty::new();
    let running = shanty.eval(&format!("print(\"ready\"); {script}")).spawn();
    running.wait_for_stdout("ready");
    let start = Instant::now();
    running.signal(signal);
    let output = running.wait(Duration::from_secs(30));
    assert!(start.elapsed() < AT_ONCE, "{script} took {:?}", start.elapsed());
    assert_eq!(output.code, code, "{script}; {output}");
    output.stdout
}

#[test]
fn ctrl_c_stops_whatever_a_script_is_doing() {
    for script in [
        "loop {}",
        "fn f() { loop {} } f()",
        "sleep(60)",
        "host(\"sleep 60\")",
        "host_sh(\"trap '' INT TERM; sleep 60 & sleep 60\")",
        "parallel([|| sleep(60), || loop {}])",
        "par_map([1, 2, 3], |x| sleep(60), #{ limit: 1 })",
        "background(|| sleep(60)).join()",
        "background(|| loop {}); sleep(60)",
        "retry(#{ times: 100, delay: 60 }, || throw 1)",
        "eventually(#{ timeout: 60 }, || false)",
        "timeout(60, || sleep(60))",
        "scope(|| sleep(60))",
        "[1].map(|x| { loop {} })",
        "try { [1].map(|x| { loop {} }) } catch { } loop {}",
        "loop { try { sleep(60) } catch { } }",
        "eval(\"loop {}\")",
        "http::serve(0, |r| 1)",
        "[3, 2, 1].sort(|a, b| { loop {} })",
    ] {
        stops_at_once(script, Signal::SIGINT, 130);
    }
}

#[test]
fn sigterm_stops_a_script_too() {
    stops_at_once("sleep(60)", Signal::SIGTERM, 143);
}

#[test]
fn what_is_deferred_and_owned_is_cleaned_up_after_ctrl_c() {
    let printed = stops_at_once(
        "defer(|| print(\"script\"));
         defer(|| { sleep(\"10ms\"); print(\"it still works\") });
         scope(|| { defer(|| print(\"scope\")); sleep(60) })",
        Signal::SIGINT,
        130,
    );
    assert_eq!(printed, "ready\nscope\nit still works\nscript\n");
}

#[test]
fn a_second_ctrl_c_ends_the_clean_up() {
    let shanty = Shanty::new();
    let running = shanty
        .eval("defer(|| print(\"reached\")); defer(|| { print(\"cleaning\"); sleep(60) }); print(\"ready\"); sleep(60)")
        .spawn();
    running.wait_for_stdout("ready");
    running.signal(Signal::SIGINT);
    running.wait_for_stdout("cleaning");
    let start = Instant::now();
    // Signals within a tenth of a second count as one.
    wait_until(Duration::from_secs(10), || start.elapsed() > Duration::from_millis(150));
    running.signal(Signal::SIGINT);
    let output = running.wait(Duration::from_secs(30));
    assert!(start.elapsed() < Duration::from_secs(10) && output.code == 130, "{output}");
    assert!(!output.stdout.contains("reached"), "{output}");
}

#[test]
fn what_a_command_has_started_is_killed_with_it() {
    let shanty = Shanty::new();
    let pid_file = shanty.work().join("pid");
    let running = shanty.eval("host_sh(\"sleep 60 & echo $! > pid.new; mv pid.new pid; wait\")").spawn();
    wait_until(Duration::from_secs(30), || pid_file.exists());
    let pid: i32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    running.signal(Signal::SIGINT);
    running.wait(Duration::from_secs(30));
    let ended = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    wait_until(Duration::from_secs(10), ended);
}
