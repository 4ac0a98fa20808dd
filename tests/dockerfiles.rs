//! The Dockerfiles of `tests/fixtures/dockerfiles`, built by Docker's classic builder, by buildah and by Shanty, and compared
//! field by field: config, history, and every file. What the classic builder does not take is compared with an
//! `expected.json` beside the Dockerfile, whose `why` names the part of the Dockerfile reference that decides.

mod engines;
mod image;

use crate::support::fixtures::{Missing, fixture, fixture_image, program};
use crate::support::{note_skip, require};
use engines::{Buildah, Builder, Classic, Ours, scratch};
use image::Image;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Folders of `tests/fixtures/dockerfiles`.
const ALL: [&str; 11] =
    ["archives", "copies", "heredocs", "modern", "node", "perl", "runtime", "scopes", "shell", "stages", "triggers"];

/// What Docker's classic builder does not take, or does as nobody does any more: `expected.json` decides.
const NEWER: [&str; 2] = ["heredocs", "modern"];

/// Where buildah is on its own: the Dockerfile, what the difference begins with, and why.
const OF_BUILDAH: [(&str, &str, &str); 8] = [
    ("archives", "file from-", "the owner of `./` in a tar becomes that of the folder"),
    ("perl", "file etc:", "touched by its own mounts"),
    ("runtime", "config Cmd", "SHELL is not followed"),
    ("runtime", "config ExposedPorts", "a range stays one"),
    ("runtime", "file relative", "WORKDIR makes no folder"),
    ("scopes", "config Env", "`# escape` is not followed"),
    ("scopes", "file ", "the same, and WORKDIR makes no folder"),
    ("triggers", "config Env", "what is set again moves to the end"),
];

/// Where Docker's classic builder is on its own, and BuildKit does as buildah.
const OF_CLASSIC: [(&str, &str, &str); 3] = [
    ("copies", "file owned", "folders that `COPY --chown` makes have the owner"),
    ("runtime", "file up", "WORKDIR makes a folder of the USER"),
    ("runtime", "file relative", "the same"),
];

/// Where both are on their own: BuildKit does as we do.
const OF_BOTH: [(&str, &str, &str); 6] = [
    ("copies", "file context/program", "the owner is changed after the mode, which takes setuid away"),
    ("copies", "file usr/local/bin/program", "the same"),
    ("runtime", "file and", "a later RUN makes the folders of volumes"),
    ("runtime", "file data", "the same"),
    ("runtime", "file more", "the same"),
    ("runtime", "file with space", "the same"),
];

/// Where we are wrong still.
const OF_OURS: [(&str, &str, &str); 1] = [(
    "archives",
    "file from-",
    "the owner of `./` in a tar becomes that of the folder; folders that are there keep their owner",
)];

/// The images that the Dockerfiles begin with, and what is built from them.
struct Bench {
    folder: TempDir,
    bases: Vec<(&'static str, String)>,
    shared: Vec<String>,
}

impl Bench {
    fn new() -> Result<Self, Missing> {
        program("skopeo")?;
        let folder = TempDir::with_prefix_in("shanty-dockerfiles-", scratch()).unwrap();
        let bases = vec![("busybox:1", fixture_image("busybox")?), ("node:18", fixture_image("node")?)];
        // It has thousands of files, and no Dockerfile removes one.
        let shared = Image::layers(&fixture("node")?, "18");
        Ok(Self { folder, bases, shared })
    }

    /// The folder of a Dockerfile for one engine: a copy in which its `prepare` has made what git does not keep.
    fn context(&self, what: &str, name: &str) -> PathBuf {
        let target = self.folder.path().join(what).join("contexts").join(name);
        if !target.exists() {
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            let script = r#"
                umask 022
                cp -R --no-dereference "$1" "$2"
                chmod -R u=rwX,go=rX "$2"
                chown -R 0:0 "$2"
                cd "$2"
                [ ! -f prepare ] || sh -e ./prepare
            "#;
            let output =
                Command::new("sh").args(["-ec", script, "sh"]).arg(source(name)).arg(&target).output().unwrap();
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        }
        target
    }

