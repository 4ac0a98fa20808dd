//! The fixture images are what other tools take for images.

use crate::support::{fixture_image, program, require};
use std::process::Command;

#[test]
fn another_tool_reads_every_fixture_image() {
    let skopeo = require!(program("skopeo"));
    for (name, layers) in [("busybox", 1), ("layers", 4), ("platforms", 1), ("zstd", 1), ("plain", 1), ("docker", 1)] {
        let image = require!(fixture_image(name));
        let copy = tempfile::tempdir().unwrap();
        // Copying checks every digest.
        let status = Command::new(&skopeo)
            .args(["--insecure-policy", "copy", "--quiet", "--preserve-digests", &image])
            .arg(format!("dir:{}", copy.path().display()))
            .status()
            .unwrap();
        assert!(status.success(), "{name}");
        let manifest = std::fs::read(copy.path().join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["layers"].as_array().unwrap().len(), layers, "{name}");
    }
}

#[test]
fn the_node_image_is_a_large_one() {
    let image = require!(fixture_image("node"));
    let output = Command::new(require!(program("skopeo"))).args(["inspect", "--raw", &image]).output().unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(manifest["layers"][0]["size"].as_u64().unwrap() > 90_000_000, "{manifest}");
}
