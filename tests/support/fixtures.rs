//! The fixture images that `tests/run` makes, the programs that it installs, and skipping where they are missing.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Why a test cannot run here.
#[derive(Debug)]
pub struct Missing(pub String);

/// Gives what a test needs, or ends the test and says why it was skipped:
/// `let (layout, tmux) = require!(fixture("busybox"), program("tmux"));`
#[macro_export]
macro_rules! require {
    ($($need:expr),+ $(,)?) => {
        ($(match $need {
            Ok(value) => value,
            Err(missing) => return $crate::support::note_skip(&missing),
        }),+)
    };
}

/// The folder of a fixture image: an OCI image layout. `tests/fixtures/images.py` says what each is for.
pub fn fixture(name: &str) -> Result<PathBuf, Missing> {
    static FIXTURES: LazyLock<PathBuf> = LazyLock::new(folder);
    let layout = FIXTURES.join(name);
    if layout.is_dir() { Ok(layout) } else { Err(Missing(format!("fixture image `{name}`, made by tests/run"))) }
}

/// [`fixture`], as the source that skopeo takes: `oci:FOLDER:TAG` or `dir:FOLDER`.
pub fn fixture_image(name: &str) -> Result<String, Missing> {
    let layout = fixture(name)?;
    Ok(match name {
        "docker" => format!("dir:{}", layout.display()),
        "node" => format!("oci:{}:18", layout.display()),
        _ => format!("oci:{}:latest", layout.display()),
    })
}

/// The path of a program of this machine.
pub fn program(name: &str) -> Result<PathBuf, Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| Missing(format!("program `{name}`")))
}

/// Says on standard error, and in the list that `tests/run` shows at its end, that this test was skipped.
pub fn note_skip(missing: &Missing) {
    let test = std::thread::current();
    let line = format!("{}: needs {}", test.name().unwrap_or("a test"), missing.0);
    eprintln!("skipped {line}");
    if let Some(list) = std::env::var_os("SHANTY_TEST_SKIPS") {
        let mut list = std::fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        list.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// Where the fixtures are, also when the runner was started without `tests/run`.
fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("SHANTY_FIXTURES").filter(|folder| !folder.is_empty()) {
        return folder.into();
    }
    let make = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/make");
    let output = Command::new(make).arg("--path").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().into()
}
