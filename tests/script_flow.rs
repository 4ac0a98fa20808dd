//! Scopes, parallel work, deadlines and repetition.

use crate::support::Shanty;
use std::time::{Duration, Instant};

#[test]
fn clean_up_runs_newest_first_and_inner_scopes_before_outer_ones() {
    Shanty::new()
        .eval(
            "defer(|| print(\"script 1\"));
             defer(|| print(\"script 2\"));
             let value = scope(|| {
                 defer(|| print(\"outer\"));
                 scope(|| { defer(|| print(\"inner 1\")); defer(|| print(\"inner 2\")); });
                 print(\"body\");
                 5
             });
             print(value);",
        )
        .prints("inner 2\ninner 1\nbody\nouter\n5\nscript 2\nscript 1\n");
}

#[test]
fn clean_up_runs_after_an_error_and_tells_of_every_failure() {
    let output = Shanty::new()
        .eval(
            "defer(|| print(\"end\"));
             scope(|| { defer(|| throw \"first\"); defer(|| throw \"second\"); throw \"body\" });",
        )
        .exits(1);
    assert_eq!(output.stdout, "end\n");
    for failure in ["clean-up failed: first", "clean-up failed: second", "error[script]: body"] {
        assert!(output.stderr.contains(failure), "{output}");
    }
    let output = Shanty::new().eval("defer(|| throw \"late\"); print(1);").exits(1);
    assert!(output.stdout == "1\n" && output.stderr.contains("error[script]: clean-up: late"), "{output}");
}

#[test]
fn exit_in_a_scope_cleans_up_too() {
    let output = Shanty::new().eval("scope(|| { defer(|| print(\"cleaned\")); exit(4) })").exits(4);
    assert_eq!(output.stdout, "cleaned\n");
}

#[test]
fn a_temporary_folder_goes_with_its_scope() {
    Shanty::new()
        .eval(
            "let dir = scope(|| { let dir = fs::temp_dir(); fs::write(dir + \"/x\", \"\"); dir });
             print(fs::exists(dir));
             print(fs::exists(fs::temp_dir()));",
        )
        .prints("false\ntrue\n");
}

#[test]
fn parallel_runs_at_the_same_time_and_keeps_the_order() {
    let start = Instant::now();
    Shanty::new()
        .eval("let jobs = []; for i in 0..20 { let k = i; jobs.push(|| { sleep(0.5); k }); } print(parallel(jobs));")
        .prints("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]\n");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[test]
fn parallel_runs_no_more_than_its_limit_at_once() {
    // Each worker notes that it is there, and looks how many others are.
    Shanty::new()
        .eval(
            "let dir = fs::temp_dir();
             let seen = par_map([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], |i| {
                 fs::write(`${dir}/${i}`, \"\");
                 sleep(\"20ms\");
                 let there = fs::list(dir).len();
                 fs::remove(`${dir}/${i}`);
                 there
             }, #{ limit: 3 });
             let most = 0;
             for n in seen { if n > most { most = n; } }
             assert(most > 1 && most <= 3, `${most} at once`);",
        )
        .ok();
}

#[test]
fn the_first_error_cancels_the_others() {
    let start = Instant::now();
    Shanty::new()
        .eval(
            "try { parallel([|| sleep(60), || { sleep(\"10ms\"); throw \"mine\" }, || loop {}]) }
             catch (e) { print(e) }",
        )
        .prints("mine\n");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn parallel_closures_get_copies_of_what_they_capture() {
    Shanty::new()
        .eval(
            "let n = 1; let t = now(); let list = [t];
             let results = parallel([|| { n += 1; [n, t.unix > 0] }, || { n += 10; [n, list[0].unix > 0] }]);
             print(results); print(n);",
        )
        .prints("[[2, true], [11, true]]\n1\n");
}

#[test]
fn background_tasks_give_their_value_their_error_and_end_with_the_script() {
    let start = Instant::now();
    Shanty::new()
        .eval(
            "let a = background(|| 1); let b = background(|| throw \"no\"); background(|| sleep(60));
             print(a.join()); try { b.join() } catch (e) { print(e) } print(a.done);
             assert_throws(\"timeout\", || background(|| sleep(60)).join(#{ timeout: \"5ms\" }));",
        )
        .prints("1\nno\ntrue\n");
    assert!(start.elapsed() < Duration::from_secs(20));
    let output =
        Shanty::new().eval("let t = background(|| throw \"unseen\"); while !t.done { sleep(\"1ms\"); }").exits(1);
    assert!(output.stderr.contains("unseen"), "{output}");
}

#[test]
fn timeouts_nest_and_only_their_own_deadline_is_theirs() {
    Shanty::new()
        .eval(
            "let inner = (); let outer = ();
             try { timeout(60, || { try { timeout(\"20ms\", || sleep(60)) } catch (e) { inner = e.kind } }) } catch (e) { outer = e.kind }
             print([inner, outer]);
             try { timeout(\"20ms\", || { try { timeout(60, || sleep(60)) } catch { print(\"must not run\") } }) } catch (e) { print(e.message) }
             print(timeout(60, || 5));",
        )
        .prints("[\"timeout\", ()]\nit did not end within 20ms\n5\n");
}

#[test]
fn retry_waits_longer_each_time_and_throws_the_last_error() {
    let start = Instant::now();
    let output = Shanty::new()
        .eval("retry(#{ times: 4, delay: \"50ms\", backoff: 2 }, |n| { print(n); throw `attempt ${n}` })")
        .exits(1);
    assert!(output.stdout == "1\n2\n3\n4\n" && output.stderr.contains("attempt 4"), "{output}");
    assert!(start.elapsed() >= Duration::from_millis(350), "{:?}", start.elapsed());
}

#[test]
fn eventually_says_what_the_last_attempt_threw() {
    let output = Shanty::new()
        .eval("eventually(#{ timeout: \"50ms\", interval: \"5ms\" }, || throw \"not there\")")
        .fails_with("timeout");
    assert!(output.stderr.contains("it did not succeed within 50ms: not there"), "{output}");
}
