//! Secrets reach the step that asked for them, and no disk.

use super::LIMIT;
use super::bench::Bench;
use crate::support::fixtures::program;
use crate::support::wait::wait_until;
use crate::support::{Shanty, require};
use shanty::build::StepMount;
use shanty::build::secrets::{self, SecretFolder};
use shanty::build::ssh::{SshAgent, SshProxy};
use shanty::model::{Secret, SecretSource, Stream};
use shanty::native::NativeEngine;
use shanty::store::Store;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Not written anywhere as a whole, so that no file of the test itself holds it.
fn value() -> String {
    ["correct", "horse", "battery", "staple"].join("-")
}

/// Files below a root and its run-time folder that hold the value.
fn holders(shanty: &Shanty) -> Vec<PathBuf> {
    let run_dir = Path::new("/run/shanty").join(shanty.id8().unwrap());
    let (mut found, mut todo) = (Vec::new(), vec![shanty.root(), run_dir]);
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                todo.push(entry.path());
            } else if kind.is_file()
                && fs::read(entry.path())
                    .is_ok_and(|text| text.windows(value().len()).any(|window| window == value().as_bytes()))
            {
                found.push(entry.path());
            }
        }
    }
    found
}

fn read_only(source: PathBuf, target: &str) -> StepMount {
    StepMount::Bind { source, target: target.into(), read_only: true }
}

#[test]
fn a_secret_is_in_memory_while_its_step_runs_and_nowhere_else() {
    let bench = require!(Bench::new());
    let store = Store::open(&bench.shanty.root()).unwrap();
    let folder = SecretFolder::make(&store).unwrap();
    let token = secrets::read(&SecretSource::Value(value().into_bytes())).unwrap();
    let path = folder.write(&token, 0o400, 1000, 1000).unwrap();
    let code = "test $TOKEN = $(cat /run/secrets/token) && stat -c '%a %u %g' /run/secrets/token && echo ready; exit 5";
    let mut step = bench.step(code);
    step.config = r#"{ "Env": ["PATH=/bin", "TOKEN=config"], "User": "user" }"#;
    step.secret_env = vec![("TOKEN".into(), Secret::new(value()))];
    step.mounts = vec![read_only(path.clone(), "/run/secrets/token")];
    let mut seen = None;
    let outcome = step.run_with(|stream, _| {
        if stream == Stream::Stdout {
            seen = Some(holders(&bench.shanty));
        }
    });
    assert_eq!(outcome.stdout, "400 1000 1000\nready\n");
    assert_eq!(seen.unwrap(), [path]);
    let error = outcome.result.unwrap_err();
    assert!(!format!("{error:?} {error}").contains(&value()), "{error:?}");
    drop(folder);
    assert_eq!(holders(&bench.shanty), Vec::<PathBuf>::new());
}

#[test]
fn a_secret_of_a_killed_build_goes_with_the_next_command() {
    let bench = require!(Bench::new());
    drop(bench.run("true").ok());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "build_steps::secrets::a_build_with_a_secret", "--ignored", "--nocapture"])
        .env("ROOT", bench.shanty.root())
        .spawn()
        .unwrap();
    let run_dir = Path::new("/run/shanty").join(bench.shanty.id8().unwrap());
    let ready = bench.shanty.root().join("../ready");
    wait_until(LIMIT, || ready.exists());
    let held = holders(&bench.shanty);
    assert!(held.len() == 1 && held[0].starts_with(run_dir.join("build")), "{held:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until(LIMIT, || {
        bench.shanty.eval("containers(#{ all: true })").ok();
        holders(&bench.shanty).is_empty() && !run_dir.join("build").exists()
    });
    bench.shanty.assert_nothing_left();
}

/// Not a test: what the one above kills.
#[test]
#[ignore = "runs as another test's child"]
fn a_build_with_a_secret() {
    let Some(root) = std::env::var_os("ROOT") else { return };
    let bench = Bench::new().ok().unwrap();
    let engine = NativeEngine::open(Path::new(&root)).unwrap();
    let store = Store::open(Path::new(&root)).unwrap();
    let folder = SecretFolder::make(&store).unwrap();
    let path = folder.write(value().as_bytes(), 0o400, 0, 0).unwrap();
    let mut step = bench.step("echo ready; sleep 600");
    step.secret_env = vec![("TOKEN".into(), Secret::new(value()))];
    step.mounts = vec![read_only(path, "/secret")];
    let ready = Path::new(&root).join("../ready");
    let _ = step.run_on(&engine, |_, _| fs::write(&ready, "").unwrap());
}

#[test]
fn a_step_talks_to_the_ssh_agent_of_the_person() {
    let bench = require!(Bench::new());
    let socket = bench.shanty.work().join("agent");
    let listener = UnixListener::bind(&socket).unwrap();
    let agent = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"from the agent\n").unwrap();
    });
    let store = Store::open(&bench.shanty.root()).unwrap();
    let folder = SecretFolder::make(&store).unwrap();
    let proxy = SshProxy::start(&folder, &SshAgent::new(&socket).unwrap(), 0o600, 1000, 1000).unwrap();
    let perl = require!(program("perl"));
    bench.add_program(&perl);
    let code = r#"socket(S, 1, 1, 0); connect(S, pack("Sa108", 1, $ENV{SSH_AUTH_SOCK})) or die $!; print <S>"#;
    let mut step = bench.step_of(&[perl.to_str().unwrap(), "-e", code]);
    step.config = r#"{ "Env": ["PATH=/bin"], "User": "user" }"#;
    step.env = vec![("SSH_AUTH_SOCK".into(), "/run/buildkit/ssh_agent.0".into())];
    step.mounts = vec![read_only(proxy.path().to_owned(), "/run/buildkit/ssh_agent.0")];
    let outcome = step.run().ok();
    assert_eq!(outcome.stdout, "from the agent\n");
    assert_eq!(outcome.changes(), Vec::<String>::new());
    agent.join().unwrap();
}
