//! What goes wrong while a blob is sent: broken connections, lost uploads, small chunks, tokens that expire.

use crate::registry::{client, client_with_password, noise};
use crate::support::registry::{Fault, FaultyRegistry, Login};
use sha2::{Digest as _, Sha256};
use shanty::context::Context;
use shanty::error::{Error, ErrorKind};
use shanty::model::{Descriptor, Digest};
use shanty::registry::{Client, Upload};
use std::io::Write as _;
use std::sync::Arc;

const SIZE: usize = 9_000_000;

fn upload(bytes: &[u8], from: &[&str]) -> Upload {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let blob = Descriptor {
        media_type: "application/vnd.oci.image.layer.v1.tar".into(),
        digest: Digest::from_sha256(&Sha256::digest(bytes)),
        size: bytes.len() as u64,
    };
    Upload { blob, file: Arc::new(file), from: from.iter().map(ToString::to_string).collect() }
}

fn push(client: &Client, registry: &FaultyRegistry, upload: &Upload) -> Result<bool, Error> {
    client.push_blob(&Context::background(), &registry.reference("app:v1"), upload)
}

fn methods(registry: &FaultyRegistry) -> Vec<String> {
    registry.seen("/v2/app/").into_iter().map(|seen| seen.method).collect()
}

#[test]
fn an_upload_that_breaks_goes_on_where_it_was() {
    let registry = FaultyRegistry::start();
    let (bytes, blob) = (noise(SIZE), upload(&noise(SIZE), &[]));
    registry.fault("PATCH ", 1, Fault::BreakUploadAfter(5_000_000));
    registry.fault("PATCH ", 1, Fault::BreakUploadAfter(1_000_000));
    assert!(push(&client(), &registry, &blob).unwrap());
    assert_eq!(registry.blob(&blob.blob.digest).unwrap(), bytes);
    let expected = "HEAD POST PATCH HEAD GET PATCH HEAD GET PATCH PUT";
    assert_eq!(methods(&registry).join(" "), expected, "no byte is sent twice");
    assert!(!push(&client(), &registry, &blob).unwrap(), "it is there now");
}

#[test]
fn an_upload_that_the_registry_forgot_starts_anew() {
    let registry = FaultyRegistry::start();
    let blob = upload(&noise(SIZE), &[]);
    registry.fault("PATCH ", 1, Fault::BreakUploadAfter(5_000_000));
    registry.fault("GET /v2/app", 1, Fault::ForgetUploads);
    assert!(push(&client(), &registry, &blob).unwrap());
    assert_eq!(methods(&registry).join(" "), "HEAD POST PATCH HEAD GET POST PATCH PUT");
    assert!(registry.blob(&blob.blob.digest).is_some());
}

#[test]
fn chunks_are_as_small_as_the_registry_demands() {
    for (most, least, patches) in [(4 << 20, 0, 4), (6 << 20, 5 << 20, 3)] {
        let registry = FaultyRegistry::start();
        let blob = upload(&noise(SIZE), &[]);
        registry.limit_chunks(most, least);
        assert!(push(&client(), &registry, &blob).unwrap());
        assert!(registry.blob(&blob.blob.digest).is_some());
        let sent = methods(&registry).iter().filter(|method| *method == "PATCH").count();
        assert_eq!(sent, patches, "one that is refused, and those that are not");
    }
}

#[test]
fn a_connection_that_always_breaks_gives_up() {
    let registry = FaultyRegistry::start();
    registry.fault("PATCH ", 100, Fault::BreakUploadAfter(10));
    let error = push(&client(), &registry, &upload(&noise(SIZE), &[])).expect_err("it never gets anywhere");
    assert!(error.is(ErrorKind::Network) && error.message().contains("tried 5 times"), "{error:?}");
}

#[test]
fn what_is_not_what_its_digest_says_is_corrupt() {
    let registry = FaultyRegistry::start();
    let right = upload(&noise(1000), &[]);
    let wrong = Upload { file: upload(&noise(999).into_iter().chain([0]).collect::<Vec<u8>>(), &[]).file, ..right };
    let error = push(&client(), &registry, &wrong).expect_err("another digest");
    assert!(error.is(ErrorKind::Corrupt), "{error:?}");
    assert!(registry.blob(&wrong.blob.digest).is_none());
}

#[test]
fn tokens_allow_writing_are_renewed_in_the_middle_and_a_mount_asks_for_both() {
    let registry = FaultyRegistry::start();
    registry.demand(Login::Token);
    let client = client_with_password("secret");
    let blob = upload(&noise(SIZE), &[]);
    registry.fault("PATCH ", 1, Fault::ExpireTokens);
    assert!(push(&client, &registry, &blob).unwrap());
    let tokens: Vec<String> = registry.seen("/token").into_iter().map(|seen| seen.path).collect();
    assert_eq!(tokens.len(), 2, "{tokens:?}");
    assert!(tokens.iter().all(|path| path.contains("scope=repository%3Aapp%3Apull%2Cpush")), "{tokens:?}");

    let neighbour = upload(&noise(5000), &["base/image"]);
    registry.put_blob(&noise(5000));
    registry.fault("HEAD ", 1, Fault::Status(404, vec![]));
    assert!(!push(&client, &registry, &neighbour).unwrap(), "it was mounted");
    let token = registry.seen("/token").pop().unwrap().path;
    for scope in ["scope=repository%3Aapp%3Apull%2Cpush", "scope=repository%3Abase%2Fimage%3Apull"] {
        assert!(token.contains(scope), "{token}");
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let registry = FaultyRegistry::start();
    let blob = upload(&noise(1000), &[]);
    registry.fault("POST ", 1, Fault::Refusal(403, r#"{"errors":[{"code":"DENIED","message":"read only"}]}"#));
    let error = push(&client(), &registry, &blob).expect_err("denied");
    assert!(error.is(ErrorKind::Denied) && error.message().contains("read only"), "{error:?}");
    assert!(error.hint_text().unwrap().contains("login("), "{error:?}");
    registry.fault("POST ", 1, Fault::Refusal(400, r#"{"errors":[{"code":"NAME_INVALID"}]}"#));
    let error = push(&client(), &registry, &blob).expect_err("no name");
    assert!(error.is(ErrorKind::Invalid), "{error:?}");
}
