//! System call filters.

use crate::support::busybox::with_busybox;
use crate::support::require;

#[test]
fn a_profile_file_in_dockers_format_filters_system_calls() {
    let shanty = require!(with_busybox());
    shanty.write(
        "no-mkdir.json",
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": null},
            {"architecture": "SCMP_ARCH_AARCH64"}],
            "syscalls": [{"names": ["mkdir", "mkdirat", "not_a_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28, "args": null},
                         {"name": "chmod", "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 511, "op": "SCMP_CMP_EQ"}]},
                         {"names": ["fchmodat", "fchmodat2"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 2, "value": 511, "op": "SCMP_CMP_EQ"}]}]}"#,
    );
    // The file is read when the container is made; `exec` is filtered, too.
    shanty
        .eval(
            r#"let c = image("busybox:1").create("sleep 1000", #{ seccomp: "no-mkdir.json", network: "none" });
               fs::remove("no-mkdir.json");
               c.start();
               let line = "grep ^Seccomp: /proc/self/status; mkdir /x; chmod 777 /tmp; chmod 700 /tmp && echo done";
               let r = c.exec(["sh", "-c", line], #{ check: false });
               print(r.stdout + r.stderr);
               c.remove(#{ force: true })"#,
        )
        .prints(
            "Seccomp:\t2\ndone\nmkdir: can't create directory '/x': No space left on device\nchmod: /tmp: Operation not permitted\n\n",
        );
}

#[test]
fn filters_are_chosen_by_name_and_privileged_has_none() {
    let shanty = require!(with_busybox());
    for (options, expected) in [
        ("seccomp: \"builtin\"", "2"),
        ("seccomp: \"unconfined\"", "0"),
        ("privileged: true", "0"),
        ("privileged: true, seccomp: \"all.json\"", "2"),
        ("", "2"),
    ] {
        shanty.write("all.json", r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#);
        let code = format!(
            r#"print(image("busybox:1").exec("grep ^Seccomp: /proc/self/status", #{{ network: "none", {options} }}).text)"#
        );
        shanty.eval(&code).prints(&format!("Seccomp:\t{expected}\n"));
    }
}

#[test]
fn wrong_profiles_are_refused_with_the_place() {
    let shanty = require!(with_busybox());
    shanty
        .write("bad.json", r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "mkdir", "action": "DENY"}]}"#);
    let bad = shanty.eval(r#"image("busybox:1").run(#{ seccomp: "bad.json" })"#).fails_with("invalid");
    assert!(bad.stderr.contains("`bad.json` is wrong: unknown variant `DENY`"), "{bad}");
    shanty.eval(r#"image("busybox:1").run(#{ seccomp: "missing.json" })"#).fails_with("not_found");
}

#[test]
fn conditional_rules_follow_the_capabilities() {
    let shanty = require!(with_busybox());
    for (options, expected) in [("", "1"), (r#"cap_add: "SYS_ADMIN""#, "0"), (r#"cap_drop: "SYS_CHROOT""#, "1")] {
        let line = if options.contains("CHROOT") { "chroot / true" } else { "unshare -u true" };
        let code = format!(
            r#"print(image("busybox:1").exec(["sh", "-c", "{line}"], #{{ network: "none", check: false, {options} }}).code)"#
        );
        shanty.eval(&code).prints(&format!("{expected}\n"));
    }
}
