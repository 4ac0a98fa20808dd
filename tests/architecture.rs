//! What the code base holds to: who may import whom, where unsafe code lives, how long a file gets.

mod source;

use source::{checkout, files_below, sources};
use std::fs;

/// Who may import whom, from the top. Siblings on a line do not import each other; a line may import every line below
/// it, except where [`allowed`] says otherwise. It is the map of `ARCHITECTURE.md`.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["repl", "runner", "testing"],
    &["docs"],
    &["script"],
    &["native"],
    &["build"],
    &["container"],
    &["image", "network", "volume"],
    &["monitor", "oci"],
    &["runtime", "registry", "store", "archive", "events"],
    &["engine"],
    &["dockerfile"],
    &["privilege"],
    &["sys"],
    &["context"],
    &["model"],
    &["error"],
];

/// Files that hold one idea in more lines than [`LONGEST`] says, and why.
const LONG_FILES: &[(&str, &str)] = &[];
/// Lines that a file may have; a test file is a list of cases.
const LONGEST: [(&str, usize); 2] = [("src", 500), ("tests", 700)];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn allowed(from: &str, to: &str) -> bool {
    let base = ["privilege", "sys", "context", "model", "error"];
    match from {
        _ if from == to => true,
        // The trait that scripts talk to knows nothing of who implements it, nor of this machine.
        "engine" => ["context", "model", "error"].contains(&to),
        // Scripts reach containers through that trait only.
        "repl" | "runner" | "testing" | "docs" | "script" => {
            layer(from) < layer(to) && (layer(to) <= layer("script") || to == "engine" || base.contains(&to))
        }
        // A process beside each running container, which must stay small; and the command line of an OCI runtime, which
        // must be soon done.
        "monitor" | "oci" => ["runtime", "events", "privilege"].contains(&to) || base.contains(&to),
        // Only `native` speaks the trait's types; what it is made of has its own.
        _ if to == "engine" => ["cli", "native"].contains(&from),
        // Text in, values out: nothing of this machine.
        "dockerfile" => ["model", "error"].contains(&to),
        _ if to == "dockerfile" => ["build", "cli", "native"].contains(&from),
        _ if to == "monitor" => from == "cli",
        _ if to == "oci" => false,
        _ => layer(from) < layer(to),
    }
}

#[test]
fn nothing_imports_against_the_map() {
    let mut wrong = Vec::new();
    for source in sources() {
        // `main.rs` and `lib.rs` see everything.
        let Some(from) = source.module.first() else { continue };
        if layer(from).is_none() {
            wrong.push(format!("{}: `{from}` is not on the map in tests/architecture.rs", source.path));
            continue;
        }
        for (line, to) in source.imports() {
            if layer(&to).is_some() && !allowed(from, &to) {
                wrong.push(format!("{}:{line}: `{from}` must not import `{to}`", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_forbids_what_it_should() {
    for (from, to, expected) in [
        ("cli", "native", true),
        ("script", "engine", true),
        ("script", "native", false),
        ("script", "store", false),
        ("native", "engine", true),
        ("engine", "native", false),
        ("container", "engine", false),
        ("container", "image", true),
        ("image", "network", false),
        ("store", "registry", false),
        ("runtime", "container", false),
        ("monitor", "runtime", true),
        ("monitor", "store", false),
        ("oci", "runtime", true),
        ("oci", "monitor", false),
        ("cli", "oci", false),
        ("monitor", "events", true),
        ("events", "store", false),
        ("build", "dockerfile", true),
        ("cli", "dockerfile", true),
        ("script", "dockerfile", false),
        ("dockerfile", "sys", false),
        ("dockerfile", "model", true),
        ("model", "error", true),
        ("error", "model", false),
        ("sys", "context", true),
        ("context", "sys", false),
    ] {
        assert_eq!(allowed(from, to), expected, "{from} → {to}");
    }
}

#[test]
fn unsafe_code_is_in_sys_only() {
    let offenders: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.module.first().is_none_or(|module| module != "sys"))
        .filter(|source| {
            source.code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word.starts_with("unsafe"))
        })
        .map(|source| source.path)
        .collect();
    assert!(offenders.is_empty(), "unsafe code outside src/sys: {offenders:?}");
}

/// What differs for others than root is said by `privilege`.
#[test]
fn nothing_else_asks_whether_it_is_root() {
    let questions = ["geteuid", "Uid::effective", "is_root()", "issetugid"];
    let offenders: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.module.first().is_none_or(|module| module != "privilege"))
        .filter(|source| questions.iter().any(|question| source.code.contains(question)))
        .map(|source| source.path)
        .collect();
    assert!(offenders.is_empty(), "who asks `privilege` instead: {offenders:?}");
}

/// Clippy finds every `unwrap()` outside tests; here is only made sure that nobody told it not to look.
#[test]
fn nobody_switches_off_the_lint_on_unwrap() {
    let offenders: Vec<_> =
        sources().into_iter().filter(|source| source.code.contains("unwrap_used")).map(|source| source.path).collect();
    assert!(offenders.is_empty(), "`unwrap_used` is allowed in {offenders:?}");
    let manifest = fs::read_to_string(checkout().join("Cargo.toml")).unwrap();
    assert!(manifest.contains(r#"unwrap_used = "warn""#));
}

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    for (folder, longest) in LONGEST {
        for path in files_below(folder, "rs") {
            let lines = fs::read_to_string(checkout().join(&path)).unwrap().lines().count();
            let listed = LONG_FILES.iter().any(|(listed, _)| *listed == path);
            match (lines > longest, listed) {
                (true, false) => long.push(format!("{path}: {lines} lines usually hold two ideas")),
                (false, true) => long.push(format!("{path} need not be listed any more")),
                _ => {}
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// A file below `tests/` that `main.rs` does not name would silently not run.
#[test]
fn every_test_file_belongs_to_the_suite() {
    let suite = fs::read_to_string(checkout().join("tests/main.rs")).unwrap();
    for path in files_below("tests", "rs") {
        let name = path.trim_start_matches("tests/").trim_end_matches(".rs");
        if !name.contains('/') && name != "main" {
            assert!(suite.contains(&format!("mod {name};")), "tests/main.rs does not name `{name}`");
        }
    }
}

#[test]
fn every_example_is_run_by_a_test() {
    let tests: String = files_below("tests", "rs")
        .into_iter()
        .filter(|path| path != "tests/architecture.rs")
        .map(|path| fs::read_to_string(checkout().join(path)).unwrap())
        .collect();
    for example in files_below("examples", "rhai") {
        assert!(tests.contains(&example), "no test runs {example}");
    }
}

#[test]
fn no_file_names_the_place_it_was_written_in() {
    let here = checkout();
    if here.components().count() < 3 {
        return; // such as `/src`: a part of every other path
    }
    let here = here.to_str().unwrap();
    let kinds = ["rs", "rhai", "md", "toml", "sh", "py"];
    let folders = ["src", "tests", "macros", "examples", "scripts", "stdlib", "docs", "benches"];
    let offenders: Vec<_> = folders
        .iter()
        .flat_map(|folder| kinds.iter().flat_map(move |kind| files_below(folder, kind)))
        .filter(|path| !path.contains("/target/"))
        .filter(|path| fs::read_to_string(checkout().join(path)).unwrap().contains(here))
        .collect();
    assert!(offenders.is_empty(), "these files name {here}: {offenders:?}");
}
