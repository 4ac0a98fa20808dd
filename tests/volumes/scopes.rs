//! Volumes that belong to a scope.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::wait::wait_until;
use nix::sys::signal::Signal;
use serde_json::json;
use std::time::Duration;

#[test]
fn a_scope_takes_its_volumes_along_unless_they_are_kept() {
    let shanty = require!(with_busybox());
    let code = r#"
        scope(|| {
            create_volume("made");
            keep(create_volume("kept"));
            image("busybox:1").exec("true", #{ volumes: ["named:/d", "/anonymous"], network: "none" });
            image("busybox:1").create("true", #{ volumes: ["/own"], network: "none" });
            keep(image("busybox:1").create("true", #{ name: "kept", volumes: ["with_it:/d"], network: "none" }));
        });
        volumes().map(|v| v.name)"#;
    assert_eq!(shanty.json(code), json!(["kept", "with_it"]));
}

#[test]
fn volumes_of_a_script_that_was_killed_go_with_the_next_command() {
    let shanty = require!(with_busybox());
    let script = shanty
        .eval(r#"scope(|| { create_volume("made"); image("busybox:1").run("sleep 1000", #{ volumes: ["made:/d", "/own"], network: "none" }); print("ready"); sleep(1000) })"#)
        .spawn();
    script.wait_for_stdout("ready");
    script.signal(Signal::SIGKILL);
    wait_until(Duration::from_secs(30), || shanty.json("volumes().len()") == json!(0));
}
