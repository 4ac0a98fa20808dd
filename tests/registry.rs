//! Registries that behave: Debian's `docker-registry`, with and without TLS and login.

use crate::require;
use crate::support::fixture_image;
use crate::support::registry::{Certificate, FaultyRegistry, Image, Login, Registry};
use shanty::context::Context;
use shanty::error::{Error, ErrorKind};
use shanty::model::{Platform, Reference};
use shanty::registry::{Client, Credential, CredentialProvider, NoCredentials, Options, Received, Retry, Secret};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

/// Options that do not look at the machine, and do not make a test wait.
pub fn options() -> Options {
    let retry = Retry { base: Duration::from_millis(1), max: Duration::from_millis(5), ..Retry::default() };
    Options { retry, credentials: Arc::new(NoCredentials), ..Options::default() }
}

pub fn client() -> Client {
    Client::new(options())
}

pub fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

/// One user for all registries.
pub struct User(pub &'static str);

impl CredentialProvider for User {
    fn credential(&self, _: &str, _: &str) -> Result<Option<Credential>, Error> {
        Ok(Some(Credential::Basic { user: "shanty".into(), password: Secret::new(self.0) }))
    }
}

pub fn client_with_password(password: &'static str) -> Client {
    Client::new(Options { credentials: Arc::new(User(password)), ..options() })
}

/// Bytes that do not compress, so that a layer is as large as it looks.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn read(client: &Client, reference: &Reference, image: &Image, layer: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut stream = client.blob(&Context::background(), reference, &image.layer(layer)).unwrap();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn an_image_comes_whole_from_a_real_registry_in_both_formats() {
    let registry = require!(Registry::start());
    let image = Image::new(&[noise(3 << 20), noise(10)]);
    for (name, image) in [("team/oci:v1", image.clone()), ("team/docker:v1", image.into_docker())] {
        registry.push(name, &image);
        let reference: Reference = registry.name(name).parse().unwrap();
        let client = client();
        let resolved = client.resolve(&Context::background(), &reference, &amd64()).unwrap();
        assert_eq!(resolved.manifest.bytes, image.manifest);
        assert_eq!((resolved.digest(), &resolved.manifest.digest), (&image.digest(), &image.digest()));
        assert_eq!(
            resolved.layers.iter().map(|layer| &layer.digest).collect::<Vec<_>>(),
            [&image.layer(0).digest, &image.layer(1).digest]
        );
        assert_eq!(read(&client, &reference, &image, 0), image.layers[0]);
        assert_eq!(read(&client, &reference, &image, 1), image.layers[1]);
        let mut config = Vec::new();
        let mut stream = client.blob(&Context::background(), &reference, &resolved.config).unwrap();
        stream.read_to_end(&mut config).unwrap();
        assert_eq!(config, image.config);
    }
}

#[test]
fn a_digest_can_be_asked_for_and_pulled() {
    let registry = require!(Registry::start());
    let (old, new) = (Image::of_files(&[("a", b"1")]), Image::of_files(&[("a", b"2")]));
    registry.push("app:v1", &old);
    let client = client();
    let cx = Context::background();
    let tag: Reference = registry.name("app:v1").parse().unwrap();
    assert_eq!(client.digest(&cx, &tag).unwrap(), old.digest());
    registry.push("app:v1", &new);
    assert_eq!(client.digest(&cx, &tag).unwrap(), new.digest());
    let pinned = client.resolve(&cx, &tag.at(old.digest()), &amd64()).unwrap();
    assert_eq!(pinned.manifest.bytes, old.manifest);
}

