//! How errors look, and what `catch` sees of them.

use crate::support::Shanty;

fn drawn(shanty: &Shanty, file: &str) -> String {
    shanty.call(&["run", file]).exits(1).stderr
}

#[test]
fn an_uncaught_error_is_drawn_over_the_script_with_the_calls_that_led_there() {
    let shanty = Shanty::new();
    shanty.write("lib/deep.rhai", "fn wait_a_bit(t) {\n    // not a duration\n    sleep(t);\n}\n");
    shanty.write(
        "main.rhai",
        "import \"lib/deep\" as deep;\nfn wait_all(list) {\n\tlist.map(|x| deep::wait_a_bit(x))\n}\nlet x = 1; wait_all([\"soon\"]);\n",
    );
    insta::assert_snapshot!(drawn(&shanty, "main.rhai"));
}

#[test]
fn mistakes_point_at_the_token_and_suggest_the_right_name() {
    let shanty = Shanty::new();
    let cases = [
        "let d = duration(5); d.secnds",
        "sleeep(5)",
        "parallel([], #{ limt: 3 })",
        "let t = now(); t.formt(\"%Y\")",
        "fs::raed(\"x\")",
        "assert_eq(1, 2, \"numbers\")",
        "let a = [1]; a[3]",
        "1 / 0",
        "throw \"plain\"",
        "throw #{ kind: \"busy\", message: \"later\", hint: \"wait\" }",
        "try { throw 1 } catch (e) { /* same line */ sleep(`x`) }",
        "host_sh(\"echo out; echo err >&2; exit 3\")",
        "import \"nowhere\" as n;",
        "fn f(n) { f(n + 1) } f(0)",
    ];
    let mut all = String::new();
    for (index, case) in cases.iter().enumerate() {
        shanty.write(&format!("case{index}.rhai"), case);
        all.push_str(&drawn(&shanty, &format!("case{index}.rhai")));
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}

#[test]
fn scripts_that_do_not_parse_say_why() {
    let shanty = Shanty::new();
    let mut all = String::new();
    for case in
        ["let x = ;", "foo(", "let until = 1", "print(\"abc", "fn f() { x }", "helo::x()", "let s = `a ${1 +} b`"]
    {
        all.push_str(&shanty.eval(case).exits(2).stderr);
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}

#[test]
fn every_caught_error_has_a_kind_and_a_message() {
    let shanty = Shanty::new();
    for (throws, expected) in [
        ("sleep(\"x\")", "invalid"),
        ("fs::read(\"/no/such\")", "not_found"),
        ("host(\"false\")", "exit"),
        ("host([\"/no/such/program\"])", "exit"),
        ("timeout(\"1ms\", || loop {})", "timeout"),
        ("eventually(#{ timeout: \"1ms\", interval: \"1ms\" }, || false)", "timeout"),
        ("http::get(\"http://127.0.0.1:1/\")", "network"),
        ("http::get(\"nonsense\")", "invalid"),
        ("let t = background(|| sleep(60)); t.cancel(); t.join()", "cancelled"),
        ("[1][5]", "script"),
        ("nosuch(1)", "script"),
        ("1 / 0", "script"),
        ("\"a\".nosuch()", "script"),
        ("assert(false)", "script"),
        ("import \"nowhere\" as n; n::f()", "not_found"),
        ("json::parse(\"{\")", "invalid"),
        ("env(\"SURELY_NOT_SET\")", "not_found"),
    ] {
        let script = format!("try {{ {throws} }} catch (e) {{ print(`${{e.kind}} ${{e.message.len() > 3}}`) }}");
        let output = shanty.eval(&script).ok();
        assert_eq!(output.stdout, format!("{expected} true\n"), "{throws}; {output}");
    }
}

#[test]
fn a_failed_command_brings_its_code_and_output() {
    Shanty::new()
        .eval("try { host_sh(\"echo out; echo err >&2; exit 3\") } catch (e) { print([e.code, e.stdout, e.stderr]) }")
        .prints("[3, \"out\\n\", \"err\\n\"]\n");
}

#[test]
fn what_a_script_throws_is_caught_unchanged_through_native_calls() {
    let shanty = Shanty::new();
    for call in ["scope(|| throw #{ a: 1 })", "parallel([|| throw #{ a: 1 }])", "timeout(60, || throw #{ a: 1 })"] {
        shanty.eval(&format!("try {{ {call} }} catch (e) {{ print(e) }}")).prints("#{a: 1}\n");
    }
}

#[test]
fn what_a_function_of_a_module_throws_points_at_its_call() {
    let shanty = Shanty::new();
    shanty.write("main.rhai", "fn f() {\n    fs::read(\"/nope\")\n}\n\nf();\n");
    let text = drawn(&shanty, "main.rhai");
    assert!(text.contains("--> main.rhai:2:") && text.contains("2 |     fs::read("), "{text}");
    shanty.write("main.rhai", "let x = 1;\nfs::write(\"/x\", 5);\n");
    let text = drawn(&shanty, "main.rhai");
    assert!(text.contains("--> main.rhai:2:") && text.contains("2 | fs::write("), "{text}");
}
