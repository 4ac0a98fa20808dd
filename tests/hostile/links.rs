//! Paths: links in images and in shared volumes that change under the engine's hands.

use super::hostile_image;
use crate::support::busybox::with_busybox;
use crate::support::{Shanty, require};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a container sees when nothing went wrong: the kernel's files are hidden and cannot be written.
const PROBE: &str = "stat -c %t:%T /proc/keys; (echo x > /proc/sys/kernel/core_pattern) 2>/dev/null && echo written; \
                     (echo x > /proc/sysrq-trigger) 2>/dev/null && echo written; stat -f -c %T /proc";
const PROBED: &str = "1:3\nproc\n";

/// What running the probe comes to: its output, or the kind and message of the error.
fn probe(shanty: &Shanty, options: &str) -> Value {
    shanty.json(&format!(
        "let r = (); try {{ r = image(`hostile:1`).exec([`sh`, `-c`, `{PROBE}`], #{{ network: `none`, {options} }}).stdout }}
         catch (e) {{ r = [e.kind, e.message] }} r"
    ))
}

/// CVE-2024-21626.
#[test]
fn no_descriptor_is_a_working_directory_that_leads_out() {
    let shanty = require!(with_busybox());
    hostile_image(&shanty, |layer| {
        for number in 0..32 {
            layer.link(&format!("fd{number}"), &format!("/proc/self/fd/{number}"));
        }
        layer.link("cwd", "/proc/self/cwd");
        layer.link("root-up", "/proc/self/root/../../..");
    });
    // Where it got to, by the directories above it: none of them may be the host's.
    let code = r#"
        let c = image("hostile:1").run(["sleep", "1000"], #{ network: "none" });
        let dirs = ["/cwd", "/root-up", "/proc/1/cwd", "/proc/self/cwd"];
        for number in 3..16 { dirs += [`/proc/self/fd/${number}`, `/fd${number}`]; }
        let probe = ["sh", "-c", "/bin/cat ../../../../../../../../etc/hostname ../../../../../../../etc/passwd"];
        let seen = [];
        for dir in dirs {
            try { seen.push(c.exec(probe, #{ workdir: dir, check: false }).stdout) } catch (e) { seen.push(e.kind) }
        }
        seen.dedup(); seen.sort(); seen.dedup();
        [c.exec("cat /etc/hostname /etc/passwd").stdout, seen]
    "#;
    let value = shanty.json(code);
    let own = &value[0];
    assert!(own.as_str().unwrap().contains("/home/user"), "{own}");
    for seen in value[1].as_array().unwrap() {
        assert!(
            seen == own || ["exit", "io", "invalid", "not_found", "denied"].contains(&seen.as_str().unwrap()),
            "{seen}"
        );
    }
    // The same at the start, by an option and by the image.
    let code = r#"
        let seen = [];
        let probe = ["sh", "-c", "/bin/cat ../../../../../../../etc/passwd"];
        for number in 5..10 {
            for dir in [`/proc/self/fd/${number}`, `/fd${number}`] {
                try { seen.push(image("hostile:1").exec(probe, #{ workdir: dir, check: false, network: "none" }).stdout) }
                catch (e) { seen.push(e.kind) }
            }
        }
        for number in [7, 8] {
            from("hostile:1").workdir(`/proc/self/fd/${number}`).tag("out:1");
            try { seen.push(image("out:1").exec(probe, #{ check: false, network: "none" }).stdout) }
            catch (e) { seen.push(e.kind) }
        }
        seen.sort(); seen.dedup();
        seen
    "#;
    for seen in shanty.json(code).as_array().unwrap() {
        let seen = seen.as_str().unwrap();
        let inside = seen == "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:User:/home/user:/bin/sh\n";
        assert!(inside || ["exit", "io", "invalid", "not_found", "denied"].contains(&seen), "{seen}");
    }
}

/// CVE-2025-31133, CVE-2025-52565: what masks are made of, and what the terminal is put on.
#[test]
fn links_in_dev_of_the_image_redirect_no_mask() {
    let shanty = require!(with_busybox());
    hostile_image(&shanty, |layer| {
        for name in ["null", "console", "pts/0", "ptmx", "tty", "zero"] {
            layer.link(&format!("dev/{name}"), "/proc/sys/kernel/core_pattern");
        }
    });
    assert_eq!(probe(&shanty, ""), PROBED);
    let code = format!(
        "let c = image(`hostile:1`).run([`sh`, `-c`, `{PROBE}; stat -c %F /dev/console`], #{{ network: `none`, tty: true }});
         [c.wait(), c.logs()]"
    );
    let value = shanty.json(&code);
    let expected = format!("{PROBED}character special file\n");
    assert_eq!(value[1].as_str().unwrap().replace('\r', ""), expected, "{value}");
}

/// The same, by another container that shares a volume and changes it meanwhile.
#[test]
fn a_dev_that_changes_while_the_container_starts_redirects_no_mask() {
    let shanty = require!(with_busybox());
    hostile_image(&shanty, |_| ());
    let dev = shanty.work().join("dev");
    std::fs::create_dir(&dev).unwrap();
    let core_pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let flip = |turn: u32| {
        for name in ["null", "console", "ptmx"] {
            let (next, path) = (dev.join("next"), dev.join(name));
            let target = ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"][turn as usize % 2];
            drop(std::fs::remove_file(&next));
            if turn.is_multiple_of(3) {
                drop(std::fs::remove_file(&path));
            } else if symlink(target, &next).is_ok() {
                drop(std::fs::rename(&next, &path));
            }
        }
    };
    let options = format!("volumes: [`{}:/dev`]", dev.display());
    let outcomes = while_flipping(flip, || (0..12).map(|_| probe(&shanty, &options)).collect());
    for outcome in outcomes {
        assert!(outcome == PROBED || outcome.is_array(), "{outcome}");
    }
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), core_pattern);
}

/// CVE-2021-30465, CVE-2025-52881: a mount target that turns into a link, to `/proc` or out.
#[test]
fn a_mount_target_that_turns_into_a_link_stays_inside_and_out_of_proc() {
    let shanty = require!(with_busybox());
    hostile_image(&shanty, |_| ());
    let (shared, other, host) = (shanty.work().join("shared"), shanty.work().join("other"), shanty.work().join("host"));
    for folder in [&shared, &other, &host] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(other.join("marker"), "x").unwrap();
    let up = format!("../../../../../../../../../..{}", host.display());
    let targets = ["/proc", "/proc/sys", "/proc/self/attr", "/sys", &up];
    let flip = |turn: u32| {
        let (next, path) = (shared.join("next"), shared.join("x"));
        drop(std::fs::remove_file(&next));
        let target = targets[turn as usize % targets.len()];
        if turn.is_multiple_of(2) {
            drop(std::fs::remove_file(&path));
            drop(std::fs::create_dir(&path));
        } else if symlink(target, &next).is_ok() {
            drop(std::fs::remove_dir(&path));
            drop(std::fs::rename(&next, &path));
        }
    };
    let options = format!("volumes: [`{}:/shared`, `{}:/shared/x`]", shared.display(), other.display());
    let outcomes = while_flipping(flip, || (0..12).map(|_| probe(&shanty, &options)).collect());
    for outcome in outcomes {
        assert!(outcome == PROBED || outcome.is_array(), "{outcome}");
    }
    assert_eq!(std::fs::read_dir(&host).unwrap().count(), 0, "nothing was made or mounted on the host");
    assert!(!std::fs::read_to_string("/proc/self/mounts").unwrap().contains(host.to_str().unwrap()));
}

#[test]
fn nothing_is_mounted_inside_proc_and_no_target_leads_out() {
    let shanty = require!(with_busybox());
    let (other, host) = (shanty.work().join("other"), shanty.work().join("host"));
    for folder in [&other, &host] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(other.join("marker"), "x").unwrap();
    let up = format!("../../../../../../../../../..{}", host.display());
    hostile_image(&shanty, |layer| {
        layer.link("to-proc", "/proc/sys/net");
        layer.link("to-attr", "/proc/self/attr");
        layer.link("to-magic", "/proc/self/root/proc/sys");
        layer.link("to-host", &up);
    });
    for target in ["/proc/sys/net", "/proc/self/attr", "/to-proc", "/to-attr", "/to-magic", "/proc/1/root/proc/sys"] {
        let outcome = probe(&shanty, &format!("volumes: [`{}:{target}`]", other.display()));
        assert!(outcome.is_array(), "{target}: {outcome}");
        let outcome = probe(&shanty, &format!("tmpfs: [`{target}`]"));
        assert!(outcome.is_array(), "tmpfs on {target}: {outcome}");
    }
    // Single files of LXCFS are what people do mount there.
    assert_eq!(probe(&shanty, &format!("volumes: [`{}:/proc/uptime`]", other.join("marker").display())), PROBED);
    let code = format!(
        "image(`hostile:1`).exec([`ls`, `/to-host/`], #{{ volumes: [`{}:/to-host`], network: `none` }}).text",
        other.display()
    );
    assert_eq!(shanty.json(&code), "marker");
    assert_eq!(std::fs::read_dir(&host).unwrap().count(), 0, "nothing was made or mounted on the host");
}

#[test]
fn a_link_in_a_volume_is_the_containers_not_the_hosts() {
    let shanty = require!(with_busybox());
    let volume = shanty.work().join("volume");
    std::fs::create_dir(&volume).unwrap();
    std::fs::write(shanty.work().join("secret"), "of the host").unwrap();
    symlink(shanty.work().join("secret"), volume.join("absolute")).unwrap();
    symlink("../secret", volume.join("up")).unwrap();
    let code = format!(
        "let r = image(`busybox:1`).exec([`cat`, `/volume/absolute`, `/volume/up`], #{{ volumes: [`{}:/volume`], check: false, network: `none` }});
         [r.code, r.stdout]",
        volume.display()
    );
    assert_eq!(shanty.json(&code), json!([1, ""]));
}

#[test]
fn an_etc_passwd_that_is_a_link_a_pipe_or_a_gigabyte_harms_nobody() {
    let shanty = require!(with_busybox());
    let started = std::time::Instant::now();
    // A link out, to a file of the host that has a user of this name; a pipe that nobody writes to; a gigabyte.
    std::fs::write(shanty.work().join("passwd"), "outsider:x:0:0::/:/bin/sh\n").unwrap();
    let up = format!("/../../../../..{}", shanty.work().join("passwd").display());
    let shapes = [
        ("link out", format!("ln -s {up} /etc/passwd"), "not_found"),
        ("pipe", "mkfifo /etc/passwd".to_owned(), "invalid"),
        ("gigabyte", "truncate -s 1073741824 /etc/passwd".to_owned(), "invalid"),
        ("folder", "mkdir /etc/passwd".to_owned(), "invalid"),
        ("device", "ln -s /dev/zero /etc/passwd".to_owned(), "invalid"),
    ];
    for (shape, make, kind) in shapes {
        let value = shanty.json(&format!(
            "let c = image(`busybox:1`).run([`sh`, `-c`, `rm -rf /etc/passwd; {make}; echo made; exec sleep 1000`], #{{ network: `none` }});
             c.wait_for(#{{ log: `made` }});
             let caught = `nothing`;
             try {{ c.exec([`true`], #{{ user: `outsider` }}) }} catch (e) {{ caught = e.kind }}
             c.remove(#{{ force: true }});
             caught"
        ));
        assert_eq!(value, kind, "{shape}");
    }
    assert!(started.elapsed() < Duration::from_secs(120));
}

/// Calls `flip` over and over while `work` is done.
fn while_flipping(flip: impl Fn(u32) + Sync, work: impl FnOnce() -> Vec<Value>) -> Vec<Value> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flipping = scope.spawn(|| {
            let mut turn = 0;
            while !done.load(Ordering::SeqCst) {
                flip(turn);
                turn += 1;
                // Some changes fall into each start, and the start gets its share of the processor.
                std::thread::sleep(Duration::from_micros(100));
            }
            turn
        });
        let result = work();
        done.store(true, Ordering::SeqCst);
        assert!(flipping.join().unwrap() > 10);
        result
    })
}
