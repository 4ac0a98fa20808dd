//! The engine's own binary, as a process on its way into a container leads to it.

use super::{compile, hostile_image};
use crate::support::busybox::with_busybox;
use crate::support::{Shanty, program, require};
use std::os::unix::fs::MetadataExt;

/// A shanty with the image `hostile:1`, in which executing the engine's binary runs `overwrite.c`.
fn with_an_overwriting_loader() -> Shanty {
    let shanty = with_busybox().unwrap();
    let options = ["-O1", "-nostdlib", "-static-pie", "-fPIE", "-fno-stack-protector"];
    let loader = compile(&shanty, "overwrite.c", &options);
    hostile_image(&shanty, |layer| {
        layer.file("lib64/ld-linux-x86-64.so.2", &loader);
        layer.file("evil", b"#!/proc/self/exe\n");
    });
    shanty
}

/// What of the host's binary must stay as it is.
fn binary() -> (u64, u64, i64, u32) {
    let found = std::fs::metadata(env!("CARGO_BIN_EXE_shanty")).unwrap();
    (found.ino(), found.len(), found.mtime(), found.mode())
}

/// CVE-2019-5736.
#[test]
fn the_engines_binary_is_not_overwritten_through_proc_self_exe() {
    require!(program("cc"), program("busybox"));
    let shanty = with_an_overwriting_loader();
    let before = binary();
    let ends = "c.wait(); let text = c.logs(); c.remove(); text";
    let goes_on = "eventually(#{ timeout: `60s` }, || c.exec(`test -e /result`, #{ check: false }).code == 0);
                   let text = c.exec(`cat /result`).text; c.remove(#{ force: true }); text";
    // (what is done, the options, what follows)
    let attacks = [
        ("as the program", "[`/evil`], #{ network: `none` }", ends.to_owned()),
        ("by its link", "[`/proc/self/exe`, `eval`], #{ network: `none` }", ends.to_owned()),
        (
            "as a command",
            "[`sleep`, `1000`], #{ network: `none` }",
            format!("c.exec([`/evil`], #{{ detach: true }}); {goes_on}"),
        ),
        (
            "as the health check",
            "[`sleep`, `1000`], #{ network: `none`, healthcheck: #{ test: [`CMD`, `/evil`], interval: `1s` } }",
            goes_on.to_owned(),
        ),
    ];
    for (attack, options, follows) in attacks {
        let code = format!("let c = image(`hostile:1`).run({options}); {follows}");
        let outcome = shanty.json(&code);
        let outcome = outcome.as_str().unwrap_or_else(|| panic!("{attack}: {outcome}")).trim();
        // EROFS of the read-only overlay, or EPERM of the sealed copy.
        assert!(["errno 30", "errno 01"].contains(&outcome), "{attack}: {outcome}");
        assert_eq!(binary(), before, "{attack}");
    }
}
#[test]
fn the_init_of_a_container_is_not_a_way_to_the_engines_binary() {
    let shanty = require!(with_busybox());
    let before = binary();
    let script =
        "cat /proc/1/comm; (: > /proc/1/exe) 2>&1; (echo x >> /proc/1/exe) 2>&1; (: > /proc/self/exe) 2>&1; true";
    let text = shanty
        .json(&format!("image(`busybox:1`).exec([`sh`, `-c`, `{script}`], #{{ init: true, network: `none` }}).stdout"));
    let text = text.as_str().unwrap();
    assert!(!text.starts_with("sh\n"), "process 1 is no init: {text}");
    for line in text.lines().skip(1) {
        assert!(
            line.contains("Read-only file system") || line.contains("Text file busy") || line.contains("denied"),
            "{text}"
        );
    }
    assert_eq!(binary(), before);
}
