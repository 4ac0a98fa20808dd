//! Our own archives: the same bytes each time, the same images again.

use super::{at, identity, left_over, stored};
use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use serde_json::json;

/// Two images that share a layer; the second has two names.
const TWO: &str = r#"
    from("busybox:1").sh("echo one > /one").env("A", "1").tag("localhost:5000/team/one:1");
    let two = from("busybox:1").sh("echo two > /two").tag("two:2");
    two.tag("two:again");
"#;

#[test]
fn what_is_saved_is_loaded_with_the_same_digests_in_every_format() {
    let shanty = require!(with_busybox());
    shanty.eval(TWO).ok();
    let save = r#"
        for format in ["docker", "oci"] {
            save(["localhost:5000/team/one:1", "two:2", image("two:again")], format + ".tar", #{ format: format });
            image("busybox:1").save("one-" + format + ".tar", #{ format: format });
        }
        image("busybox:1").save("again.tar");
        image(image("busybox:1").id).save("nameless.tar");
    "#;
    shanty.eval(save).ok();
    let read = |name: &str| std::fs::read(at(&shanty, name)).unwrap();
    assert!(read("one-docker.tar") == read("again.tar"), "two archives of one image differ");
    assert_ne!(read("one-docker.tar").len(), read("one-oci.tar").len());

    let names = ["busybox:1", "localhost:5000/team/one:1", "two:2"];
    let expected: Vec<_> = names.iter().map(|name| identity(&shanty, name)).collect();
    for format in ["docker", "oci"] {
        let other = Shanty::new();
        let files = [format!("one-{format}.tar"), format!("{format}.tar")].map(|name| at(&shanty, &name));
        let loaded = other.json(&format!(
            "[load(`{}`).map(|i| i.tags), load(`{}`).map(|i| i.tags)]",
            files[0].display(),
            files[1].display()
        ));
        let tags = json!([[["busybox:1"]], [["localhost:5000/team/one:1"], ["two:2", "two:again"]]]);
        assert_eq!(loaded, tags, "{format}");
        let found: Vec<_> = names.iter().map(|name| identity(&other, name)).collect();
        assert_eq!(found, expected, "{format}");
        assert_eq!(other.json(r#"image("two:2").sh("cat /two").text"#), "two");
        assert_eq!(left_over(&other), Vec::<String>::new());
        // What is saved there again has the same bytes.
        other.eval(r#"image("busybox:1").save("back.tar")"#).ok();
        assert!(std::fs::read(at(&other, "back.tar")).unwrap() == read("again.tar"), "{format}");
        let before = stored(&other);
        other.eval(&format!("load(`{}`)", files[1].display())).ok();
        assert_eq!(stored(&other), before, "loaded twice");
    }

    let other = Shanty::new();
    let code = format!("let i = load(`{}`)[0]; [i.tags, i.id]", at(&shanty, "nameless.tar").display());
    assert_eq!(other.json(&code), json!([[], expected[0][1]]));
}

#[test]
fn pipes_carry_archives_both_ways_and_compressed() {
    let shanty = require!(with_busybox());
    let saved = shanty.eval(r#"image("busybox:1").save("-")"#).into_command().output().unwrap();
    assert!(saved.status.success());
    shanty.eval(r#"image("busybox:1").save("x.tar")"#).ok();
    assert!(saved.stdout == std::fs::read(at(&shanty, "x.tar")).unwrap(), "standard output has another archive");
    let zstd = zstd::encode_all(&saved.stdout[..], 1).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &saved.stdout).unwrap();
    let expected = identity(&shanty, "busybox:1");
    for input in [saved.stdout, zstd, gzip.finish().unwrap()] {
        let other = Shanty::new();
        let output = other.call(&["eval", "--json", r#"load("-").map(|i| i.tags)"#]).stdin(input).ok();
        assert_eq!(output.stdout.trim(), r#"[["busybox:1"]]"#);
        assert_eq!(identity(&other, "busybox:1"), expected);
    }
}
