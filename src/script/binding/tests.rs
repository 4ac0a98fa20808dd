//! The binding layer on a type of its own: what a script sees of one documented function.
#![allow(clippy::unused_self)] // methods of a thing that does nothing

use super::{Call, Callback, Object, Options, api};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::script::{Host, Settings};
use rhai::{Dynamic, Scope};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A thing of the tests.
#[derive(Clone, Object)]
#[object(name = "TestThing")]
pub struct Thing {
    name: String,
}

/// Options of `logs`.
#[derive(Default, Options)]
pub struct LogsOptions {
    /// Only the last so many lines.
    pub tail: Option<u32>,
    /// Give up after this time.
    pub timeout: Option<Duration>,
    /// Environment.
    #[option(alias = "environment")]
    pub env: Vec<String>,
    #[option(flatten)]
    pub more: MoreOptions,
}

/// Options shared with others.
#[derive(Default, Options)]
pub struct MoreOptions {
    /// Say nothing.
    pub quiet: bool,
}

#[api]
impl Thing {
    /// Its name.
    #[get(column)]
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// The options as they arrived.
    pub fn logs(
        &self,
        call: &Call,
        prefix: Option<String>,
        options: LogsOptions,
        on_line: Option<Callback>,
    ) -> Result<String> {
        let text = format!(
            "{}{:?} {:?} {:?} {}",
            prefix.unwrap_or_default(),
            options.tail,
            options.timeout,
            options.env,
            options.more.quiet
        );
        match on_line {
            Some(on_line) => Ok(on_line.call(call, vec![text.into()])?.to_string()),
            None => Ok(text),
        }
    }

    /// Fails.
    pub fn break_it(&self) -> Result<()> {
        Err(Error::conflict("it is broken").hint("mend it"))
    }
}

/// Makes one.
#[api]
pub fn test_thing(name: String) -> Thing {
    Thing { name }
}

fn printed() -> (Host, Arc<Mutex<Vec<String>>>) {
    host(true)
}

fn host(strict: bool) -> (Host, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let settings = Settings {
        args: vec![],
        folder: "/".into(),
        open_engine: Box::new(|| Err(Error::unsupported("no engine in these tests"))),
        print: Box::new(move |line| {
            sink.lock().unwrap().push(line.to_owned());
            Ok(())
        }),
        warn: Box::new(|_| {}),
        context: Context::background(),
    };
    (Host::new(settings, strict), lines)
}

fn eval(script: &str) -> String {
    let (host, _) = printed();
    let ast = host.compile(script, "<test>", &Scope::new()).unwrap();
    match host.run(&ast, &mut Scope::new()) {
        Ok(value) => value.to_string(),
        Err(thrown) => {
            let error = super::explain(&thrown);
            format!("{}: {} | {}", error.kind(), error.message(), error.hint_text().unwrap_or_default())
        }
    }
}

#[test]
fn arguments_may_be_left_out_and_callbacks_come_without_the_options_before_them() {
    let cases = [
        ("logs()", "None None [] false"),
        ("logs(#{ tail: 3, timeout: \"1m\" })", "Some(3) Some(60s) [] false"),
        ("logs(#{ environment: [\"A=B\"], quiet: true })", "None None [\"A=B\"] true"),
        ("logs(\"> \")", "> None None [] false"),
        ("logs(|line| `${this.name} ${line}`)", "x None None [] false"),
        ("logs(#{ tail: 1 }, |line| line.len())", "21"),
        ("logs(\"> \", || 7)", "7"),
    ];
    for (call, expected) in cases {
        assert_eq!(eval(&format!("let t = test_thing(\"x\"); t.{call}")), expected, "{call}");
        assert_eq!(eval(&format!("const t = test_thing(\"x\"); t.{call}")), expected, "{call} on a constant");
    }
}

#[test]
fn mistakes_name_what_is_wrong_and_what_is_right() {
    let usage =
        "it is called as `TestThing.logs(prefix?: string, options?: LogsOptions, on_line?: function) -> string`";
    let cases = [
        ("t.logs(#{ tial: 3 })", "invalid: TestThing.logs: unknown option `tial` | did you mean `tail`?".to_owned()),
        (
            "t.logs(#{ quite: true })",
            "invalid: TestThing.logs: unknown option `quite` | did you mean `quiet`?".to_owned(),
        ),
        (
            "t.logs(#{ tail: \"a\" })",
            "invalid: TestThing.logs: option `tail` takes int, got string `\"a\"` | ".to_owned(),
        ),
        (
            "t.logs(#{ tail: -1 })",
            "invalid: TestThing.logs: option `tail` takes int from 0 to 4294967295, got int `-1` | ".to_owned(),
        ),
        (
            "t.logs(#{ env: [1] })",
            "invalid: TestThing.logs: option `env`: item 1 takes string, got int `1` | ".to_owned(),
        ),
        ("t.logs(5)", format!("invalid: TestThing.logs: does not take int `5` | {usage}")),
        ("t.logs(1, 2, 3, 4)", format!("script: TestThing.logs: takes 0 to 3 arguments, got 4 | {usage}")),
        ("t.lgos()", "script: `TestThing` has no method `lgos` | did you mean `logs`?".to_owned()),
        ("t.nmae", "script: `TestThing` has no property `nmae` | did you mean `name`?".to_owned()),
        ("t.name()", "script: `TestThing.name` is a property | write it without `()`".to_owned()),
        (
            "test_thing()",
            "script: test_thing: takes 1 argument, got 0 | it is called as `test_thing(name: string) -> TestThing`"
                .to_owned(),
        ),
        ("test_thing(5)", "invalid: test_thing: argument `name` takes string, got int `5` | ".to_owned()),
        (
            "test_thin(\"x\")",
            "script: there is no function `test_thin` for (string) | did you mean `test_thing`?".to_owned(),
        ),
        ("t.break_it()", "conflict: it is broken | mend it".to_owned()),
    ];
    for (call, expected) in cases {
        assert_eq!(eval(&format!("let t = test_thing(\"x\"); {call}")), expected, "{call}");
    }
}

