//! When registries are asked, and how often: policies, digests, many processes.

use crate::registry::noise;
use crate::support::docker::Docker;
use crate::support::registry::{Fault, FaultyRegistry, Image, Registry, tar_of};
use crate::support::require;
use crate::support::shanty::Shanty;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

#[test]
fn policies_ask_the_registry_as_seldom_as_they_may() {
    let (shanty, registry) = (Shanty::new(), FaultyRegistry::start());
    let [old, new] = [b"1", b"2"].map(|content| Image::of_files(&[("bin/x", content)]));
    registry.put("app:v1", &old);
    let name = format!("{}/app:v1", registry.host());
    let create = |policy: &str| {
        let code = r#"let c = image("NAME").create(["/bin/x"], #{ pull: "POLICY", network: "none" }); let i = image("NAME").digest; c.remove(); print(i)"#;
        shanty.eval(&code.replace("NAME", &name).replace("POLICY", policy))
    };
    let asked = || registry.seen("/manifests/").into_iter().map(|seen| seen.method).collect::<Vec<_>>().join(" ");
    let (first, second) = (format!("{}\n", old.digest()), format!("{}\n", new.digest()));
    create("never").fails_with("not_found");
    assert_eq!(asked(), "");
    create("missing").prints(&first);
    create("missing").prints(&first);
    assert_eq!(asked(), "GET");
    create("newer").prints(&first);
    assert_eq!(asked(), "GET HEAD");
    create("always").prints(&first);
    assert_eq!(asked(), "GET HEAD GET");
    registry.put("app:v1", &new);
    create("missing").prints(&first);
    create("newer").prints(&second);
    assert_eq!(asked(), "GET HEAD GET HEAD GET");
    registry.fault("/manifests/", 1, Fault::Status(403, vec![]));
    let told = create("newer").prints(&second);
    assert!(told.stderr.contains("warning") && told.stderr.contains("403") || told.stderr.contains("denies"), "{told}");
    registry.fault("/manifests/", 1, Fault::Status(403, vec![]));
    create("always").fails_with("denied");
}

#[test]
fn a_digest_is_pulled_without_a_word_about_tags_and_stays_known() {
    let registry = require!(Registry::start());
    let shanty = Shanty::new();
    let image = Image::of_files(&[("bin/x", b"1")]);
    registry.push("app:v1", &image);
    let before = registry.requests().len();
    let pinned = format!("{}@{}", registry.name("app"), image.digest());
    let value = shanty.json(&format!(
        r#"let i = image("{pinned}"); i.pull(); let c = i.create(["/bin/x"], #{{ pull: "never", network: "none" }}); c.remove();
           [i.digest, i.tags, i.inspect().RepoDigests]"#
    ));
    assert_eq!(value, serde_json::json!([image.digest(), [], [pinned]]));
    let absent = pinned.replace(&image.digest().to_string(), &Image::of_files(&[("y", b"z")]).digest().to_string());
    shanty.eval(&format!(r#"image("{absent}").pull()"#)).fails_with("not_found");
    let requests = registry.requests()[before..].join("\n");
    assert!(!requests.contains("/tags/") && !requests.contains("manifests/v1"), "{requests}");
}

#[test]
fn nothing_wrong_is_kept_under_a_digest() {
    let registry = FaultyRegistry::start();
    let image = Image::of_files(&[("bin/x", &[1; 50_000])]);
    registry.put("app:v1", &image);
    let entry = serde_json::json!({
        "mediaType": image.media_type, "digest": image.digest(), "size": image.manifest.len(),
        "platform": {"os": "linux", "architecture": "amd64"},
    });
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]}).to_string();
    registry.put_manifest("app:all", media_type, index.as_bytes());
    let config = Sha256::digest(&image.config);
    let config = config.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (layer, manifest) = (image.layer(0).digest.to_string(), image.digest().to_string());
    for (what, name) in [
        (layer.as_str(), "app:v1"),
        (config.as_str(), "app:v1"),
        ("/manifests/v1", "app:v1"),
        ("/manifests/all", "app:all"),
        (manifest.as_str(), "app:all"),
    ] {
        let shanty = Shanty::new();
        registry.fault(what, 1, Fault::WrongByte);
        let code = format!(r#"image("{}/{name}").pull()"#, registry.host());
        shanty.eval(&code).fails_with("corrupt");
        let mut kept = 0;
        for entry in std::fs::read_dir(shanty.root().join("blobs")).unwrap().flatten().filter(|it| it.path().is_file())
        {
            let hash = Sha256::digest(std::fs::read(entry.path()).unwrap());
            let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            assert_eq!(entry.file_name().to_str().unwrap(), hash, "{what}");
            kept += 1;
        }
        assert!(kept < 3, "{what}");
        shanty.eval(&code).ok();
    }
}

#[test]
fn ten_processes_that_pull_ten_overlapping_images_fetch_each_layer_once() {
    let registry = require!(Registry::start());
    let shanty = Shanty::new();
    let layers: Vec<Vec<u8>> = (0..12).map(|i| tar_of(&[(&format!("file{i}"), &noise(300_000))])).collect();
    for i in 0..10 {
        registry.push(&format!("app{i}:v1"), &Image::new(&layers[i..i + 3]));
    }
    let before = registry.requests().len();
    let calls: Vec<_> = (0..10)
        .map(|i| shanty.eval(&format!(r#"image("{}").pull()"#, registry.name(&format!("app{i}:v1")))).spawn())
        .collect();
    for call in calls {
        let output = call.wait(Duration::from_secs(60));
        assert_eq!(output.code, 0, "{output}");
    }
    let mut fetched: Vec<String> = registry.requests()[before..]
        .iter()
        .filter(|line| line.starts_with("GET ") && line.contains("/blobs/"))
        .map(|line| line.rsplit('/').next().unwrap().to_owned())
        .collect();
    let all = fetched.len();
    fetched.sort();
    fetched.dedup();
    // Twelve layers and ten configs.
    assert_eq!((all, fetched.len()), (22, 22));
}

#[test]
fn docker_pulls_what_we_push_and_we_push_on_what_docker_pushed() {
    let (registry, docker) = require!(Registry::start(), Docker::start());
    let shanty = Shanty::new();
    let (ours, theirs, again) = (registry.name("ours:v1"), registry.name("theirs:v1"), registry.name("again:v1"));
    let make = r#"from("scratch").write("/x", "y").env("A", "b")"#;
    let pushed = shanty.json(&format!(r#"{make}.tag("{ours}"); image("{ours}").push()"#));
    docker.ok(&["pull", "--quiet", &ours]);
    let digests = docker.ok(&["image", "inspect", "--format", "{{index .RepoDigests 0}} {{.Id}}", &ours]);
    assert!(digests.contains(pushed.as_str().unwrap()), "{digests} {pushed}");
    assert!(digests.contains(shanty.json(&format!(r#"image("{ours}").id"#)).as_str().unwrap()), "{digests}");
    docker.ok(&["tag", &ours, &theirs]);
    docker.ok(&["push", "--quiet", &theirs]);
    let digest = docker.ok(&["image", "inspect", "--format", "{{json .RepoDigests}}", &theirs]);
    let value = shanty.json(&format!(r#"let i = image("{theirs}").pull(); [i.digest, i.push(#{{ to: "{again}" }})]"#));
    assert_eq!(value[0], value[1]);
    assert!(digest.contains(&format!("theirs@{}", value[0].as_str().unwrap())), "{digest} {value}");
}
