//! The programs of `examples/`, run as a user runs them.

use crate::support::{Shanty, program, require};
use std::path::Path;

#[test]
fn the_quickstart_runs_and_leaves_nothing() {
    require!(program("ls")); // the example copies programs of this machine
    let shanty = Shanty::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart.rhai");

    let output = shanty.run_file(example).ok();

    assert!(output.stdout.contains("Hello from a container, you asked for /greeting"), "{output}");
    assert_eq!(shanty.json("containers(#{ all: true })"), serde_json::json!([]));
    shanty.assert_nothing_left();
}

#[test]
fn the_backup_example_runs_and_leaves_nothing() {
    require!(program("cat"));
    let shanty = Shanty::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/backup.rhai");

    let output = shanty.run_file(example).ok();

    assert!(output.stdout.contains("night 3: shop-orders-") && output.stdout.contains("1 old ones went"), "{output}");
    assert!(output.stdout.contains("order 1\norder 1"), "{output}");
    assert_eq!(shanty.json("[containers(#{ all: true }), volumes()]"), serde_json::json!([[], []]));
    shanty.assert_nothing_left();
}

#[test]
fn the_build_example_runs_and_leaves_nothing() {
    require!(program("sh"));
    let shanty = Shanty::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/build.rhai");
    let output = shanty.run_file(example).ok();
    let expected = "hello from vanilla\nhello from lemon\nhello from cocoa\n5 of 5 steps were there already\n";
    assert_eq!(output.stdout, expected);
    assert_eq!(shanty.json("images(#{ all: true }).len()"), 0);
}
