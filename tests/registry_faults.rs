//! Registries that misbehave: nothing wrong is taken for right, and nothing waits forever.

use crate::registry::{amd64, client, client_with_password, noise, options};
use crate::support::registry::{Fault, FaultyRegistry, Image, Login};
use crate::support::wait_until;
use shanty::context::{CancelToken, Context};
use shanty::error::{Error, ErrorKind, IoContext};
use shanty::model::{Descriptor, Reference};
use shanty::registry::{Client, Options, Retry};
use shanty::store::Store;
use std::io::Read;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

/// A registry with one blob.
fn with_blob(len: usize) -> (FaultyRegistry, Reference, Vec<u8>, Descriptor) {
    let registry = FaultyRegistry::start();
    let bytes = noise(len);
    let blob = registry.put_blob(&bytes);
    let reference = registry.reference("app:v1");
    (registry, reference, bytes, blob)
}

fn fetch(client: &Client, reference: &Reference, blob: &Descriptor) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    client.blob(&Context::background(), reference, blob)?.read_to_end(&mut bytes).doing(|| "reading")?;
    Ok(bytes)
}

#[test]
fn a_broken_connection_is_continued_by_range() {
    let (registry, reference, bytes, blob) = with_blob(300_000);
    for at in [100_000, 150_000, 1] {
        registry.fault("/blobs/", 1, Fault::CutAfter(at));
    }
    assert_eq!(fetch(&client(), &reference, &blob).unwrap(), bytes);
    let ranges: Vec<Option<String>> = registry.seen("/blobs/").into_iter().map(|seen| seen.range).collect();
    let expected = [None, Some("bytes=100000-"), Some("bytes=250000-"), Some("bytes=250001-")];
    assert_eq!(ranges, expected.map(|range| range.map(str::to_owned)));
}

#[test]
fn a_registry_that_ignores_ranges_starts_over_and_the_bytes_are_right() {
    let (registry, reference, bytes, blob) = with_blob(300_000);
    registry.fault("/blobs/", 1, Fault::CutAfter(123_456));
    registry.fault("/blobs/", 1, Fault::IgnoreRange);
    assert_eq!(fetch(&client(), &reference, &blob).unwrap(), bytes);
    assert_eq!(registry.seen("/blobs/").len(), 2);
}

#[test]
fn a_connection_that_always_breaks_gives_up() {
    let (registry, reference, _, blob) = with_blob(300_000);
    registry.fault("/blobs/", 100, Fault::CutAfter(10));
    let error = fetch(&client(), &reference, &blob).expect_err("it never gets far");
    assert!(error.is(ErrorKind::Network), "{error:?}");
    assert_eq!(registry.seen("/blobs/").len(), options().retry.attempts as usize);
}

#[test]
fn wrong_bytes_are_corrupt_before_the_end_is_reported() {
    let (registry, reference, bytes, blob) = with_blob(300_000);
    let larger = Descriptor { size: blob.size + 1, ..blob.clone() };
    let smaller = Descriptor { size: blob.size - 1, ..blob.clone() };
    let cases = [
        ("wrong byte", Some(Fault::WrongByte), &blob),
        ("goes on without end", Some(Fault::Endless), &blob),
        ("always ends early", Some(Fault::EndAfter(10)), &blob),
        ("is shorter than its descriptor", None, &larger),
        ("ends where its descriptor does not", Some(Fault::EndAfter(bytes.len())), &larger),
        ("is longer than its descriptor", None, &smaller),
    ];
    for (what, fault, descriptor) in cases {
        let before = registry.seen("/blobs/").len();
        if let Some(fault) = fault {
            // An early end might pass, so it has to last for all tries.
            registry.fault("/blobs/", if matches!(fault, Fault::EndAfter(10)) { 5 } else { 1 }, fault);
        }
        let error = fetch(&client(), &reference, descriptor).expect_err(what);
        assert!(error.is(ErrorKind::Corrupt), "{what}: {error:?}");
        assert!(registry.seen("/blobs/").len() - before <= 5, "{what}");
    }
}

