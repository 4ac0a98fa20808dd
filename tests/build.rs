//! Images from steps: what is in them, that they run, and that nothing is made twice.

use crate::support::steps::{build_plan, build_plan_with};
use serde_json::json;
use shanty::build::RunRequest;
use shanty::error::{Error, ErrorKind, Result};
use shanty::image;
use shanty::model::{BuildPlan, BuildStep, CopyFrom, Digest, HealthcheckSpec};
use shanty::store::Store;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// A store and a folder of sources.
struct Workshop {
    store: Store,
    context: PathBuf,
    _folder: TempDir,
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let context = folder.path().join("context");
        fs::create_dir(&context).unwrap();
        Self { store: Store::open(&folder.path().join("root")).unwrap(), context, _folder: folder }
    }

    fn write(&self, path: &str, content: &str) -> PathBuf {
        let path = self.context.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn try_build(&self, from: &str, steps: Vec<BuildStep>, tag: &str) -> Result<Digest> {
        build_plan(&self.store, BuildPlan { from: from.into(), steps, context: self.context.clone() }, tag)
    }

    fn build(&self, from: &str, steps: Vec<BuildStep>, tag: &str) -> Digest {
        self.try_build(from, steps, tag).unwrap()
    }

    /// The topmost layer of an image.
    fn top(&self, image: &str) -> PathBuf {
        self.layers(image)[0].clone()
    }

    /// Its layers, the topmost first; they stay mounted until the workshop is dropped.
    fn layers(&self, image: &str) -> Vec<PathBuf> {
        let layers = image::prepare(&self.store, image).unwrap().layers;
        drop(self.store.use_layers(&layers).unwrap());
        layers
    }

    fn blobs(&self) -> usize {
        fs::read_dir(self.store.root().join("blobs/sha256")).unwrap().count()
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What a failed test left is not this test's failure.
        let _ = self.store.unmount_unused_layers(|| Ok(std::collections::HashSet::new()));
        let _ = fs::remove_dir_all(self.store.run_dir());
    }
}

fn copy(source: &str, target: &str) -> BuildStep {
    BuildStep::Copy {
        source: source.into(),
        target: target.into(),
        owner: None,
        mode: None,
        from: CopyFrom::Host,
        exclude: Vec::new(),
    }
}

fn write(path: &str, content: &str) -> BuildStep {
    BuildStep::Write { path: path.into(), content: content.into(), mode: None }
}

fn host_program(path: &str) -> BuildStep {
    BuildStep::HostProgram { path: path.into(), to: None }
}

fn chroot(root: &Path, argv: &[&str]) -> String {
    let output = Command::new("chroot").arg(root).args(argv).output().unwrap();
    assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_program_of_the_host_runs_in_an_image_that_has_nothing_else() {
    let workshop = Workshop::new();
    let script = workshop.write("greet", "#!/bin/sh\necho hello from $0\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let script = script.to_str().unwrap();
    let cases: [(&str, &[&str], &str); 4] = [
        ("/bin/sh", &["/bin/sh", "-c", "echo $((6*7))"], "42\n"),
        ("ls", &["/usr/bin/ls", "/"], ""),
        ("/bin/busybox", &["/bin/busybox", "echo", "static"], "static\n"),
        (script, &[script], "hello from"),
    ];
    for (program, argv, expected) in cases {
        if program == "/bin/busybox" && !Path::new(program).exists() {
            continue;
        }
        workshop.build("scratch", vec![host_program(program)], "program");
        let output = chroot(&workshop.top("program"), argv);
        assert!(output.starts_with(expected), "{program}: {output}");
    }
}

#[test]
fn a_program_that_is_missing_or_none_says_so() {
    let workshop = Workshop::new();
    workshop.write("text", "no program");
    for (program, kind) in
        [("no-such-program", ErrorKind::NotFound), ("/no/such", ErrorKind::NotFound), ("./text", ErrorKind::Invalid)]
    {
        let error = workshop.try_build("scratch", vec![host_program(program)], "x").unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.message().contains("step 1"), "{error:?}");
    }
    assert!(image::find(&workshop.store, "x").unwrap().is_none());
}

#[test]
fn two_programs_share_an_image_through_the_links_of_the_first() {
    let workshop = Workshop::new();
    workshop.build("scratch", vec![host_program("/bin/sh"), host_program("/bin/cat"), write("/etc/motd", "hi")], "two");
    let layers = workshop.layers("two");
    let merged = tempfile::tempdir_in("/var/tmp").unwrap();
    let lower = layers.iter().map(|layer| layer.to_str().unwrap()).collect::<Vec<_>>().join(":");
    let mounted = Command::new("mount")
        .args(["-t", "overlay", "overlay", "-o", &format!("ro,lowerdir={lower}")])
        .arg(merged.path())
        .status()
        .unwrap();
    assert!(mounted.success());
    let output = Command::new("chroot").arg(merged.path()).args(["/bin/sh", "-c", "cat /etc/motd"]).output();
    assert!(Command::new("umount").arg(merged.path()).status().unwrap().success());
    assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), "hi");
}

