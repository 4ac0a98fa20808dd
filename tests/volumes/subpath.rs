//! Parts of volumes.

use crate::support::busybox::with_busybox;
use crate::support::require;
use serde_json::json;

#[test]
fn a_folder_or_a_file_inside_a_volume_is_mounted() {
    let shanty = require!(with_busybox());
    let code = r#"
        image("busybox:1").exec(["sh", "-c", "mkdir -p /d/a/b && echo text > /d/a/b/file && echo top > /d/top"], #{ volumes: ["data:/d"], network: "none" });
        let read = |mount, cmd| image("busybox:1").exec(cmd, #{ mounts: [mount], network: "none" }).text;
        [read.call(#{ "type": "volume", source: "data", target: "/x", subpath: "a/b" }, "cat /x/file"),
         read.call(#{ source: "data", target: "/x", volume: #{ subpath: "a/b/file" } }, "cat /x"),
         image("busybox:1").exec("ls /x", #{ mounts: [#{ source: "data", target: "/x", subpath: "a" }], network: "none", userns: "auto" }).text]"#;
    assert_eq!(shanty.json(code), json!(["text", "text", "b"]));
    let inspected = shanty.json(
        r#"let c = image("busybox:1").create("true", #{ name: "part", mounts: [#{ source: "data", target: "/x", subpath: "a", read_only: true }], network: "none" });
           c.write("/tmp/x", ""); let i = c.inspect(); [i.HostConfig.Mounts, i.Mounts[0].RW, i.HostConfig.Binds, c.read("/x/b/file")]"#,
    );
    let mount = json!({ "Type": "volume", "Source": "data", "Target": "/x", "ReadOnly": true,
                        "VolumeOptions": { "NoCopy": false, "Subpath": "a" } });
    assert_eq!(inspected, json!([[mount], false, null, "text\n"]));
}

#[test]
fn what_is_not_there_or_leads_out_is_refused() {
    let shanty = require!(with_busybox());
    shanty
        .eval(
            r#"image("busybox:1").exec(["sh", "-c", "mkdir /d/in; echo inside > /d/in/passwd; ln -s ../../../../etc /d/up; ln -s in /d/link"],
                   #{ volumes: ["data:/d"], network: "none" })"#,
        )
        .ok();
    let with = |subpath: &str, command: &str| {
        format!(
            r#"print(image("busybox:1").exec("{command}", #{{ mounts: [#{{ source: "data", target: "/x", subpath: "{subpath}" }}], network: "none" }}).text)"#
        )
    };
    // To the volume `/` is the volume itself.
    for missing in ["missing", "etc", "up", "up/passwd", "in/passwd/x"] {
        let output = shanty.eval(&with(missing, "true")).fails_with("not_found");
        assert!(output.stderr.contains("in volume `data`"), "{output}");
    }
    for wrong in ["../x", "/etc", "", "a/../../b"] {
        shanty.eval(&with(wrong, "true")).fails_with("invalid");
    }
    shanty.eval(&with("link", "cat /x/passwd")).prints("inside\n");
}

#[test]
fn a_link_that_takes_the_place_of_the_part_leads_nowhere() {
    let shanty = require!(with_busybox());
    // Looked up when it is mounted: what was a folder when the container was made is a link by then.
    let code = r#"
        image("busybox:1").exec("mkdir -p /d/part /d/etc", #{ volumes: ["data:/d"], network: "none" });
        let c = image("busybox:1").create("ls -A /x", #{ mounts: [#{ source: "data", target: "/x", subpath: "part" }], network: "none" });
        image("busybox:1").exec(["sh", "-c", "rmdir /d/part && ln -s /etc /d/part && touch /d/etc/inside"], #{ volumes: ["data:/d"], network: "none" });
        c.start(); c.wait(); c.logs()"#;
    assert_eq!(shanty.json(code), json!("inside\n"));
}