#[test]
fn a_registry_that_does_not_list_tags_is_not_misquoted() {
    let registry = FaultyRegistry::start();
    let image = Image::of_files(&[]);
    registry.put("app:v1", &image);
    registry.fault("/tags/list", 1, Fault::Status(403, vec![]));
    let error = client().resolve(&Context::background(), &registry.reference("app:v2"), &amd64()).expect_err("no v2");
    assert!(error.is(ErrorKind::NotFound) && error.message().contains("no tag `v2`"), "{error:?}");
}

#[test]
fn busy_registries_are_asked_again() {
    let (registry, reference, bytes, blob) = with_blob(1000);
    let image = Image::of_files(&[("a", b"b")]);
    registry.put("app:v1", &image);
    for status in [429, 500, 502, 503] {
        registry.fault("/blobs/", 1, Fault::Status(status, vec![("retry-after", "0".into())]));
    }
    registry.fault("/manifests/", 2, Fault::Status(503, vec![]));
    assert_eq!(fetch(&client(), &reference, &blob).unwrap(), bytes);
    assert_eq!(client().resolve(&Context::background(), &reference, &amd64()).unwrap().manifest.bytes, image.manifest);
    assert_eq!((registry.seen("/blobs/").len(), registry.seen("/manifests/").len()), (5, 3));
}

#[test]
fn retry_after_is_waited_for_and_too_long_a_wait_refused() {
    let (registry, reference, _, blob) = with_blob(1000);
    registry.fault("/blobs/", 1, Fault::Status(429, vec![("retry-after", "1".into())]));
    let start = Instant::now();
    fetch(&client(), &reference, &blob).unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));

    registry.fault("/blobs/", 1, Fault::Status(429, vec![("retry-after", "86400".into())]));
    let error = fetch(&client(), &reference, &blob).expect_err("a day is too long");
    assert!(error.is(ErrorKind::Network) && error.hint_text().unwrap().contains("86400"), "{error:?}");
}

#[test]
fn statuses_that_do_not_pass_are_not_asked_again() {
    let (registry, reference, _, blob) = with_blob(1000);
    let denied = r#"{"errors":[{"code":"DENIED","message":"requested access is denied"}]}"#;
    for (fault, kind) in [
        (Fault::Refusal(403, denied), ErrorKind::Denied),
        (Fault::Status(404, vec![]), ErrorKind::NotFound),
        (Fault::Status(400, vec![]), ErrorKind::Network),
    ] {
        let before = registry.seen("/blobs/").len();
        registry.fault("/blobs/", 1, fault);
        let error = fetch(&client(), &reference, &blob).expect_err("refused");
        assert_eq!(error.kind(), kind, "{error:?}");
        assert_eq!(registry.seen("/blobs/").len(), before + 1);
    }
}

#[test]
fn a_stall_in_the_middle_is_continued_and_one_at_the_start_is_a_timeout() {
    let (registry, reference, bytes, blob) = with_blob(300_000);
    let client = Client::new(Options { stall_timeout: Duration::from_secs(1), ..options() });
    registry.fault("/blobs/", 1, Fault::StallAfter(100_000));
    assert_eq!(fetch(&client, &reference, &blob).unwrap(), bytes);
    for fault in [Fault::StallAfter(0), Fault::Silence] {
        registry.fault("/blobs/", 1, fault);
        let start = Instant::now();
        let error = fetch(&client, &reference, &blob).expect_err("it stalls");
        assert!(error.is(ErrorKind::Timeout) && start.elapsed() < LIMIT, "{error:?}");
    }
}