    /// Builds all that an engine takes.
    fn images(&self, what: &str, engine: &dyn Builder, names: &[&'static str]) -> BTreeMap<&'static str, Image> {
        for name in names {
            engine.build(name, &self.context(what, name)).unwrap_or_else(|said| panic!("{what} builds {name}: {said}"));
        }
        let folder = self.folder.path().join(what).join("images");
        std::fs::create_dir(&folder).unwrap();
        engine.save(names, &folder);
        let read = |name: &&'static str| {
            let own = folder.join(name);
            let folder = if own.exists() { &own } else { &folder };
            (*name, Image::read(folder, &format!("{name}:1"), &self.shared))
        };
        let images = names.iter().map(read).collect();
        std::fs::remove_dir_all(&folder).unwrap();
        images
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dockerfiles").join(name)
}

fn classic() -> Vec<&'static str> {
    ALL.into_iter().filter(|name| !NEWER.contains(name)).collect()
}

/// Differences of one image that nobody has explained.
fn unexplained(whose: &str, name: &str, differences: Vec<String>, lists: &[&[(&str, &str, &str)]]) -> Vec<String> {
    let is_known = |difference: &String| {
        let mut known = lists.iter().flat_map(|list| *list);
        known.any(|(of, start, _)| *of == name && difference.starts_with(start))
    };
    let rest = differences.into_iter().filter(|difference| !is_known(difference));
    rest.map(|difference| format!("{whose} {name}: {difference}")).collect()
}

/// What a thread gives; a panic of it goes on here.
fn join<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T, Missing>>) -> Result<T, Missing> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[test]
fn images_are_those_of_docker_and_buildah() {
    let bench = require!(Bench::new());
    let names = classic();
    // They wait for their containers most of the time, and so do not wait for each other.
    let (dockers, buildahs, ours) = std::thread::scope(|scope| {
        let dockers = scope.spawn(|| Ok(bench.images("docker", &Classic::start(&bench.bases)?, &names)));
        let buildahs = scope.spawn(|| Ok(bench.images("buildah", &Buildah::start(&bench.bases)?, &names)));
        let ours = bench.images("shanty", &Ours::start(&bench.bases), &names);
        (join(dockers), join(buildahs), ours)
    });
    let dockers = require!(dockers);
    let mut found = Vec::new();
    for (name, image) in &ours {
        let differences = image.differences(&dockers[name], true);
        found.extend(unexplained("ours and Docker's", name, differences, &[&OF_CLASSIC, &OF_BOTH, &OF_OURS]));
    }
    match buildahs {
        Ok(buildahs) => {
            for (name, image) in &buildahs {
                let differences = image.differences(&dockers[name], false);
                found.extend(unexplained("buildah's and Docker's", name, differences, &[&OF_BUILDAH, &OF_CLASSIC]));
                // What the classic builder does otherwise is what buildah does.
                let differences = ours[name].differences(image, false);
                found.extend(unexplained("ours and buildah's", name, differences, &[&OF_BUILDAH, &OF_BOTH, &OF_OURS]));
            }
        }
        Err(missing) => note_skip(&missing),
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn images_of_newer_syntax_are_as_the_reference_says() {
    let bench = require!(Bench::new());
    let base = Image::of_layout(&require!(fixture("busybox")), "latest");
    let ours = bench.images("shanty", &Ours::start(&bench.bases[..1]), &NEWER);
    for (name, image) in ours {
        let path = source(name).join("expected.json");
        let mut expected: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let why = expected.as_object_mut().unwrap().remove("why").unwrap();
        assert!(why.as_str().is_some_and(|why| !why.is_empty()), "{name}");
        let built = image.written(&base);
        assert_eq!(built, expected, "{name}: {built:#}");
    }
}
