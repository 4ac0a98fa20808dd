//! Containers made by the runtime and its monitor: what a program sees, how it ends.

mod sandbox;

use sandbox::{Sandbox, program, shell};

#[test]
fn exit_codes_are_a_shells() {
    let sandbox = Sandbox::new();
    for (line, code) in [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$; sleep 9", 143)] {
        // As a child of PID 1: the kernel keeps signals from PID 1 itself.
        let line = format!("/bin/sh -c '{line}'; exit $?");
        assert_eq!(sandbox.sh(&line).code, code, "{line}");
    }
}