#[test]
fn a_cancel_ends_a_stalled_blob_at_once() {
    let (registry, reference, _, blob) = with_blob(300_000);
    registry.fault("/blobs/", 1, Fault::StallAfter(100_000));
    let cx = Context { cancel: CancelToken::new(), ..Context::background() };
    let mut stream = client().blob(&cx, &reference, &blob).unwrap();
    let mut start = vec![0; 100_000];
    stream.read_exact(&mut start).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let error = stream.read(&mut [0; 10]).doing(|| "reading").expect_err("it is cancelled");
            (error, Instant::now())
        });
        let cancelled = Instant::now();
        cx.cancel.cancel();
        let (error, ended) = reader.join().unwrap();
        assert!(error.is(ErrorKind::Cancelled), "{error:?}");
        assert!(ended - cancelled < Duration::from_millis(200), "{:?}", ended - cancelled);
    });
}

#[test]
fn a_slow_reader_holds_the_registry_back() {
    let (registry, reference, _, blob) = with_blob(1 << 20);
    registry.fault("/blobs/", 1, Fault::Endless);
    let endless = Descriptor { size: 1 << 40, ..blob };
    let mut stream = client().blob(&Context::background(), &reference, &endless).unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    // The sender's progress is over when it has stood still for a while.
    let mut last = (registry.sent(), Instant::now());
    wait_until(LIMIT, || {
        if registry.sent() != last.0 {
            last = (registry.sent(), Instant::now());
        }
        last.1.elapsed() > Duration::from_millis(300)
    });
    assert!(registry.sent() < 64 << 20, "{} bytes were taken though nobody reads", registry.sent());
}

#[test]
fn redirects_are_followed_without_the_credentials_and_not_forever() {
    let (registry, reference, bytes, blob) = with_blob(1000);
    let storage = FaultyRegistry::start();
    storage.put_blob(&bytes);
    registry.demand(Login::Basic);
    let client = client_with_password("secret");
    client.ping(&Context::background(), &registry.host()).unwrap();
    let there = format!("http://{}/storage/{}?signature=hunter2", storage.host(), blob.digest);
    // The first asks for credentials.
    registry.fault("/blobs/", 1, Fault::Status(401, vec![("www-authenticate", "Basic realm=\"x\"".into())]));
    registry.fault("/blobs/", 1, Fault::Redirect(there.clone()));
    assert_eq!(fetch(&client, &reference, &blob).unwrap(), bytes);
    assert!(registry.seen("/blobs/").iter().any(|seen| seen.authorization.is_some()));
    assert!(storage.seen("/storage/").iter().all(|seen| seen.authorization.is_none()));

    registry.fault("/blobs/", 1, Fault::Redirect(there));
    storage.fault("/storage/", 1, Fault::Status(403, vec![]));
    let error = fetch(&client, &reference, &blob).expect_err("the storage denies it");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");

    registry.fault("/blobs/", 100, Fault::Redirect(format!("/v2/app/blobs/{}", blob.digest)));
    let error = fetch(&client, &reference, &blob).expect_err("it goes round in circles");
    assert!(error.is(ErrorKind::Network) && error.message().contains("loop"), "{error:?}");
}

#[test]
fn a_challenge_of_the_storage_is_not_answered() {
    let (registry, reference, _, blob) = with_blob(1000);
    let storage = FaultyRegistry::start();
    storage.demand(Login::Basic);
    registry.fault("/blobs/", 1, Fault::Redirect(format!("http://{}/x", storage.host())));
    fetch(&client_with_password("secret"), &reference, &blob).expect_err("it is not let in");
    assert!(storage.seen("/x").iter().all(|seen| seen.authorization.is_none()));
}