#[test]
fn errors_are_caught_as_maps() {
    let caught = eval("try { test_thing(\"x\").break_it() } catch (e) { `${e.kind} ${e.message} ${e.hint}` }");
    assert_eq!(caught, "", "`try` is a statement");
    let caught = eval(
        "let r = 0; try { test_thing(\"x\").break_it() } catch (e) { r = `${e.kind}, ${e.message}, ${e.hint}`; } r",
    );
    assert_eq!(caught, "conflict, it is broken, mend it");
}

#[test]
fn what_a_callback_throws_comes_out_as_it_was_thrown() {
    let caught = eval("let r = 0; try { test_thing(\"x\").logs(|l| throw 42) } catch (e) { r = e; } r");
    assert_eq!(caught, "42");
}

#[test]
fn capturing_the_receiver_gets_an_error_that_says_what_to_do() {
    assert_eq!(
        eval("let t = test_thing(\"x\"); t.logs(|l| t.name)"),
        "script: a closure captures the value that the method `logs` is called on | \
         inside the closure, use `this` instead of the variable"
    );
    assert_eq!(eval("let t = test_thing(\"x\"); t.logs(|l| this.name)"), "x");
}

#[test]
fn handles_print_as_records_and_arrays_of_them_as_tables() {
    let (host, lines) = printed();
    let script = "let t = test_thing(\"web\"); print(t); print([t, test_thing(\"db\")]); print(`${t}`); print(#{ a: t, b: \"x\" });";
    let ast = host.compile(script, "<test>", &Scope::new()).unwrap();
    let _: Dynamic = host.run(&ast, &mut Scope::new()).unwrap();
    let expected =
        ["TestThing(name: web)", "NAME\nweb\ndb", "TestThing(name: web)", "#{a: TestThing(name: web), b: \"x\"}"];
    assert_eq!(*lines.lock().unwrap(), expected);
}

#[test]
fn objects_become_json_by_their_properties() {
    assert_eq!(eval("to_json([test_thing(\"x\"), (), 1.5])"), "[{\"name\":\"x\"},null,1.5]");
}

#[test]
fn help_finds_functions_through_a_value_and_by_name() {
    let (host, lines) = printed();
    let script = "let t = test_thing(\"x\"); help(t.logs); help(\"TestThing\"); help(t);";
    let ast = host.compile(script, "<test>", &Scope::new()).unwrap();
    let _: Dynamic = host.run(&ast, &mut Scope::new()).unwrap();
    let lines = lines.lock().unwrap();
    assert!(lines[0].contains("The options as they arrived.") && lines[0].contains("tail: int"), "{}", lines[0]);
    assert!(lines[0].contains("(or environment)") && lines[0].contains("quiet: bool"), "{}", lines[0]);
    assert!(lines[1].starts_with("TestThing\n\nA thing of the tests."), "{}", lines[1]);
    assert_eq!(lines[1], lines[2]);
}

#[test]
fn a_function_can_be_named_where_variables_are_not_strict() {
    let (host, lines) = host(false);
    let ast = host.compile("help(test_thing)", "<test>", &Scope::new()).unwrap();
    let _: Dynamic = host.run(&ast, &mut Scope::new()).unwrap();
    assert!(lines.lock().unwrap()[0].starts_with("test_thing(name: string) -> TestThing"));
}

#[test]
fn variables_and_parameters_may_have_the_names_of_functions() {
    let script = "fn f(timeout, args) { [1].map(|x| timeout + args + x) } let text = 5; f(1, 2)[0] + text";
    for strict in [true, false] {
        let (host, _) = host(strict);
        let ast = host.compile(script, "<test>", &Scope::new()).unwrap();
        assert_eq!(host.run(&ast, &mut Scope::new()).unwrap().as_int(), Ok(9));
    }
}

#[test]
fn a_closure_with_the_wrong_number_of_parameters_is_told_so() {
    for (script, expected) in [
        ("scope(|x| x)", "the closure takes 1 argument, it is called with 0"),
        ("let n = 1; retry(#{ times: 1 }, |a, b| a + b + n)", "the closure takes 2 arguments, it is called with 1"),
        ("let f = |x| x; f.call(1, 2)", "a closure is called with a number of arguments that it does not take"),
    ] {
        let error = eval(script);
        assert!(error.contains(expected), "{script}: {error}");
    }
}