#[test]
fn the_manifest_for_the_platform_is_taken_from_an_index() {
    let registry = require!(Registry::start());
    let images = [Image::of_files(&[("a", b"amd64")]), Image::of_files(&[("a", b"arm")])];
    for image in &images {
        registry.push("app:part", image);
    }
    let entries: Vec<serde_json::Value> = images
        .iter()
        .zip(["amd64", "arm"])
        .map(|(image, architecture)| {
            serde_json::json!({
                "mediaType": image.media_type, "digest": image.digest(), "size": image.manifest.len(),
                "platform": {"os": "linux", "architecture": architecture},
            })
        })
        .collect();
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}).to_string();
    registry.push_manifest("app:all", media_type, index.as_bytes());
    let reference: Reference = registry.name("app:all").parse().unwrap();
    let cx = Context::background();
    for (platform, image) in [("linux/amd64", &images[0]), ("linux/arm/v7", &images[1])] {
        let resolved = client().resolve(&cx, &reference, &platform.parse().unwrap()).unwrap();
        assert_eq!(resolved.manifest.digest, image.digest());
        assert_eq!(resolved.index.as_ref().unwrap().bytes, index);
        assert_eq!(*resolved.digest(), client().digest(&cx, &reference).unwrap(), "the index is what the tag names");
    }
    let error = client().resolve(&cx, &reference, &"linux/s390x".parse().unwrap()).expect_err("not made for it");
    assert!(error.is(ErrorKind::NotFound) && error.hint_text().unwrap().contains("linux/arm"), "{error:?}");
}

#[test]
fn an_image_that_another_tool_pushed_is_found() {
    let (registry, source) = require!(Registry::start(), fixture_image("platforms"));
    require!(registry.copy(&source, "team/platforms:latest"));
    let reference: Reference = registry.name("team/platforms").parse().unwrap();
    let resolved = client().resolve(&Context::background(), &reference, &amd64()).unwrap();
    assert!(resolved.index.is_some());
    for blob in resolved.layers.iter().chain([&resolved.config]) {
        client().blob(&Context::background(), &reference, blob).unwrap().finish().unwrap();
    }
}

#[test]
fn asking_for_the_digest_fetches_no_manifest() {
    let registry = FaultyRegistry::start();
    let image = Image::of_files(&[]);
    registry.put("app:v1", &image);
    assert_eq!(client().digest(&Context::background(), &registry.reference("app:v1")).unwrap(), image.digest());
    let methods: Vec<String> = registry.seen("/manifests/").into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["HEAD"]);
}

#[test]
fn what_is_missing_is_told_apart() {
    let registry = require!(Registry::start());
    registry.push("app:stable", &Image::of_files(&[]));
    let cx = Context::background();
    let fails = |name: &str| {
        let reference: Reference = registry.name(name).parse().unwrap();
        let error = client().resolve(&cx, &reference, &amd64()).expect_err(name);
        let by_digest = client().digest(&cx, &reference).expect_err(name);
        assert_eq!((error.kind(), by_digest.kind()), (ErrorKind::NotFound, ErrorKind::NotFound), "{error:?}");
        format!("{} ({})", error.message(), error.hint_text().unwrap())
    };
    let text = fails("app:stabel");
    assert!(text.contains("no tag `stabel`") && text.contains("app:stable`?"), "{text}");
    assert!(fails("app:1").contains("it has the tags stable"), "the tags are named when none is near");
    assert!(fails("ap:stable").contains("has no repository `ap`"));
    let missing = Image::of_files(&[("other", b"x")]);
    let reference: Reference = registry.name("app:stable").parse().unwrap();
    let error = client().blob(&cx, &reference, &missing.layer(0)).unwrap().finish().expect_err("no such blob");
    assert!(error.is(ErrorKind::NotFound), "{error:?}");
}

#[test]
fn tags_come_with_all_their_pages() {
    let registry = require!(Registry::start());
    let image = Image::of_files(&[]);
    registry.push("app:v1", &image);
    registry.push_manifest("app:v2", image.media_type, &image.manifest);
    let reference: Reference = registry.name("app").parse().unwrap();
    let mut tags = client().tags(&Context::background(), &reference).unwrap();
    tags.sort();
    assert_eq!(tags, ["v1", "v2"]);
}

#[test]
fn a_blob_goes_on_where_an_earlier_process_stopped() {
    let registry = require!(Registry::start());
    let image = Image::new(&[noise(200_000)]);
    registry.push("app:v1", &image);
    let reference: Reference = registry.name("app:v1").parse().unwrap();
    let (cx, layer) = (Context::background(), &image.layers[0]);
    let received = Received::read(&layer[..70_000]).unwrap();
    let mut rest = Vec::new();
    let mut stream = client().blob_after(&cx, &reference, &image.layer(0), received).unwrap();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, layer[70_000..]);

    let all = Received::read(&layer[..]).unwrap();
    client().blob_after(&cx, &reference, &image.layer(0), all).unwrap().finish().unwrap();

    let mut spoilt = layer[..70_000].to_vec();
    spoilt[5] ^= 1;
    let received = Received::read(&spoilt[..]).unwrap();
    let error = client().blob_after(&cx, &reference, &image.layer(0), received).unwrap().finish();
    assert!(error.expect_err("the digest covers the beginning too").is(ErrorKind::Corrupt));
}

