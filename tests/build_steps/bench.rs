//! A root, a layer of busybox that no image knows, and steps that are run on it.

use crate::support::fixtures::{Missing, program};
use crate::support::{Shanty, wait};
use oci_spec::image::ImageConfiguration;
use shanty::build::{RunRequest, RunStep, StepMount, StepNetwork};
use shanty::context::Context;
use shanty::error::Result;
use shanty::model::{Secret, Stream};
use shanty::native::NativeEngine;
use shanty::runtime::control;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What steps are tried on.
pub struct Bench {
    /// Its root.
    pub shanty: Shanty,
    /// The only layer: a folder.
    pub layer: PathBuf,
    engine: NativeEngine,
    steps: AtomicUsize,
}

/// A step to be run.
pub struct Step<'a> {
    bench: &'a Bench,
    argv: Vec<String>,
    /// The `config` of the image's config, as JSON.
    pub config: &'static str,
    pub env: Vec<(String, String)>,
    pub secret_env: Vec<(String, Secret)>,
    pub mounts: Vec<StepMount>,
    pub network: StepNetwork,
    pub extra_hosts: Vec<(String, String)>,
    pub insecure: bool,
    pub stdin: Option<Vec<u8>>,
}

/// What is left of it.
#[derive(Debug)]
pub struct Outcome {
    pub result: Result<()>,
    pub stdout: String,
    pub stderr: String,
    pub upper: PathBuf,
}

impl Bench {
    pub fn new() -> Result<Self, Missing> {
        let busybox = program("busybox")?;
        control::set_program(env!("CARGO_BIN_EXE_shanty").into());
        let shanty = Shanty::new();
        let layer = shanty.work().join("layer");
        for folder in ["bin", "etc", "tmp", "root", "home"] {
            fs::create_dir_all(layer.join(folder)).unwrap();
        }
        fs::copy(&busybox, layer.join("bin/busybox")).unwrap();
        let applets = Command::new(&busybox).arg("--list").output().unwrap().stdout;
        for applet in String::from_utf8(applets).unwrap().lines().filter(|applet| *applet != "busybox") {
            symlink("busybox", layer.join("bin").join(applet)).unwrap();
        }
        fs::write(layer.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n").unwrap();
        let engine = NativeEngine::open(&shanty.root()).unwrap();
        Ok(Self { shanty, layer, engine, steps: AtomicUsize::new(0) })
    }

    /// Copies a program of this machine, with its libraries, to the same place in the layer.
    pub fn add_program(&self, program: &Path) {
        let libraries = Command::new("ldd").arg(program).output().unwrap().stdout;
        let libraries = String::from_utf8(libraries).unwrap();
        for path in libraries.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new).chain([program]) {
            let inside = self.layer.join(path.strip_prefix("/").unwrap());
            fs::create_dir_all(inside.parent().unwrap()).unwrap();
            fs::copy(path, inside).unwrap();
        }
    }

    pub fn step(&self, code: &str) -> Step<'_> {
        self.step_of(&["/bin/sh", "-c", code])
    }

    pub fn step_of(&self, argv: &[&str]) -> Step<'_> {
        Step {
            bench: self,
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            config: r#"{ "Env": ["PATH=/bin"] }"#,
            env: Vec::new(),
            secret_env: Vec::new(),
            mounts: Vec::new(),
            network: StepNetwork::None,
            extra_hosts: Vec::new(),
            insecure: false,
            stdin: None,
        }
    }

    pub fn run(&self, code: &str) -> Outcome {
        self.step(code).run()
    }

    pub fn run_argv(&self, argv: &[&str]) -> Outcome {
        self.step_of(argv).run()
    }
}

impl Step<'_> {
    pub fn run(self) -> Outcome {
        self.run_with(|_, _| {})
    }

    pub fn run_with(self, seen: impl FnMut(Stream, &[u8]) + Send) -> Outcome {
        let engine = &self.bench.engine;
        self.run_on(engine, seen)
    }

    pub fn run_on(self, engine: &NativeEngine, mut seen: impl FnMut(Stream, &[u8]) + Send) -> Outcome {
        let number = self.bench.steps.fetch_add(1, Ordering::Relaxed);
        let folder = self.bench.shanty.work().join(format!("step-{number}"));
        let (upper, work) = (folder.join("upper"), folder.join("work"));
        for folder in [&upper, &work] {
            fs::create_dir_all(folder).unwrap();
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let text = format!(
            r#"{{ "architecture": "amd64", "os": "linux", "config": {} , "rootfs": {{ "type": "layers", "diff_ids": [] }} }}"#,
            self.config
        );
        let config: ImageConfiguration = serde_json::from_str(&text).unwrap();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let request = RunRequest {
            layers: std::slice::from_ref(&self.bench.layer),
            config: &config,
            argv: &self.argv,
            upper: &upper,
            work: &work,
            env: &self.env,
            secret_env: &self.secret_env,
            mounts: &self.mounts,
            network: &self.network,
            extra_hosts: &self.extra_hosts,
            insecure: self.insecure,
            stdin: self.stdin,
            output: &mut |stream, bytes| {
                seen(stream, bytes);
                let collected = if stream == Stream::Stdout { &mut stdout } else { &mut stderr };
                collected.extend_from_slice(bytes);
            },
        };
        let cx = Context::background().with_timeout(Some(Duration::from_secs(30) * wait::patience()));
        let result = engine.run(&cx, request);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Outcome { result, stdout: text(stdout), stderr: text(stderr), upper }
    }
}

impl Outcome {
    #[track_caller]
    pub fn ok(self) -> Self {
        match &self.result {
            Ok(()) => self,
            Err(error) => panic!("{error:?}; {self:?}"),
        }
    }

    /// Paths in the upper folder, sorted.
    pub fn changes(&self) -> Vec<String> {
        let mut paths = Vec::new();
        collect(&self.upper, Path::new(""), &mut paths);
        paths.sort();
        paths
    }
}

fn collect(folder: &Path, inside: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let inside = inside.join(entry.file_name());
        paths.push(inside.to_str().unwrap().to_owned());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &inside, paths);
        }
    }
}