#[test]
fn manifests_are_verified_and_bounded() {
    let registry = FaultyRegistry::start();
    let image = Image::of_files(&[("a", b"b")]);
    registry.put("app:v1", &image);
    let by_tag = registry.reference("app:v1");
    let by_digest = by_tag.at(image.digest());
    let index = "application/vnd.oci.image.index.v1+json";
    let entry = format!(r#"{{"digest":"{}","size":1}}"#, image.digest());
    registry.put_manifest(
        "app:many",
        index,
        format!(r#"{{"manifests":[{}]}}"#, vec![&*entry; 1_000_000].join(",")).as_bytes(),
    );
    registry.put_manifest(
        "app:tiny",
        index,
        format!(r#"{{"manifests":[{}]}}"#, vec![&*entry; 2000].join(",")).as_bytes(),
    );
    registry.put_manifest("app:html", "text/html", b"<html>");
    let cases = [
        ("a wrong byte under a tag", &by_tag, Some(Fault::WrongByte)),
        ("a wrong byte under a digest", &by_digest, Some(Fault::WrongByte)),
        ("a body without end", &by_tag, Some(Fault::Endless)),
        ("an index of a million entries", &registry.reference("app:many"), None),
        ("too many entries in few bytes", &registry.reference("app:tiny"), None),
        ("no JSON", &registry.reference("app:html"), None),
    ];
    for (what, reference, fault) in cases {
        if let Some(fault) = fault {
            registry.fault("/manifests/", 1, fault);
        }
        let error = client().resolve(&Context::background(), reference, &amd64()).expect_err(what);
        assert!(error.is(ErrorKind::Corrupt), "{what}: {error:?}");
    }
    assert!(client().resolve(&Context::background(), &by_digest, &amd64()).is_ok());
}

#[test]
fn an_index_whose_entry_lies_is_corrupt() {
    let registry = FaultyRegistry::start();
    let image = Image::of_files(&[("a", b"b")]);
    registry.put("app:v1", &image);
    let index = format!(
        r#"{{"manifests":[{{"digest":"{}","size":1,"platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#,
        image.digest()
    );
    registry.put_manifest("app:all", "application/vnd.oci.image.index.v1+json", index.as_bytes());
    let error =
        client().resolve(&Context::background(), &registry.reference("app:all"), &amd64()).expect_err("the size");
    assert!(error.is(ErrorKind::Corrupt), "{error:?}");
}

#[test]
fn hosts_that_are_not_there_are_network_errors_and_soon() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // A second try would come too late.
    let retry = Retry { base: LIMIT * 10, max: LIMIT * 10, ..Retry::default() };
    let client = Client::new(Options { retry, ..options() });
    let cx = Context::background().with_timeout(Some(LIMIT));
    for name in [format!("{nobody}/app"), "registry.invalid/app".to_owned()] {
        let error = client.resolve(&cx, &name.parse().unwrap(), &amd64()).expect_err("nobody is there");
        assert!(error.is(ErrorKind::Network) && error.hint_text().is_some(), "{error:?}");
    }
}

#[test]
fn wrong_bytes_are_not_gone_on_from_by_the_next_pull() {
    let registry = FaultyRegistry::start();
    let image = Image::of_files(&[("a", &noise(200_000))]);
    registry.put("app:v1", &image);
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let pull =
        || shanty::image::pull(&store, &client(), &registry.reference("app:v1"), &amd64(), &Context::background());
    let layer = image.layer(0).digest.to_string();
    registry.fault(&layer, 1, Fault::WrongByte);
    assert!(pull().expect_err("a byte is wrong").is(ErrorKind::Corrupt));
    pull().unwrap();
}

#[test]
fn what_one_pull_received_before_it_gave_up_the_next_does_not_ask_for_again() {
    let registry = FaultyRegistry::start();
    let image = Image::of_files(&[("b", &noise(300_000))]);
    registry.put("app:v2", &image);
    let layer = image.layer(0).digest.to_string();
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let once = Client::new(Options { retry: Retry { attempts: 1, ..options().retry }, ..options() });
    let pull = || shanty::image::pull(&store, &once, &registry.reference("app:v2"), &amd64(), &Context::background());
    registry.fault(&layer, 1, Fault::CutAfter(100_000));
    assert!(pull().expect_err("it broke").is(ErrorKind::Network));
    pull().unwrap();
    let ranges: Vec<_> = registry.seen(&layer).into_iter().map(|seen| seen.range).collect();
    assert_eq!(ranges, [None, Some("bytes=100000-".to_owned())]);
}
