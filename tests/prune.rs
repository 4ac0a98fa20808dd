//! Cleaning up: which images and containers go, that a plan is carried out as it is, and that the bytes are true.

use crate::catalogue::make_child;
use crate::store::make_image;
use crate::support::Shanty;
use serde_json::json;
use shanty::image;
use shanty::store::Store;
use std::path::Path;
use std::process::Command;

/// Three images of one repository, another one, one without a name, and what the first was made from.
const IMAGES: &str = r#"
    for i in 1..4 { from("scratch").write("/f", `app ${i}`).label("n", `${i}`).tag(`app:${i}`); }
    from("scratch").write("/f", "other").label("team", "a").tag("other:1");
    from("scratch").write("/f", "none").tag("none:1").untag("none:1");
"#;

fn names(shanty: &Shanty, call: &str) -> Vec<String> {
    let mut names: Vec<String> = shanty
        .json(&format!("{call}.items.map(|item| if item.names.len() > 0 {{ item.names[0] }} else {{ item.kind }})"))
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn images_are_chosen_by_name_age_labels_and_number() {
    let shanty = Shanty::new();
    shanty.eval(IMAGES).ok();
    for (options, expected) in [
        ("", vec!["image"]),
        ("all: true, ", vec!["app:1", "app:2", "app:3", "image", "other:1"]),
        ("keep: 1, ", vec!["app:1", "app:2", "image"]),
        ("keep: 2, ", vec!["app:1", "image"]),
        (r#"all: true, label: "n", "#, vec!["app:1", "app:2", "app:3"]),
        (r#"all: true, label: "n=2", "#, vec!["app:2"]),
        (r#"all: true, "label!": "n", "#, vec!["image", "other:1"]),
        (r#"all: true, older_than: "1h", "#, vec![]),
        (r#"all: true, "until": now(), "#, vec!["app:1", "app:2", "app:3", "image", "other:1"]),
        (r#"down_to: "1g", "#, vec![]),
        (r#"to: 0, "#, vec!["app:1", "app:2", "app:3", "image", "other:1"]),
    ] {
        assert_eq!(names(&shanty, &format!("prune_images(#{{ {options}dry_run: true }})")), expected, "{options}");
    }
    // What was pulled or built longest ago goes first, and no more than has to.
    let size = shanty.json("let u = disk_usage(); u.images.size - 1").as_u64().unwrap();
    assert_eq!(names(&shanty, &format!("prune_images(#{{ down_to: {size} }})")), ["image"]);
    let size = shanty.json("let u = disk_usage(); u.images.size - 1").as_u64().unwrap();
    assert_eq!(names(&shanty, &format!("prune_images(#{{ down_to: {size} }})")), ["app:1"]);
    assert_eq!(shanty.json("images().map(|i| i.tags[0])"), json!(["other:1", "app:3", "app:2"]));
}

#[test]
fn containers_keep_their_images_and_go_with_them() {
    let shanty = Shanty::new();
    shanty.eval(IMAGES).ok();
    shanty.eval(r#"image("app:1").create("x", #{ name: "old", labels: #{ keep: "no" } }); image("app:2").create("x", #{ name: "new" })"#).ok();
    assert_eq!(names(&shanty, r#"prune_images(#{ all: true, label: "n", dry_run: true })"#), ["app:3"]);
    assert_eq!(names(&shanty, r#"prune_containers(#{ label: "keep=no", dry_run: true })"#), ["old"]);
    assert_eq!(names(&shanty, r#"prune_containers(#{ older_than: "1h" })"#), Vec::<String>::new());
    // All of it at once: images whose containers go as well.
    let done = shanty.json(r#"let p = prune(#{ all: true, "label!": "team", build_cache: true }); [p.items.filter(|i| i.kind != "build_cache").map(|i| i.names.len()), images().len(), containers(#{ all: true }).len(), p.freed > 0, p.done]"#);
    assert_eq!(done, json!([[1, 1, 0, 1, 1, 1], 1, 0, true, true]), "{done}");
    let events = shanty.json(r#"events().filter(|e| e.action == "prune").map(|e| e.type)"#);
    assert_eq!(events, json!(["container", "builder", "image"]));
}

#[test]
fn a_plan_is_carried_out_as_it_is_and_what_has_changed_since_stays() {
    let shanty = Shanty::new();
    shanty.eval(IMAGES).ok();
    let script = r#"
        let plan = prune_images(#{ all: true, dry_run: true });
        image("app:1").create("x", #{ name: "user" });
        image("app:2").tag("again:1");
        from("app:3").env("A", "1").tag("child:1");
        image("other:1").remove();
        from("scratch").write("/f", "later").tag("later:1");
        let done = prune(plan);
        [done.items.map(|i| i.names), done.skipped.map(|s| s.names[0] + ": " + s.reason), images().map(|i| i.tags[0])]
    "#;
    let result = shanty.json(script);
    assert_eq!(result[0], json!([[]]), "only the one without a name was as before");
    let mut skipped: Vec<&str> = result[1].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    skipped.sort_unstable();
    assert_eq!(
        skipped,
        [
            "app:1: container `user` uses it",
            "app:2: it was pulled, built or named again meanwhile",
            "app:3: an image was made from it",
            "other:1: it was removed meanwhile",
        ]
    );
    let mut left: Vec<&str> = result[2].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    left.sort_unstable();
    assert_eq!(left, ["again:1", "app:1", "app:3", "child:1", "later:1"]);
    shanty.eval("prune(prune_images())").fails_with("invalid");
}

#[test]
fn what_another_process_has_just_built_stays_and_parents_go_with_their_last_child() {
    let shanty = Shanty::new();
    shanty.eval("images()").ok();
    let store = Store::open(&shanty.root()).unwrap();
    // By this process, which runs and is not the one that cleans up.
    make_image(&store, "base:1", &["base"]);
    make_child(&store, "base:1", "child:1", "child");
    image::remove(&store, "base:1", false).unwrap();
    let skipped = shanty.json("prune_images(#{ all: true }).skipped.map(|s| s.reason)");
    let reason = format!("process {} has just pulled, built or named it", std::process::id());
    assert_eq!(skipped, json!([reason]));
    // Longer ago.
    store.write(|tx| Ok(tx.execute("UPDATE images SET touched = 0", [])?)).unwrap();
    let done = shanty.json("let p = prune_images(#{ all: true }); [p.items.len(), p.untagged, images(#{ all: true })]");
    assert_eq!(done, json!([2, ["child:1"], []]));
}

#[test]
fn freed_bytes_are_those_of_the_disk_and_shared_layers_go_with_the_last() {
    let shanty = Shanty::new();
    let noise = shanty.work().join("noise");
    let random = Command::new("head").args(["-c", "6291456", "/dev/urandom"]).output().unwrap();
    std::fs::write(&noise, random.stdout).unwrap();
    shanty
        .eval(
            r#"from("scratch").copy("noise", "/noise").tag("base:1");
               from("base:1").copy("noise", "/more").tag("one:1"); from("base:1").write("/x", "y").tag("two:1");"#,
        )
        .ok();
    // Else it would keep the layers.
    shanty.eval("prune(#{ build_cache: true })").ok();
    let sizes = shanty.json("disk_usage().images.items.map(|i| [i.tags[0], i.size, i.shared_size, i.unique_size])");
    let mebibytes = 6 << 20;
    for expected in [json!(["base:1", mebibytes, mebibytes, 0]), json!(["one:1", 2 * mebibytes, mebibytes, mebibytes])]
    {
        assert!(sizes.as_array().unwrap().contains(&expected), "{sizes}");
    }
    for (call, megabytes) in [
        (r#"image("base:1").remove().freed"#, 0),
        (r#"image("one:1").remove().freed"#, 12),
        (r#"prune_images(#{ all: true }).freed"#, 12),
    ] {
        let before = content_size(&shanty.root());
        let planned = shanty.json("prune_images(#{ all: true, dry_run: true }).freed").as_u64().unwrap();
        let freed = shanty.json(call).as_u64().unwrap();
        let gone = before - content_size(&shanty.root());
        assert!(freed.abs_diff(gone) < 64 << 10, "{call}: said {freed}, on the disk {gone}");
        assert_eq!(freed >> 20, megabytes, "{call}");
        if call.starts_with("prune") {
            assert_eq!(planned, freed);
        }
    }
}

fn content_size(root: &Path) -> u64 {
    let output = Command::new("du")
        .args(["--apparent-size", "-B1", "-sc"])
        .args(["blobs", "layers", "trash"].map(|folder| root.join(folder)))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().last().unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn the_command_cleans_up() {
    let shanty = Shanty::new();
    shanty.eval(IMAGES).ok();
    let dry = shanty.call(&["cleanup", "--dry-run", "--all", "--label", "n"]).ok();
    assert!(dry.stdout.contains("app:1") && dry.stdout.contains("would free"), "{dry}");
    let done = shanty.call(&["cleanup", "--keep", "1"]).ok();
    assert!(done.stdout.contains("app:1") && done.stdout.contains("\nfreed "), "{done}");
    assert_eq!(shanty.json("images().map(|i| i.tags[0])"), json!(["other:1", "app:3"]));
    let again = shanty.call(&["cleanup", "--keep=1", "--dry-run"]).ok();
    assert_eq!(again.stdout, "would free 0B\n");
    for (wrong, words) in [
        ("--nonsense", "unknown option --nonsense"),
        ("--keep=x", "--keep takes a number, not x"),
        ("--label", "--label takes a value"),
    ] {
        let output = shanty.call(&["cleanup", wrong]).exits(1);
        assert!(
            output.stderr.contains(words) && !output.stderr.contains("-->"),
            "the script is nobody's business: {output}"
        );
    }
}