#[test]
fn the_same_inputs_give_the_same_image_and_are_not_made_twice() {
    let workshop = Workshop::new();
    let source = workshop.write("app/main", "one");
    let steps = || {
        vec![
            host_program("/bin/sh"),
            copy("app", "/app"),
            write("/etc/x", "x"),
            BuildStep::Cmd(vec!["/app/main".into()]),
        ]
    };
    let first = workshop.build("scratch", steps(), "first");
    let blobs = workshop.blobs();
    // A newer time alone is no change.
    fs::File::options()
        .write(true)
        .open(&source)
        .unwrap()
        .set_modified(SystemTime::now() + Duration::from_secs(99))
        .unwrap();
    let start = std::time::Instant::now();
    assert_eq!(workshop.build("scratch", steps(), "second"), first);
    assert_eq!(workshop.blobs(), blobs);
    assert!(start.elapsed() < Duration::from_secs(20));

    workshop.write("app/main", "two");
    assert_ne!(workshop.build("scratch", steps(), "third"), first);
    // The layer below the change was found: new are its own layer, the one above, config and manifest.
    assert_eq!(workshop.blobs(), blobs + 3);

    // In another root everything is the same too.
    let elsewhere = Workshop::new();
    let other =
        |workshop: &Workshop| workshop.build("scratch", vec![host_program("/bin/sh"), write("/a", "b")], "other");
    assert_eq!(other(&workshop), other(&elsewhere));
}