#[test]
fn a_login_with_a_password_is_accepted_and_a_wrong_one_named() {
    let registry = require!(Registry::start_with_login());
    let cx = Context::background();
    client_with_password("secret").ping(&cx, &registry.host()).unwrap();
    for client in [client(), client_with_password("wrong-password")] {
        let error = client.ping(&cx, &registry.host()).expect_err("not the password");
        assert!(error.is(ErrorKind::Unauthorized) && error.hint_text().unwrap().contains("docker login"), "{error:?}");
        assert!(!format!("{error:?}").contains("wrong-password"), "{error:?}");
    }
}

#[test]
fn tokens_are_fetched_once_shared_and_renewed() {
    let registry = FaultyRegistry::start();
    let image = Image::new(&[noise(1000), noise(2000), noise(3000)]);
    registry.put("app:v1", &image);
    let reference = registry.reference("app:v1");
    let cx = Context::background();
    for (login, client) in [(Login::AnonymousToken, client()), (Login::Token, client_with_password("secret"))] {
        registry.demand(login);
        registry.expire_tokens();
        let before = registry.seen("/token").len();
        client.resolve(&cx, &reference, &amd64()).unwrap();
        std::thread::scope(|scope| {
            for layer in 0..3 {
                let (client, reference, image) = (&client, &reference, &image);
                scope.spawn(move || assert_eq!(read(client, reference, image, layer), image.layers[layer]));
            }
        });
        assert_eq!(registry.seen("/token").len(), before + 1, "one token serves all");
        assert!(registry.seen("/token")[before].path.contains("scope=repository%3Aapp%3Apull"));
        registry.expire_tokens();
        assert_eq!(read(&client, &reference, &image, 0), image.layers[0], "in the middle of a pull");
        assert_eq!(registry.seen("/token").len(), before + 2);
    }
}

#[test]
fn credentials_that_the_token_server_refuses_are_unauthorized() {
    let registry = FaultyRegistry::start();
    registry.put("app:v1", &Image::of_files(&[]));
    registry.demand(Login::Token);
    let cx = Context::background();
    for client in [client(), client_with_password("wrong-password")] {
        let error = client.resolve(&cx, &registry.reference("app:v1"), &amd64()).expect_err("refused");
        assert!(error.is(ErrorKind::Unauthorized) && error.hint_text().is_some(), "{error:?}");
        assert!(!format!("{error:?}").contains("wrong-password"), "{error:?}");
    }
}

#[test]
fn an_authority_of_ones_own_is_trusted_through_ssl_cert_file() {
    const REGISTRY: &str = "SHANTY_TEST_TLS_REGISTRY";
    const SELF: &str = "registry::an_authority_of_ones_own_is_trusted_through_ssl_cert_file";
    // Certificates are loaded once a process, so this test runs itself again with another environment.
    if let Ok(host) = std::env::var(REGISTRY) {
        client().ping(&Context::background(), &host).unwrap();
        return;
    }
    let certificate = require!(Certificate::make());
    let registry = require!(Registry::start_with_tls(&certificate));
    let host = format!("localhost:{}", registry.port());
    let error = client().ping(&Context::background(), &host).expect_err("nobody knows the authority");
    assert!(error.is(ErrorKind::Network) && error.hint_text().unwrap().contains("SSL_CERT_FILE"), "{error:?}");
    let itself = require!(Registry::start_with_authority(&certificate));
    let error = client().ping(&Context::background(), &format!("localhost:{}", itself.port())).unwrap_err();
    assert!(error.hint_text().unwrap().contains("CA:FALSE"), "{error:?}");
    assert!(!error.message().contains("tried"), "another try gets the same certificate: {error}");
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", SELF])
        .env(REGISTRY, host)
        .env("SSL_CERT_FILE", certificate.authority())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}
