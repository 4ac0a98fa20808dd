//! Dockerfiles and contexts of strangers: nothing of this machine gets into an image, and steps have no more rights than containers.

use super::{fails, sh};
use crate::support::busybox::with_busybox;
use crate::support::require;
use serde_json::json;
use std::os::unix::fs::symlink;

#[test]
fn sources_never_leave_the_context() {
    let shanty = require!(with_busybox());
    shanty.write("secret/token", "hunter2");
    shanty.write("app/own/token", "own");
    let app = shanty.work().join("app");
    let outside = shanty.work().join("secret");
    symlink(&outside, app.join("absolute")).unwrap();
    symlink("../secret", app.join("relative")).unwrap();
    symlink("../../../../../../../../../../etc/passwd", app.join("passwd")).unwrap();
    symlink("/own", app.join("inside")).unwrap();
    for source in ["absolute", "relative/token", "absolute/*", "passwd", "../secret/token", "/../secret/token"] {
        let error = fails(&shanty, &format!("FROM busybox:1\nCOPY {source} /x/\nRUN cat -r /x\n"));
        assert!(!error.contains("hunter2") && !error.contains("root:"), "{source}: {error}");
    }
    assert_eq!(sh(&shanty, "FROM busybox:1\nCOPY inside /x/\n", "cat /x/token"), "own");
    // Inside of a folder a link is a link.
    let all = sh(&shanty, "FROM busybox:1\nCOPY . /x/\n", "readlink /x/passwd; ls /x/own");
    assert_eq!(all, "../../../../../../../../../../etc/passwd\ntoken");
    for mount in ["absolute", "relative"] {
        let line = format!("FROM busybox:1\nRUN --mount=type=bind,source={mount},target=/m cat /m/token\n");
        let error = fails(&shanty, &line);
        assert!(!error.contains("hunter2"), "{error}");
    }
    // The Dockerfile of a context is no way out either.
    std::fs::remove_file(app.join("Dockerfile")).unwrap();
    symlink(outside.join("token"), app.join("Dockerfile")).unwrap();
    let error = shanty.eval(r#"build("app")"#).exits(1);
    assert!(!error.stderr.contains("hunter2"), "{error}");
}

#[test]
fn paths_of_a_stage_never_leave_it() {
    let shanty = require!(with_busybox());
    let token = shanty.write("secret/token", "hunter2").display().to_string();
    let build = format!(
        "FROM busybox:1 AS bad\nRUN ln -s {token} /link && ln -s / /root-of-it && ln -s ../../../../../../.. /up\n\
         FROM busybox:1\nCOPY --from=bad SOURCE /x/\n"
    );
    for source in ["/link", &format!("/up{token}"), &format!("/root-of-it{token}"), &format!("/../..{token}")] {
        let error = fails(&shanty, &build.replace("SOURCE", source));
        assert!(error.contains("not") && !error.contains("hunter2"), "{source}: {error}");
    }
    assert_eq!(sh(&shanty, &build.replace("SOURCE", "/root-of-it/etc/passwd"), "head -c4 /x/passwd"), "root");
    // Nor does a target: a link of the image is followed inside of it.
    shanty.write("app/file", "x");
    let said = sh(&shanty, "FROM busybox:1\nRUN ln -s /tmp /out\nCOPY file /out/\nWORKDIR /out/deep\n", "ls /tmp");
    assert_eq!(said, "deep\nfile");
}

#[test]
fn a_step_is_a_container_like_any_other() {
    let shanty = require!(with_busybox());
    let step = sh(&shanty, "FROM busybox:1\nRUN grep -E 'Cap|Seccomp:' /proc/self/status > /rights\n", "cat /rights");
    let container =
        shanty.json(r#"image("busybox:1").sh("grep -E 'Cap|Seccomp:' /proc/self/status", #{ network: "none" }).text"#);
    assert_eq!(json!(step), container);
    for line in ["mount -t tmpfs x /mnt", "mknod /sda b 8 0 && cat /sda", "echo 1 > /proc/sys/kernel/panic"] {
        fails(&shanty, &format!("FROM busybox:1\nRUN {line}\n"));
    }
    let insecure =
        r#"build("app", #{ network: "none", allow: "security.insecure" }).sh("cat /caps", #{ network: "none" }).text"#;
    shanty.write("app/Dockerfile", "FROM busybox:1\nRUN --security=insecure grep CapEff /proc/self/status > /caps\n");
    assert_ne!(shanty.json(insecure), container);
}

#[test]
fn nothing_of_a_mount_stays_in_the_image() {
    let shanty = require!(with_busybox());
    shanty.write("app/file", "x");
    let said = sh(
        &shanty,
        "FROM busybox:1\n\
         RUN --mount=type=cache,target=/var/cache/x --mount=type=tmpfs,target=/t --mount=type=bind,target=/ctx,rw \
             touch /var/cache/x/kept /t/gone /ctx/written && cat /ctx/file > /made\n",
        "cat /made; ls /var /t /ctx 2>&1; ls /etc",
    );
    assert!(said.starts_with('x') && !said.contains("kept") && !said.contains("written"), "{said}");
    assert!(!shanty.work().join("app/written").exists());
    let again = sh(
        &shanty,
        "FROM busybox:1\nRUN --mount=type=cache,target=/var/cache/x ls /var/cache/x > /found\n",
        "cat /found",
    );
    assert_eq!(again, "kept");
}
