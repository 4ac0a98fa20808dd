//! New volumes get what the image has at their place.

use crate::support::busybox::with_busybox;
use crate::support::require;
use serde_json::json;

/// An image with a volume of files that have owners, modes, links and attributes.
const IMAGE: &str = r#"
    from("busybox:1")
        .sh("mkdir -p /data/sub && echo one > /data/file && ln /data/file /data/same && ln -s ../../../etc/passwd /data/link; \
             mkfifo /data/pipe; chown -R 1000:7 /data; chmod 2750 /data; chmod 4711 /data/file; touch -d '2020-01-01 00:00:00' /data/sub")
        .volume("/data").tag("filled:1");"#;

#[test]
fn all_that_the_image_has_is_taken_over() {
    let shanty = require!(with_busybox());
    shanty.eval(IMAGE).ok();
    let code = r#"
        let list = "cd /data; stat -c '%n %a %u:%g %h %F %Y' . file same sub pipe; readlink link";
        let run = |volumes| image("filled:1").exec(["sh", "-c", list], #{ volumes: volumes, network: "none" }).text;
        let named = run.call(["data:/data"]);
        let anonymous = run.call([]);
        let bare = image("filled:1").exec(["sh", "-c", list], #{ tmpfs: "/none", volumes: ["empty:/data:nocopy"], network: "none", check: false });
        [named == anonymous, named, bare.lines[0].starts_with(". 755 0:0"), volumes().len()]"#;
    let found = shanty.json(code);
    let named = found[1].as_str().unwrap();
    assert!(named.starts_with(". 2750 1000:7 3 directory"), "{named}");
    assert!(named.contains("file 4711 1000:7 2 regular file") && named.contains("pipe 644 1000:7 1 fifo"), "{named}");
    assert!(named.contains("sub 755 1000:7 2 directory 1577836800"), "{named}");
    assert!(named.ends_with("\n../../../etc/passwd"), "{named}");
    assert_eq!((&found[0], &found[2], &found[3]), (&json!(true), &json!(true), &json!(2)));
}

#[test]
fn only_an_empty_volume_is_filled_and_only_where_nothing_else_is_mounted() {
    let shanty = require!(with_busybox());
    shanty.eval(IMAGE).ok();
    let code = r#"
        image("busybox:1").exec("touch /d/mine", #{ volumes: ["data:/d"], network: "none" });
        let list = |options| { options.network = "none"; image("filled:1").exec("ls /data", options).lines };
        [list.call(#{ volumes: ["data:/data"] }), list.call(#{ tmpfs: "/data" }), volumes().len()]"#;
    assert_eq!(shanty.json(code), json!([["mine"], [], 1]));
}

#[test]
fn links_of_the_image_lead_nowhere_else() {
    let shanty = require!(with_busybox());
    let code = r#"
        let secret = fs::temp_dir();
        fs::write(secret + "/secret", "secret");
        from("busybox:1")
            .sh(`mkdir -p /real && echo real > /real/file && ln -s /real /inside && ln -s ../../../../real /up`)
            .sh(`ln -s ${secret} /outside && mkdir /links && ln -s ${secret}/secret /links/secret`)
            .tag("links:1");
        let list = |target| image("links:1").exec(["ls", target + "/"], #{ volumes: [`v${target.sub_string(1)}:${target}`], network: "none" }).lines;
        [list.call("/inside"), list.call("/up"), list.call("/outside"), list.call("/links"),
         fs::read(volume("vlinks").path + "/secret")]"#;
    let found = shanty.json(code);
    // A link is copied as a link.
    assert_eq!(found, json!([["file"], ["file"], [], ["secret"], "secret"]));
    let link = shanty.json(r#"volume("vlinks").path"#);
    let link = std::path::Path::new(link.as_str().unwrap()).join("secret");
    assert!(link.symlink_metadata().unwrap().is_symlink());
}

#[test]
fn a_file_of_the_image_is_no_place_for_a_volume() {
    let shanty = require!(with_busybox());
    let output = shanty
        .eval(r#"image("busybox:1").exec("true", #{ volumes: ["data:/etc/passwd"], network: "none" })"#)
        .fails_with("invalid");
    assert!(output.stderr.contains("`/etc/passwd` of the image is no folder"), "{output}");
    // A file of the host is.
    shanty.write("motd", "hello");
    shanty.eval(r#"print(image("busybox:1").exec("cat /etc/motd", #{ volumes: ["./motd:/etc/motd"], network: "none" }).text)"#).prints("hello\n");
    assert_eq!(shanty.json("containers(#{ all: true }).len()"), json!(0));
}

#[test]
fn several_containers_at_once_fill_a_volume_once() {
    let shanty = require!(with_busybox());
    shanty.eval(r#"from("busybox:1").sh("mkdir /d && for i in $(seq 200); do echo $i > /d/$i; done").volume("/d").tag("many:1")"#).ok();
    let code = r#"
        let counts = par_map(0..6, |i| image("many:1").exec(["sh", "-c", "ls /d | wc -l"], #{ volumes: ["data:/d"], network: "none" }).text.parse_int());
        counts"#;
    assert_eq!(shanty.json(code), json!([200, 200, 200, 200, 200, 200]));
}
