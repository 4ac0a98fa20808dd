//! `shanty check` on Dockerfiles: what is said where, and the exit codes.

use crate::support::Shanty;
use serde_json::{Value, json};

#[test]
fn a_dockerfile_that_cannot_be_read_is_shown_with_its_line() {
    let shanty = Shanty::new();
    shanty.write("Dockerfile", "FROM scratch\n\nRUN\n");
    let output = shanty.call(&["check", "Dockerfile"]).exits(2);
    let expected = "error[invalid]: Dockerfile:3: RUN needs a command\n  3 | RUN\n    | ^^^\n";
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", expected));
    shanty.call(&["check", "no/Dockerfile"]).exits(2);
}

#[test]
fn warnings_are_shown_and_no_error_unless_the_file_says_so() {
    let shanty = Shanty::new();
    let text = "FROM scratch\nWORKDIR a\nCOPY secret /\n";
    shanty.write(".dockerignore", "secret\n");
    shanty.write("Dockerfile.web", text);
    let output = shanty.call(&["check", "Dockerfile.web"]).ok();
    let expected = "\
warning[WorkdirRelativePath]: Dockerfile.web:2: where `a` is depends on the base image
  2 | WORKDIR a
    | ^^^^^^^^^
hint: begin it with `/`
warning[CopyIgnoredFile]: Dockerfile.web:3: COPY cannot find `secret`: the ignore file leaves it out
  3 | COPY secret /
    | ^^^^^^^^^^^^^
hint: add `!secret` to the ignore file
";
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", expected));
    // The file's own one is taken instead.
    shanty.write("Dockerfile.web.dockerignore", "");
    assert!(!shanty.call(&["check", "Dockerfile.web"]).ok().stderr.contains("CopyIgnoredFile"));
    for (directive, code) in [("error=true", 2), ("skip=all;error=true", 0), ("skip=WorkdirRelativePath;error=true", 0)]
    {
        shanty.write("own.dockerfile", &format!("# check={directive}\nFROM scratch\nWORKDIR a\n"));
        shanty.call(&["check", "own.dockerfile"]).exits(code);
    }
}

#[test]
fn warnings_can_be_had_as_json() {
    let shanty = Shanty::new();
    shanty.write("Containerfile", "FROM scratch\nRUN a \\\n\n b\n");
    shanty.write("fine.rhai", "print(1)");
    let output = shanty.call(&["--json", "check", "Containerfile", "fine.rhai"]).ok();
    let expected = json!([{
        "file": "Containerfile",
        "line": 2,
        "last_line": 4,
        "rule": "NoEmptyContinuation",
        "message": "an empty line is inside of the instruction",
        "hint": "take the empty line away",
    }]);
    assert_eq!(serde_json::from_str::<Value>(&output.stdout).unwrap(), expected);
    assert_eq!(output.stderr, "");
}
