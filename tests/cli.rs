//! The command line: what runs, what goes where, and the exit codes.

use crate::support::Shanty;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

#[test]
fn exit_codes_say_how_a_script_ended() {
    let shanty = Shanty::new();
    for (code, script) in [
        (0, "1 + 1"),
        (0, "exit()"),
        (7, "exit(7)"),
        (7, "[1].map(|x| exit(7))"),
        (7, "try { exit(7) } catch { exit(8) }"),
        (7, "scope(|| parallel([|| exit(7)]))"),
        (7, "retry(#{ times: 5, delay: 60 }, || exit(7))"),
        (1, "throw 1"),
        (1, "exit(256)"),
        (2, "foo("),
        (2, "let x = 1; y"),
    ] {
        let output = shanty.eval(script).output();
        assert_eq!(output.code, code, "{script}; {output}");
    }
    shanty.call(&["run", "no-such-file.rhai"]).exits(1);
    shanty.call(&["--no-such-option"]).exits(2);
}

#[test]
fn a_mistyped_command_is_told_the_right_one() {
    let output = Shanty::new().call(&["imagse"]).exits(2);
    assert!(output.stderr.contains("did you mean `shanty images`?"), "{output}");
}

#[test]
fn shipped_commands_say_how_they_are_called_and_that_there_is_nothing() {
    let shanty = Shanty::new();
    for option in ["--help", "-h"] {
        let help = shanty.call(&["cleanup", option]).ok();
        assert!(help.stdout.contains("--dry-run") && !help.stdout.contains("//"), "{help}");
    }
    assert_eq!(shanty.call(&["images"]).ok().stdout, "no images are here\n");
    assert_eq!(shanty.call(&["volumes"]).ok().stdout, "no volumes are here\n");
    assert!(shanty.call(&["ps"]).ok().stdout.starts_with("no container runs"));
    let help = shanty.eval(r#"help("image")"#).ok().stdout;
    assert!(help.contains(r#"`help("Image")`"#), "what an image can do is asked for next: {help}");
}

#[test]
fn scripts_come_from_files_arguments_standard_input_and_by_name() {
    let shanty = Shanty::new();
    let file = shanty.write("hello.rhai", "print(`hello ${args()} ${args.len}`);");
    shanty.run_file(&file).args(["a", "--json"]).prints("hello [\"a\", \"--json\"] 2\n");
    shanty.call(&["./hello.rhai", "x"]).prints("hello [\"x\"] 1\n");
    shanty.call(&[]).stdin("print(1 + 1)").prints("2\n");
    shanty.call(&["eval", "print(args())", "b"]).prints("[\"b\"]\n");
    std::fs::create_dir_all(shanty.home().join(".config/shanty/scripts")).unwrap();
    std::fs::write(shanty.home().join(".config/shanty/scripts/greet.rhai"), "print(`hi ${args[0]}`)").unwrap();
    shanty.call(&["greet", "you"]).prints("hi you\n");
}

#[test]
fn a_shebang_runs_a_script_and_keeps_its_lines() {
    let shanty = Shanty::new();
    let program = env!("CARGO_BIN_EXE_shanty");
    let file = shanty.write("tool", &format!("#!{program}\nprint(`got ${{args()}}`);\nthrow \"here\";\n"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = std::process::Command::new(&file).arg("x").env("SHANTY_ROOT", shanty.root()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "got [\"x\"]\n");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && stderr.contains("tool:3:1"), "{stderr}");
}

#[test]
fn json_is_one_document_on_standard_output_and_prints_go_beside_it() {
    let shanty = Shanty::new();
    let output = shanty.call(&["eval", "--json", "print(\"noise\"); #{ a: [1, (), 2.5], b: \"ä\\n\" }"]).ok();
    assert_eq!(output.stdout, "{\"a\":[1,null,2.5],\"b\":\"ä\\n\"}\n");
    assert_eq!(output.stderr, "noise\n");
    shanty.call(&["--json", "eval", "let x = 1;"]).prints("null\n");
    shanty.call(&["eval", "--json", "throw 1"]).exits(1);
}

#[test]
fn check_finds_mistakes_without_running_anything() {
    let shanty = Shanty::new();
    shanty.write("good.rhai", "print(\"must not run\");");
    shanty.write("bad.rhai", "let x = 1;\nprint(y);");
    shanty.call(&["check", "good.rhai"]).prints("");
    let output = shanty.call(&["check", "good.rhai", "bad.rhai"]).exits(2);
    assert!(output.stdout.is_empty() && output.stderr.contains("there is no variable `y`"), "{output}");
    assert!(output.stderr.contains("bad.rhai:2:7"), "{output}");
}

#[test]
fn doc_shows_the_reference_and_one_name() {
    let shanty = Shanty::new();
    let reference = shanty.call(&["doc"]).ok().stdout;
    assert!(reference.contains("## `fs::`") && reference.contains("```rhai"), "{reference}");
    let help = shanty.call(&["doc", "fs::read"]).ok().stdout;
    assert!(help.starts_with("fs::read(path: path) -> string\n\nThe text of a file."), "{help}");
    let output = shanty.call(&["doc", "paralel"]).exits(1);
    assert!(output.stderr.contains("did you mean `parallel`?"), "{output}");
}

#[test]
fn a_plain_script_opens_nothing() {
    let shanty = Shanty::new();
    shanty.eval("print(1)").prints("1\n");
    assert_eq!(std::fs::read_dir(shanty.root()).unwrap().count(), 0);
}

#[test]
fn an_unknown_engine_is_refused_only_when_it_is_needed() {
    let shanty = Shanty::new();
    shanty.call(&["--engine", "foo://bar", "eval", "print(1)"]).prints("1\n");
    shanty.call(&["--engine", "foo://bar", "eval", "images()"]).fails_with("unsupported");
}

#[test]
fn log_goes_to_standard_error_and_a_wrong_level_is_usage() {
    let shanty = Shanty::new();
    shanty.call(&["--log", "debug", "eval", "print(1)"]).prints("1\n");
    shanty.call(&["--log", "x=y=z", "eval", "1"]).exits(2);
}

#[test]
fn info_says_which_ways_are_in_use() {
    let shanty = Shanty::new();
    let lines = shanty.call(&["info"]).ok().stdout;
    for name in ["engine", "ids", "layers", "way out", "control groups", "security"] {
        assert!(lines.lines().any(|line| line.starts_with(name)), "{name}: {lines}");
    }
    let said: Value = serde_json::from_str(&shanty.call(&["--json", "info"]).ok().stdout).unwrap();
    assert_eq!(said["root"], shanty.root().to_str().unwrap());
    let is_rootless = said["rootless"].as_bool().unwrap();
    let attributes = if is_rootless { "user.overlay" } else { "trusted.overlay" };
    assert_eq!(said["storage"]["attributes"], attributes, "{said}");
    assert_eq!(said["storage"]["reason"] == "", said["storage"]["layers"] == "erofs", "{said}");
    assert!(said["security"].as_array().unwrap().contains(&"seccomp".into()), "{said}");
    shanty.call(&["info", "--all"]).fails_with("script");
}
