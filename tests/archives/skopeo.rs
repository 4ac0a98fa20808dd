//! skopeo reads what we write, and we read what it writes: all digests agree.

use super::{at, run, text};
use crate::support::fixtures::{fixture, fixture_image, program};
use crate::support::registry::Registry;
use crate::support::require;
use crate::support::shanty::Shanty;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// What skopeo says of an image: its manifest's digest, and its config.
fn seen(skopeo: &Path, image: &str) -> (String, String) {
    let digest = run(Command::new(skopeo).args(["inspect", "--format", "{{.Digest}}", image]));
    (digest.trim().to_owned(), run(Command::new(skopeo).args(["inspect", "--config", "--raw", image])))
}

#[test]
fn skopeo_reads_what_was_pulled_and_saved() {
    let (skopeo, registry) = require!(program("skopeo"), Registry::start());
    let shanty = Shanty::new();
    // Gzip and zstd in OCI manifests, and Docker's schema 2.
    for name in ["zstd", "docker", "layers"] {
        let source = require!(fixture_image(name));
        require!(registry.copy(&source, &format!("{name}:1")));
        let reference = registry.name(&format!("{name}:1"));
        let script = format!(
            r#"let i = image("{reference}").pull(); i.save("{name}.tar"); i.save("{name}-oci.tar", #{{ format: "oci" }}); print(i.digest)"#
        );
        let digest = shanty.eval(&script).ok().stdout;
        let (archive, layout) =
            (text(&at(&shanty, &format!("{name}.tar"))), text(&at(&shanty, &format!("{name}-oci.tar"))));
        let expected = seen(&skopeo, &format!("oci-archive:{layout}"));
        assert_eq!(expected.0, digest.trim(), "{name}");
        let mut ways = vec![format!("oci-archive:{archive}")];
        // skopeo finds no manifest of Docker's by its name in a layout, however it came there.
        if name != "docker" {
            ways.extend([format!("oci-archive:{layout}:1"), format!("oci-archive:{archive}:1")]);
        }
        for image in ways {
            assert_eq!(seen(&skopeo, &image), expected, "{image}");
        }
        // Docker's archives have no manifest to agree on.
        assert_eq!(seen(&skopeo, &format!("docker-archive:{archive}:{reference}")).1, expected.1, "{name}");
        // It cannot write zstd into such archives either.
        if name != "zstd" {
            let copy = format!("oci:{}:1", text(&at(&shanty, &format!("{name}-copy"))));
            run(Command::new(&skopeo).args(["copy", "--quiet", &format!("docker-archive:{archive}"), &copy]));
        }
        let folder = text(&at(&shanty, &format!("{name}-folder")));
        shanty.eval(&format!(r#"image("{reference}").save("{folder}", #{{ format: "layout" }})"#)).ok();
        assert_eq!(seen(&skopeo, &format!("oci:{folder}")), expected, "{name}");

        let other = Shanty::new();
        for file in [&archive, &layout, &folder] {
            let loaded = other.json(&format!("let i = load(`{file}`)[0]; [i.digest, i.tags]"));
            assert_eq!(loaded, json!([digest.trim(), [reference]]), "{file}");
        }
    }
}

#[test]
fn we_read_what_skopeo_writes() {
    let skopeo = require!(program("skopeo"));
    let shanty = Shanty::new();
    for name in ["zstd", "docker", "layers"] {
        let source = require!(fixture_image(name));
        let path = |end: &str| text(&at(&shanty, &format!("{name}{end}")));
        for (transport, file) in
            [("docker-archive", path(".tar")), ("oci-archive", path("-oci.tar")), ("oci", path("-layout"))]
        {
            if name == "zstd" && transport == "docker-archive" {
                continue;
            }
            let tag = format!("localhost/{name}:1");
            let target = format!("{transport}:{file}:{tag}");
            run(Command::new(&skopeo).args(["copy", "--quiet", &source, &target]));
            let (digest, config) = seen(&skopeo, &target);
            let id = format!("sha256:{}", hex::encode(<sha2::Sha256 as sha2::Digest>::digest(config)));
            let other = Shanty::new();
            let loaded = other.json(&format!("let i = load(`{file}`)[0]; [i.id, i.tags, i.digest]"));
            assert_eq!((&loaded[0], &loaded[1]), (&json!(id), &json!([tag])), "{target}");
            if transport != "docker-archive" {
                assert_eq!(loaded[2], json!(digest), "{target}");
            }
        }
    }
}

#[test]
fn of_several_platforms_the_one_that_is_asked_for_is_loaded() {
    let layout = require!(fixture("platforms"));
    let foreign = if cfg!(target_arch = "aarch64") { "linux/amd64" } else { "linux/arm64" };
    let shanty = Shanty::new();
    for (number, name) in [None, Some("team/app:1")].into_iter().enumerate() {
        let folder = at(&shanty, &format!("layout-{number}"));
        run(Command::new("cp").arg("-r").arg(&layout).arg(&folder));
        let mut index: Value = serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
        let (outer, inner) =
            (index["manifests"][0].clone(), index["manifests"][0]["digest"].as_str().unwrap().to_owned());
        if let Some(name) = name {
            // As some builders write it: the platforms, and an attestation, at the top.
            let file = folder.join("blobs/sha256").join(&inner[7..]);
            index = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            for entry in index["manifests"].as_array_mut().unwrap() {
                entry["annotations"]["io.containerd.image.name"] = json!(format!("docker.io/{name}"));
            }
        }
        assert_eq!(outer["mediaType"], "application/vnd.oci.image.index.v1+json");
        std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
        let path = folder.display();
        // The name goes from the first image to the second one.
        let script = format!(
            "let seen = |l| [l.len(), l[0].platform, l[0].tags];
             [seen.call(load(`{path}`)), seen.call(load(`{path}`, #{{ platform: `{foreign}` }}))]"
        );
        let host = format!("linux/{}", shanty::model::Platform::host().architecture);
        let tags = json!(name.into_iter().collect::<Vec<_>>());
        assert_eq!(shanty.json(&script), json!([[1, host, tags], [1, foreign, tags]]));
    }
}
