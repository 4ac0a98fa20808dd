//! Images to registries, from scripts: the same digests for everybody, nothing sent twice.

use crate::registry::noise;
use crate::support::fixtures::{fixture_image, program};
use crate::support::registry::{Image, Registry};
use crate::support::require;
use crate::support::shanty::Shanty;
use std::process::Command;

/// What skopeo says the digest of an image is.
fn skopeo_digest(registry: &Registry, name: &str) -> String {
    let output = Command::new("skopeo")
        .args(["inspect", "--tls-verify=false", "--format", "{{.Digest}}"])
        .arg(format!("docker://{}", registry.name(name)))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn what_was_pulled_is_pushed_byte_for_byte_and_mounted_from_its_neighbour() {
    let (registry, _skopeo) = require!(Registry::start(), program("skopeo"));
    let shanty = Shanty::new();
    let image = Image::of_files(&[("data", &[7; 300_000])]);
    for (name, image) in [("team/oci:v1", image.clone()), ("team/docker:v1", image.clone().into_docker())] {
        registry.push(name, &image);
        let copy = name.replace("team", "copy");
        let code = format!(
            r#"let one = image("{}").pull(); let pushed = one.push(#{{ to: "{}" }}); one.remove(); [pushed, images(#{{ all: true }}).len()]"#,
            registry.name(name),
            registry.name(&copy),
        );
        let value = shanty.json(&code);
        assert_eq!(value[0], image.digest().to_string());
        assert_eq!(value[1], 0, "it has no name where it was pushed to, so nothing keeps it");
        assert_eq!(skopeo_digest(&registry, &copy), image.digest().to_string());
    }
    let requests = registry.requests();
    let layer = image.layer(0).digest.to_string().replace(':', "%3A");
    assert!(
        requests.iter().any(|line| line.starts_with("POST /v2/copy/oci/") && line.contains(&layer)),
        "{requests:?}"
    );
    assert!(!requests.iter().any(|line| line.starts_with("PATCH /v2/copy/")), "{requests:?}");
}

#[test]
fn a_built_image_goes_around_through_registry_and_skopeo_with_one_digest() {
    let (registry, skopeo) = require!(Registry::start(), program("skopeo"));
    let (shanty, other) = (Shanty::new(), Shanty::new());
    // What does not compress is larger than what goes in one request.
    let content: Vec<u8> = noise(3_000_000);
    let file = shanty.home().join("data");
    std::fs::write(&file, &content).unwrap();
    let name = registry.name("built/app:v1");
    let code = format!(
        r#"from("scratch").copy("{}", "/data").tag("{name}"); [image("{name}").push(), image("{name}").push()]"#,
        file.display()
    );
    let value = shanty.json(&code);
    assert_eq!(value[0], value[1]);
    let puts = registry.requests().iter().filter(|line| line.starts_with("PATCH")).count();
    assert_eq!(puts, 1, "the second push sends no blob: {:?}", registry.requests());
    assert_eq!(skopeo_digest(&registry, "built/app:v1"), value[0]);
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(skopeo)
        .args(["--insecure-policy", "copy", "--preserve-digests", "--src-tls-verify=false"])
        .arg(format!("docker://{name}"))
        .arg(format!("oci:{}:x", folder.path().display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let hex = value[0].as_str().unwrap().strip_prefix("sha256:").unwrap();
    assert!(folder.path().join("blobs/sha256").join(hex).exists());
    let pulled = other.json(&format!(
        r#"let i = image("{name}").pull(); [i.digest, i.push(#{{ to: "{}" }})]"#,
        registry.name("b/c:1")
    ));
    assert_eq!((&pulled[0], &pulled[1]), (&value[0], &value[0]));
}

#[test]
fn of_an_index_the_platforms_manifest_is_pushed() {
    let (registry, source) = require!(Registry::start(), fixture_image("platforms"));
    require!(registry.copy(&source, "team/platforms:latest"));
    let shanty = Shanty::new();
    let code = format!(
        r#"let i = image("{}").pull(); [i.digest, i.push(#{{ to: "{}" }})]"#,
        registry.name("team/platforms"),
        registry.name("one:v1")
    );
    let value = shanty.json(&code);
    assert_eq!(value[0], value[1]);
    assert_eq!(skopeo_digest(&registry, "one:v1"), value[0]);
}

#[test]
fn what_cannot_be_pushed_is_said() {
    let registry = require!(Registry::start_with_login());
    let shanty = Shanty::new();
    shanty.eval(r#"from("scratch").write("/x", "y").tag("app:v1")"#).ok();
    let fails = |code: &str, kind: &str, words: &str| {
        let output = shanty.eval(code).fails_with(kind);
        assert!(output.stderr.contains(words), "{code}: {output}");
    };
    fails(r#"image("nothing:here").push()"#, "not_found", "nothing:here");
    fails(r#"image(image("app:v1").id).push()"#, "invalid", "push(#{ to:");
    fails(r#"image("app:v1").push(#{ to: "team/Upper" })"#, "invalid", "lower case");
    fails(r#"registry("myhost").tags("x")"#, "invalid", "`myhost/x` is a repository of `docker.io`");
    fails(r#"registry("localhost:1").tags("x:v1")"#, "invalid", "not a repository");
    fails(r#"image("app:v1").push(#{ to: "127.0.0.1:1/app" })"#, "network", "127.0.0.1:1");
    fails(&format!(r#"image("app:v1").push(#{{ to: "{}" }})"#, registry.name("app:v1")), "unauthorized", "login(USER");
}
