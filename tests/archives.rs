//! Images in archives: what is saved is loaded again with the same digests, by us and by others.

mod compare;
mod docker;
mod faults;
mod hostile;
mod round_trip;
mod skopeo;

use crate::support::shanty::Shanty;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that a store has in folders where something half done or unused would be.
fn left_over(shanty: &Shanty) -> Vec<String> {
    let names = |folder: &str| {
        let entries = std::fs::read_dir(shanty.root().join(folder)).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().display().to_string()).collect::<Vec<_>>()
    };
    [names("blobs/tmp"), names("layers/tmp"), names("trash")].concat()
}

/// Names of the blobs and layers of a store.
fn stored(shanty: &Shanty) -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["blobs/sha256", "layers"] {
        for entry in std::fs::read_dir(shanty.root().join(folder)).into_iter().flatten().flatten() {
            names.push(format!("{folder}/{}", entry.file_name().display()));
        }
    }
    names.retain(|name| name != "layers/tmp");
    names.sort();
    names
}

/// What makes two images the same.
const IDENTITY: &str = "[i.tags, i.id, i.digest, i.layers]";

fn identity(shanty: &Shanty, name: &str) -> Value {
    shanty.json(&format!("let i = image(`{name}`); {IDENTITY}"))
}

fn at(shanty: &Shanty, name: &str) -> PathBuf {
    shanty.work().join(name)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Runs a program that must succeed; gives its standard output.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
