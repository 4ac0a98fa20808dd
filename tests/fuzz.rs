//! What cargo-fuzz begins with (`tests/fuzz/seeds`) and has found once: the same bodies over it, without cargo-fuzz.

mod bodies;

use crate::layers::tree;
use crate::support::hostile_tars::{self, hostile_layers};
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let data = fs::read(&path).unwrap();
        assert!(catch_unwind(|| body(&data)).is_ok(), "{}", path.display());
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn references_hold_their_properties() {
    replay("reference", bodies::reference);
}

#[test]
fn manifests_and_indexes_hold_their_properties() {
    replay("manifest", bodies::manifest);
}

#[test]
fn image_configs_hold_their_properties() {
    replay("image_config", bodies::image_config);
}

#[test]
fn dockerfiles_hold_their_properties() {
    replay("dockerfile", bodies::dockerfile);
    replay("expansion", bodies::expansion);
    replay("dockerignore", bodies::dockerignore);
}

#[test]
fn layers_hold_their_properties() {
    replay("layer", bodies::layer);
    replay("members", bodies::members);
    for (what, archive) in hostile_layers() {
        assert!(catch_unwind(|| bodies::layer(&archive)).is_ok(), "{what}");
    }
}

#[test]
fn backups_hold_their_properties() {
    replay("backup", bodies::backup);
    for (what, archive) in hostile_layers() {
        assert!(catch_unwind(|| bodies::backup(&archive)).is_ok(), "{what}");
    }
}

#[test]
fn bundles_hold_their_properties() {
    replay("bundle", bodies::bundle);
}

#[test]
fn files_of_credentials_hold_their_properties() {
    replay("credentials", bodies::credentials);
}

#[test]
fn configurations_of_registries_hold_their_properties() {
    replay("registries_conf", bodies::registries_conf);
}

#[test]
fn queries_for_names_hold_their_properties() {
    replay("dns_query", bodies::dns_query);
}

/// A seed folder without a test, or a target that `tests/run --fuzz` does not find, would silently not run.
#[test]
fn every_target_has_seeds_and_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let names = |folder: &str| {
        let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<_> = entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let (targets, manifest) = (names("targets"), fs::read_to_string(root.join("Cargo.toml")).unwrap());
    assert_eq!(targets, names("seeds"));
    let this = include_str!("fuzz.rs");
    for target in targets {
        assert!(manifest.contains(&format!("path = \"targets/{target}.rs\"")), "{target}");
        assert!(this.contains(&format!("replay(\"{target}\", bodies::{target})")), "{target}");
    }
}