#[test]
fn copies_land_where_a_dockerfile_would_put_them() {
    let workshop = Workshop::new();
    workshop.write("a.txt", "a");
    workshop.write("b.txt", "b");
    workshop.write("dir/one", "1");
    workshop.write("dir/sub/two", "2");
    symlink("one", workshop.context.join("dir/link")).unwrap();
    symlink("a.txt", workshop.context.join("link-to-a")).unwrap();
    fs::set_permissions(workshop.context.join("a.txt"), fs::Permissions::from_mode(0o640)).unwrap();
    let cases: [(&str, &str, &[&str]); 8] = [
        ("a.txt", "/x", &["x"]),
        ("a.txt", "/x/", &["x", "x/a.txt"]),
        ("a.txt", "/", &["a.txt"]),
        ("*.txt", "/x", &["x", "x/a.txt", "x/b.txt"]),
        ("dir", "/x", &["x", "x/link", "x/one", "x/sub", "x/sub/two"]),
        ("dir", "/", &["link", "one", "sub", "sub/two"]),
        ("link-to-a", "/x/", &["x", "x/link-to-a"]),
        ("d*/s?b", "/deep/er/", &["deep", "deep/er", "deep/er/two"]),
    ];
    for (source, target, expected) in cases {
        workshop.build("scratch", vec![copy(source, target)], "copy");
        let top = workshop.top("copy");
        let output =
            Command::new("find").args([".", "-mindepth", "1", "-printf", "%P\n"]).current_dir(&top).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut found: Vec<_> = text.lines().collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{source} {target}");
    }
    let owned = BuildStep::Copy {
        source: "a.txt".into(),
        target: "/o".into(),
        owner: Some("12:34".into()),
        mode: Some(0o4755),
        from: CopyFrom::Host,
        exclude: Vec::new(),
    };
    workshop.build("scratch", vec![copy("a.txt", "/p"), owned], "owned");
    let metadata = fs::metadata(workshop.top("owned").join("o")).unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (12, 34, 0o4755));
    let kept = workshop.layers("owned")[1].join("p").metadata().unwrap();
    assert_eq!((kept.uid(), kept.mode() & 0o7777), (0, 0o640));

    let error = workshop.try_build("scratch", vec![copy("*.none", "/")], "none").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn folders_and_links_of_the_base_stay_what_they_are() {
    let workshop = Workshop::new();
    let base = workshop.context.join("base");
    fs::create_dir_all(base.join("usr/lib")).unwrap();
    fs::create_dir(base.join("tmp")).unwrap();
    fs::create_dir(base.join("etc")).unwrap();
    fs::set_permissions(base.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    std::os::unix::fs::chown(base.join("tmp"), Some(7), Some(8)).unwrap();
    symlink("usr/lib", base.join("lib")).unwrap();
    fs::write(base.join("etc/passwd"), "app:x:1234:5678::/:\n").unwrap();
    let status = Command::new("tar")
        .args(["-cf", "base.tar", "-C", "base", "."])
        .current_dir(&workshop.context)
        .status()
        .unwrap();
    assert!(status.success());
    workshop.build("scratch", vec![BuildStep::LayerFromTar { path: "base.tar".into() }], "base");
    assert_eq!(fs::metadata(workshop.top("base").join("tmp")).unwrap().uid(), 7);

    workshop.write("file", "x");
    let named = BuildStep::Copy {
        source: "file".into(),
        target: "/tmp/named".into(),
        owner: Some("app".into()),
        mode: None,
        from: CopyFrom::Host,
        exclude: Vec::new(),
    };
    workshop.build("base", vec![write("/lib/new", "x"), write("/tmp/f", "x"), named], "derived");
    let layers = workshop.layers("derived");
    assert_eq!(layers.len(), 4);
    assert!(layers[2].join("usr/lib/new").is_file() && !layers[2].join("lib").exists());
    let tmp = fs::metadata(layers[1].join("tmp")).unwrap();
    assert_eq!((tmp.mode() & 0o7777, tmp.uid(), tmp.gid()), (0o1777, 7, 8));
    let named = fs::metadata(layers[0].join("tmp/named")).unwrap();
    assert_eq!((named.uid(), named.gid()), (1234, 5678));

    let error = workshop.try_build("base", vec![write("/etc/passwd/x", "x")], "bad").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
}

#[test]
fn the_config_says_what_the_steps_said() {
    let workshop = Workshop::new();
    let step = |text: &str| text.to_owned();
    workshop.build(
        "scratch",
        vec![
            write("/x", "x"),
            BuildStep::Env(step("A"), step("1")),
            BuildStep::Env(step("B"), step("2")),
            BuildStep::Env(step("A"), step("3")),
            BuildStep::Workdir(step("/srv")),
            BuildStep::Workdir(step("app")),
            BuildStep::User(step("nobody")),
            BuildStep::Expose(step("80")),
            BuildStep::Expose(step("53/udp")),
            BuildStep::Label(step("k"), step("v")),
            BuildStep::Volume(step("/data")),
            BuildStep::Entrypoint(vec![step("/bin/app")]),
            BuildStep::Cmd(vec![step("--help")]),
            BuildStep::StopSignal(step("SIGINT")),
            BuildStep::Healthcheck(HealthcheckSpec {
                test: vec![step("CMD"), step("true")],
                interval: Some(Duration::from_secs(5)),
                ..HealthcheckSpec::default()
            }),
        ],
        "config",
    );
    let info = image::info(&workshop.store, &image::require(&workshop.store, "config").unwrap()).unwrap();
    assert_eq!(info.tags, ["config:latest"]);
    assert_eq!(
        (info.env, info.workdir.as_str(), info.user.as_str()),
        (vec!["A=3".to_owned(), "B=2".to_owned()], "/srv/app", "nobody")
    );
    assert_eq!(
        (info.ports, info.entrypoint, info.cmd),
        (vec!["53/udp".to_owned(), "80/tcp".to_owned()], vec!["/bin/app".to_owned()], vec!["--help".to_owned()])
    );
    let inspected = image::inspect(&workshop.store, &info.id).unwrap();
    assert_eq!(inspected["Config"]["Healthcheck"], json!({ "Test": ["CMD", "true"], "Interval": 5_000_000_000u64 }));
    assert_eq!(inspected["Config"]["Volumes"], json!({ "/data": {} }));
    assert_eq!(inspected["Config"]["StopSignal"], "SIGINT");
    // The base's arguments were for the base's program.
    workshop.build("config", vec![BuildStep::Entrypoint(vec![step("/bin/other")])], "derived");
    let derived = image::info(&workshop.store, &image::require(&workshop.store, "derived").unwrap()).unwrap();
    assert_eq!((derived.entrypoint, derived.cmd), (vec!["/bin/other".to_owned()], Vec::<String>::new()));
    assert_eq!(derived.labels["k"], "v");
}

/// Changes files as a container would, and counts.
fn change(runs: &AtomicUsize, step: &RunRequest<'_>) -> Result<()> {
    runs.fetch_add(1, Ordering::Relaxed);
    assert_eq!(step.layers.len(), 1);
    assert!(step.work.is_dir());
    if step.argv == ["false"] {
        return Err(Error::exit("`false` ended with code 1", Default::default()));
    }
    fs::write(step.upper.join("made"), step.argv.join(" ")).unwrap();
    nix::sys::stat::mknod(&step.upper.join("x"), nix::sys::stat::SFlag::S_IFCHR, nix::sys::stat::Mode::empty(), 0)
        .unwrap();
    Ok(())
}

fn run(argv: &[&str]) -> BuildStep {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    BuildStep::Run { argv, mounts: Vec::new(), stages: Vec::new(), network: None }
}

#[test]
fn what_a_command_changes_becomes_a_layer_and_is_not_run_again() {
    let workshop = Workshop::new();
    let runs = AtomicUsize::new(0);
    let build_with = |argv: &[&str], tag: &str| {
        let steps = vec![write("/x", "x"), run(argv)];
        let plan = BuildPlan { from: "scratch".into(), steps, context: workshop.context.clone() };
        build_plan_with(&workshop.store, plan, tag, &|step| change(&runs, &step))
    };
    let first = build_with(&["make", "it"], "ran").unwrap();
    let top = workshop.top("ran");
    assert_eq!(fs::read_to_string(top.join("made")).unwrap(), "make it");
    assert_eq!(fs::symlink_metadata(top.join("x")).unwrap().rdev(), 0);
    assert_eq!(build_with(&["make", "it"], "again").unwrap(), first);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert_eq!(build_with(&["false"], "failed").unwrap_err().kind(), ErrorKind::Exit);
    assert!(image::find(&workshop.store, "failed").unwrap().is_none());
    // Nothing is left of the commands' folders.
    assert_eq!(fs::read_dir(workshop.store.root().join("layers/tmp")).unwrap().count(), 0);
}

#[test]
fn an_archive_is_a_layer_whatever_its_compression() {
    let workshop = Workshop::new();
    workshop.write("in/file", "x");
    let mut layers = Vec::new();
    for compress in ["cat", "gzip -n", "zstd -q"] {
        let script = format!("tar --sort=name --mtime=@0 --owner=0 --group=0 -C in -cf - . | {compress} > layer");
        assert!(Command::new("sh").args(["-ec", &script]).current_dir(&workshop.context).status().unwrap().success());
        let id = workshop.build("scratch", vec![BuildStep::LayerFromTar { path: "layer".into() }], "archive");
        layers.push(image::info(&workshop.store, &id).unwrap().layers);
        assert_eq!(fs::read_to_string(workshop.top("archive").join("file")).unwrap(), "x");
    }
    assert!(layers.iter().all(|layer| *layer == layers[0]));
    fs::write(workshop.context.join("layer"), "no archive").unwrap();
    let error =
        workshop.try_build("scratch", vec![BuildStep::LayerFromTar { path: "layer".into() }], "bad").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
