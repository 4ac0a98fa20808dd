//! Images from registries, from scripts: pulled, run, and every fault said clearly with nothing lost or left.

use crate::support::fixtures::{fixture_image, program};
use crate::support::registry::{Fault, FaultyRegistry, Image, Login, Registry};
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::wait_until;
use nix::sys::signal::Signal;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn the_issues_first_example_pulls_runs_publishes_and_answers() {
    let (source, registry) = require!(fixture_image("node"), Registry::start());
    require!(registry.copy(&source, "node:18"));
    let shanty = Shanty::new();
    let code = format!(
        r#"
        let server = "require('http').createServer((q, s) => s.end('hello from ' + process.version)).listen(3000)";
        let web = image("{}").run(#{{ name: "web", ports: ["127.0.0.1::3000"], cmd: ["node", "-e", server] }});
        web.wait_for(#{{ port: 3000 }});
        let answer = http::get("http://127.0.0.1:" + web.port(3000).host_port).text;
        let version = web.exec("node --version").stdout;
        [answer, version, images().len()]
        "#,
        registry.name("node:18")
    );
    let value = shanty.json(&code);
    let version = value[1].as_str().unwrap().trim();
    assert!(version.starts_with("v18."), "{value}");
    assert_eq!(value[0], format!("hello from {version}"));
    assert_eq!(value[2], 1);
    shanty.eval(r#"container("web").remove(#{ force: true })"#).ok();
    shanty.assert_nothing_left();
}

/// What is in the folders of a store where something half done would be.
fn half_done(shanty: &Shanty) -> Vec<String> {
    let names = |folder: &str| {
        let entries = std::fs::read_dir(shanty.root().join(folder)).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().display().to_string()).collect::<Vec<_>>()
    };
    [names("layers/tmp"), names("trash"), names("containers")].concat()
}

#[test]
fn faults_of_registries_are_named_and_leave_no_image() {
    let (shanty, registry) = (Shanty::new(), FaultyRegistry::start());
    let image = Image::of_files(&[("bin/x", &[1; 100_000])]);
    registry.put("app:1", &image);
    let blob = image.layer(0).digest.to_string();
    let pull = |name: &str| shanty.eval(&format!(r#"image("{}/{name}").pull()"#, registry.host()));

    let unknown = pull("app:2").fails_with("not_found");
    assert!(unknown.stderr.contains("app:2"), "{unknown}");
    pull("other:1").fails_with("not_found");
    registry.fault(&blob, 100, Fault::WrongByte);
    pull("app:1").fails_with("corrupt");
    assert_eq!(shanty.json("images().len()"), 0);
    wait_until(LIMIT, || shanty.eval("images()").ok().code == 0 && half_done(&shanty).is_empty());
    shanty.eval(r#"image("no.such.host.invalid/x").pull()"#).fails_with("network");
}

#[test]
fn wrong_credentials_are_unauthorized_and_right_ones_come_from_dockers_file() {
    let (shanty, registry) = (Shanty::new(), FaultyRegistry::start());
    registry.put("app:1", &Image::of_files(&[("x", b"y")]));
    registry.demand(Login::Basic);
    let pull = || shanty.eval(&format!(r#"print(image("{}/app:1").pull().exists())"#, registry.host()));
    let none = pull().fails_with("unauthorized");
    assert!(none.stderr.contains("hint"), "{none}");
    for (password, accepted) in [("wrong", false), ("secret", true)] {
        let auth = base64(&format!("shanty:{password}"));
        let config = serde_json::json!({ "auths": { registry.host(): { "auth": auth } } });
        std::fs::create_dir_all(shanty.home().join(".docker")).unwrap();
        std::fs::write(shanty.home().join(".docker/config.json"), config.to_string()).unwrap();
        if accepted {
            pull().prints("true\n");
        } else {
            let refused = pull().fails_with("unauthorized");
            assert!(!refused.stderr.contains("wrong"), "no secrets in errors: {refused}");
        }
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn a_script_killed_in_the_middle_of_a_pull_loses_nothing_and_the_next_pull_goes_on() {
    let (shanty, registry) = (Shanty::new(), FaultyRegistry::start());
    // What does not compress is what can be cut in the middle.
    let content: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let image = Image::of_files(&[("data", &content)]);
    registry.put("app:1", &image);
    let blob = image.layer(0).digest.to_string();
    registry.fault(&blob, 1, Fault::StallAfter(1_000_000));
    let code = format!(r#"image("{}/app:1").pull()"#, registry.host());
    let script = shanty.eval(&code).spawn();
    wait_until(LIMIT, || std::fs::read_dir(shanty.root().join("layers/tmp")).is_ok_and(|mut dir| dir.next().is_some()));
    script.signal(Signal::SIGKILL);
    script.wait(LIMIT);
    assert_eq!(shanty.json("images().len()"), 0);
    shanty.eval(&code).ok();
    assert_eq!(shanty.json("images().len()"), 1);
    wait_until(LIMIT, || shanty.eval("images()").ok().code == 0 && half_done(&shanty).is_empty());
}

#[test]
fn two_scripts_that_pull_the_same_image_fetch_each_blob_once() {
    let (shanty, registry) = (Shanty::new(), FaultyRegistry::start());
    let image = Image::of_files(&[("data", &[7; 1_000_000])]);
    registry.put("app:1", &image);
    let code = format!(r#"image("{}/app:1").pull()"#, registry.host());
    let calls = [shanty.eval(&code).spawn(), shanty.eval(&code).spawn()];
    for call in calls {
        let output = call.wait(LIMIT);
        assert_eq!(output.code, 0, "{output}");
    }
    assert_eq!(registry.seen(&image.layer(0).digest.to_string()).len(), 1);
}

#[test]
fn ctrl_c_stops_a_stalled_pull_at_once() {
    let (shanty, registry) = (Shanty::new(), FaultyRegistry::start());
    let image = Image::of_files(&[("data", &[7; 1_000_000])]);
    registry.put("app:1", &image);
    registry.fault(&image.layer(0).digest.to_string(), 1, Fault::StallAfter(100));
    let script = shanty.eval(&format!(r#"image("{}/app:1").pull()"#, registry.host())).spawn();
    wait_until(LIMIT, || !registry.seen(&image.layer(0).digest.to_string()).is_empty());
    let asked = std::time::Instant::now();
    script.signal(Signal::SIGINT);
    assert_eq!(script.wait(LIMIT).code, 130);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    wait_until(LIMIT, || shanty.eval("images()").ok().code == 0 && half_done(&shanty).is_empty());
}

#[test]
fn a_full_disk_is_said_and_leaves_the_store_usable() {
    let mount = require!(program("mount"));
    let (shanty, registry) = (Shanty::new(), FaultyRegistry::start());
    let content: Vec<u8> = (0..12_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    registry.put("large:1", &Image::of_files(&[("data", &content)]));
    registry.put("small:1", &Image::of_files(&[("data", b"small")]));
    let status =
        Command::new(mount).args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(shanty.root()).status().unwrap();
    assert!(status.success());
    let full = shanty.eval(&format!(r#"image("{}/large:1").pull()"#, registry.host())).fails_with("io");
    assert!(full.stderr.contains("no space left"), "{full}");
    wait_until(LIMIT, || shanty.eval("images()").ok().code == 0 && half_done(&shanty).is_empty());
    shanty.eval(&format!(r#"image("{}/small:1").pull()"#, registry.host())).ok();
    nix::mount::umount(&shanty.root()).unwrap();
}
