//! Containers that change their files while these are copied: nothing is read or written outside of them.

use super::idle;
use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use serde_json::json;
use std::fs;

/// A folder of the host with a secret, which links of the container lead to.
fn secret(shanty: &Shanty) -> String {
    let folder = shanty.work().join("secret");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "of the host").unwrap();
    folder.to_str().unwrap().to_owned()
}

/// The secret's folder holds what it held.
fn assert_untouched(shanty: &Shanty) {
    let names: Vec<_> = fs::read_dir(shanty.work().join("secret")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["file"]);
    assert_eq!(fs::read_to_string(shanty.work().join("secret/file")).unwrap(), "of the host");
}

/// CVE-2018-15664: between the look at a path and its use, a folder becomes a link to a path of the host.
#[test]
fn a_folder_that_is_swapped_for_a_link_leads_nowhere_outside() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    let secret = secret(&shanty);
    // The container has a folder of the same path, so that the link leads somewhere inside too.
    let swap = format!(
        "mkdir -p {secret} /swap /real; echo inside > {secret}/file; echo inside > /real/file; ln -s {secret} /link
         while :; do mv /swap /out; mv /link /swap; mv /swap /link; mv /out /swap; done"
    );
    shanty.write("swap.sh", &swap);
    fs::create_dir(shanty.work().join("tree")).unwrap();
    fs::write(shanty.work().join("tree/planted"), "planted").unwrap();
    fs::write(shanty.work().join("planted"), "planted").unwrap();
    let attack = r#"
        let c = container("box");
        c.copy_to("swap.sh", "/dev/shm/");
        c.exec(["sh", "/dev/shm/swap.sh"], #{ detach: true });
        c.wait_for(#{ exec: ["test", "-d", "/real"] });
        let done = #{ ok: 0, failed: 0 };
        for i in 0..150 {
            try { c.copy_to("planted", "/swap/planted"); done.ok += 1 } catch (e) { done.failed += 1 }
            try { c.copy_to("tree", "/swap/tree"); done.ok += 1 } catch (e) { done.failed += 1 }
            try { c.write("/swap/written", "planted"); done.ok += 1 } catch (e) { done.failed += 1 }
            try { if c.read("/swap/file") == "of the host" { throw "read the host" } done.ok += 1 } catch (e) { if e == "read the host" { throw e } done.failed += 1 }
            try { c.copy_from("/swap/.", "got"); done.ok += 1 } catch (e) { done.failed += 1 }
            if i % 25 == 0 { try { c.export_tar("all.tar"); c.diff(); done.ok += 1 } catch (e) { done.failed += 1 } }
        }
        done"#;
    let done = shanty.json(attack);
    assert!(done["ok"].as_i64().unwrap() > 50, "{done}");
    assert_untouched(&shanty);
    // What was copied out is the container's.
    let got = shanty.work().join("got/file");
    assert!(!got.exists() || fs::read_to_string(got).unwrap() == "inside\n");
    let tar = String::from_utf8_lossy(&fs::read(shanty.work().join("all.tar")).unwrap()).into_owned();
    assert!(!tar.contains("of the host"));
}

#[test]
fn links_that_lead_out_are_taken_inside_or_refused() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    let secret = secret(&shanty);
    let links = format!(
        "ln -s {secret} /a; ln -s ../../../../../../..{secret} /b; ln -s /proc/self/root /c; ln -s /proc/1/root{secret} /d
         ln -s /proc/1/cwd /e; ln -s {secret}/file /f; ln -s /proc/self/fd/0 /g"
    );
    shanty.write("links.sh", &links);
    shanty.write("planted", "planted");
    let attack = r#"
        let c = container("box");
        c.copy_to("links.sh", "/dev/shm/").exec(["sh", "/dev/shm/links.sh"]);
        for link in ["/a", "/b", "/c", "/d", "/e", "/f", "/g"] {
            for path in [link, link + "/file", link + "/../file"] {
                try { if c.read(path) == "of the host" { throw "read the host" } } catch (e) { if e == "read the host" { throw e } }
                try { c.write(path, "planted") } catch (e) { }
                try { c.copy_to("planted", path) } catch (e) { }
                try { c.copy_to("planted", path + "/") } catch (e) { }
                try { c.copy_from(path, "got", #{ follow_links: true }) } catch (e) { }
            }
        }"#;
    shanty.eval(attack).ok();
    assert_untouched(&shanty);
    let got = shanty.work().join("got");
    assert!(!got.is_file() || fs::read_to_string(&got).unwrap() != "of the host");
}

/// A second copy meets what the first one left on the host: links of the container.
#[test]
fn a_copy_to_the_host_never_goes_through_links_of_an_earlier_one() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    let secret = secret(&shanty);
    let attack = format!(
        r#"let c = container("box");
           c.exec(["mkdir", "/out"]).code; c.exec(["ln", "-s", "{secret}", "/out/x"]); c.exec(["ln", "-s", "{secret}/file", "/out/y"]);
           c.copy_from("/out", "out");
           c.sh("cd /out; rm x y; mkdir x; echo planted > x/file; echo planted > y");
           let kind = "none"; try {{ c.copy_from("/out", ".") }} catch (e) {{ kind = e.kind }}
           c.sh("rm -r /out/x"); c.copy_from("/out", ".");
           kind"#
    );
    assert_eq!(shanty.json(&attack), "conflict");
    assert_untouched(&shanty);
    assert_eq!(fs::read_to_string(shanty.work().join("out/y")).unwrap(), "planted\n");
    assert!(!shanty.work().join("out/y").is_symlink());
}

#[test]
fn files_without_end_pipes_and_depths_hang_nothing() {
    let shanty = require!(with_busybox());
    idle(&shanty);
    let deep = "mkdir /deep; cd /deep; i=0; while [ $i -lt 700 ]; do mkdir d; cd d; i=$((i+1)); done";
    shanty.write("deep.sh", deep);
    let attack = r#"
        let c = container("box");
        c.copy_to("deep.sh", "/dev/shm/").exec(["sh", "/dev/shm/deep.sh"]);
        c.sh("mkdir /odd; mkfifo /odd/pipe; mknod /odd/tty c 5 0; mknod /odd/disk b 7 200; truncate -s 5497558138880 /odd/sparse; (while :; do echo grows; done > /odd/grows) >/dev/null 2>&1 &", #{ check: false });
        c.copy_from("/odd", "odd");
        let kinds = [];
        for attempt in [|| container("box").copy_from("/deep", "deep"), || container("box").export_tar("x.tar"), || container("box").diff()] {
            let kind = "none"; try { attempt.call() } catch (e) { kind = e.kind } kinds.push(kind);
        }
        kinds"#;
    assert_eq!(shanty.json(attack), json!(["invalid", "invalid", "invalid"]));
    assert!(shanty.work().join("odd/sparse").metadata().unwrap().len() == 5 << 40);
    assert!(!shanty.work().join("x.tar").exists());
}

/// Names of owners are looked up in files that the container controls.
#[test]
fn owners_are_looked_up_in_sane_files_only() {
    let shanty = require!(with_busybox());
    let secret = secret(&shanty);
    for (make, expected) in [
        (format!("ln -sf {secret}/passwd /etc/passwd"), "not_found"),
        ("mkfifo /etc/passwd".to_owned(), "invalid"),
        ("truncate -s 1G /etc/passwd".to_owned(), "invalid"),
        ("mknod /etc/passwd c 1 5".to_owned(), "invalid"),
    ] {
        let attack = format!(
            r#"let c = image("busybox:1").run(["sh", "-c", "rm -f /etc/passwd; {make}; echo ready; sleep 1000"], #{{ network: "none", stop_timeout: 0 }});
               c.wait_for(#{{ log: "ready" }});
               let kind = "none"; try {{ c.write("/x", "", #{{ owner: "somebody" }}) }} catch (e) {{ kind = e.kind }} kind"#
        );
        fs::write(shanty.work().join("secret/passwd"), "somebody:x:7:7::/:\n").unwrap();
        assert_eq!(shanty.json(&attack), expected, "{make}");
    }
}
