//! What the machine's configuration says about registries: mirrors, blocks, certificates, proxies.

use crate::support::registry::{Certificate, Fault, FaultyRegistry, Image, Proxy, Registry};
use crate::support::require;
use crate::support::shanty::Shanty;
use std::fs;

/// A user whose `registries.conf` this is.
fn shanty(text: &str) -> Shanty {
    let shanty = Shanty::new();
    let folder = shanty.home().join(".config/containers");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("registries.conf"), text).unwrap();
    shanty
}

fn mirrored(origin: &str, mirrors: &[String]) -> String {
    let mut text = format!("[[registry]]\nlocation = \"{origin}\"\n");
    for mirror in mirrors {
        text += &format!("[[registry.mirror]]\nlocation = \"{mirror}\"\n");
    }
    text
}

#[test]
fn mirrors_are_asked_in_order_and_the_registry_last() {
    let [first, second, origin] = [(); 3].map(|()| FaultyRegistry::start());
    let (mirrored_image, other) = (Image::of_files(&[("a", b"1")]), Image::of_files(&[("a", b"2")]));
    second.put("cache/app:v1", &mirrored_image);
    origin.put("app:v1", &mirrored_image);
    origin.put("app:v2", &other);
    let mirrors = [first.host(), format!("{}/cache", second.host())];
    let shanty = shanty(&mirrored(&origin.host(), &mirrors));
    let pull = |name: &str| shanty.eval(&format!(r#"print(image("{}/{name}").pull().tags)"#, origin.host()));
    pull("app:v1").prints(&format!("[\"{}/app:v1\"]\n", origin.host()));
    assert!(first.seen("/manifests/v1").len() == 1 && origin.seen("").is_empty());
    let layer = mirrored_image.layer(0).digest.to_string();
    assert_eq!((first.seen(&layer).len(), second.seen(&layer).len()), (0, 1), "who has the manifest has the layers");

    pull("app:v2").ok();
    assert_eq!((second.seen("/manifests/v2").len(), origin.seen("/manifests/v2").len()), (1, 1));
    let missing = pull("app:v3").fails_with("not_found");
    assert!(missing.stderr.contains(&origin.host()), "the registry has the last word: {missing}");
}

#[test]
fn a_layer_that_a_mirror_lost_comes_from_the_registry() {
    let [mirror, origin] = [(); 2].map(|()| FaultyRegistry::start());
    let image = Image::of_files(&[("a", &[1; 100_000])]);
    let layer = image.layer(0).digest.to_string();
    mirror.put("app:v1", &image);
    origin.put("app:v1", &image);
    mirror.fault(&layer, 1, Fault::Status(404, vec![]));
    let shanty = shanty(&mirrored(&origin.host(), &[mirror.host()]));
    shanty.eval(&format!(r#"image("{}/app:v1").pull()"#, origin.host())).ok();
    assert_eq!((mirror.seen(&layer).len(), origin.seen(&layer).len()), (1, 1));
    assert!(origin.seen("/manifests/").is_empty());
}

#[test]
fn wrong_bytes_of_a_mirror_are_not_kept() {
    let [mirror, origin] = [(); 2].map(|()| FaultyRegistry::start());
    let (image, other) = (Image::of_files(&[("a", b"1")]), Image::of_files(&[("a", b"2")]));
    origin.put("app:v1", &image);
    mirror.put("app:v1", &other);
    let shanty = shanty(&mirrored(&origin.host(), &[mirror.host()]));
    let code = format!(r#"image("{}/app@{}").pull().digest"#, origin.host(), image.digest());
    // Under the digest the mirror has something else.
    mirror.alias("app", &image.digest(), &other);
    assert_eq!(shanty.json(&code), image.digest().to_string());
}

#[test]
fn blocked_registries_and_broken_files_say_so() {
    let blocked = shanty("[[registry]]\nprefix = \"*.evil.example\"\nblocked = true\n");
    for code in [r#"image("a.evil.example/x").pull()"#, r#"registry("b.evil.example").login("a", "b")"#] {
        blocked.eval(code).fails_with("denied");
    }
    let old = shanty("[registries.search]\nregistries = ['docker.io']\n");
    let told = old.eval(r#"image("127.0.0.1:1/x").pull()"#).fails_with("invalid");
    assert!(told.stderr.contains("version 1") && told.stderr.contains("registries.conf"), "{told}");
    old.eval("images()").ok();
    let file = old.write("own.conf", "[[registry]]\nlocation = '127.0.0.1:1'\nblocked = true\n");
    let named = old.eval(r#"image("127.0.0.1:1/x").pull()"#).env("CONTAINERS_REGISTRIES_CONF", &file);
    named.fails_with("denied");
}

#[test]
fn certificates_of_a_registry_come_from_its_folder() {
    let certificate = require!(Certificate::make());
    let registry = require!(Registry::start_for_clients_of(&certificate));
    let (shanty, host) = (Shanty::new(), format!("localhost:{}", registry.port()));
    let folder = shanty.home().join(".config/containers/certs.d").join(&host);
    fs::create_dir_all(&folder).unwrap();
    let push = || {
        let make = r#"from("scratch").write("/x", "y")"#;
        shanty.eval(&format!(r#"{make}.tag("{host}/app:v1"); image("{host}/app:v1").push()"#))
    };
    push().fails_with("network");
    fs::copy(certificate.path("ca.pem"), folder.join("ca.crt")).unwrap();
    let unknown = push().fails_with("network");
    assert!(unknown.stderr.contains("client.cert") && !unknown.stderr.contains("tried"), "{unknown}");
    fs::copy(certificate.path("client.pem"), folder.join("client.cert")).unwrap();
    let lacking = push().fails_with("invalid");
    assert!(lacking.stderr.contains("client.key"), "{lacking}");
    fs::copy(certificate.path("client.key"), folder.join("client.key")).unwrap();
    push().ok();
}

#[test]
fn proxies_of_the_environment_are_used_with_and_without_tls() {
    let (certificate, plain) = require!(Certificate::make(), Registry::start());
    let secure = require!(Registry::start_with_tls(&certificate));
    let proxy = Proxy::start();
    plain.push("app:v1", &Image::of_files(&[("a", b"1")]));
    let plain_host = format!("registry.test:{}", plain.port());
    let shanty = shanty(&format!("[[registry]]\nlocation = \"{plain_host}\"\ninsecure = true\n"));
    let pull = || shanty.eval(&format!(r#"image("{plain_host}/app:v1").pull()"#));
    pull().env("HTTP_PROXY", proxy.url()).ok();
    assert!(proxy.seen().iter().any(|line| line.contains(&format!("http://{plain_host}/v2/"))), "{:?}", proxy.seen());
    let before = proxy.seen().len();
    pull().env("http_proxy", proxy.url()).env("no_proxy", "registry.test").fails_with("network");
    assert_eq!(proxy.seen().len(), before);

    let secure_host = format!("registry.test:{}", secure.port());
    let code = format!(r#"image("{plain_host}/app:v1").push(#{{ to: "{secure_host}/app:v1" }})"#);
    let push = || shanty.eval(&code).env("https_proxy", proxy.url());
    push().env("SSL_CERT_FILE", certificate.authority()).ok();
    assert!(proxy.seen().contains(&format!("CONNECT {secure_host} HTTP/1.1")), "{:?}", proxy.seen());
    push().fails_with("network");
    fs::write(
        shanty.home().join(".config/containers/registries.conf"),
        format!("[[registry]]\nlocation = \"{secure_host}\"\ninsecure = true\n"),
    )
    .unwrap();
    push().ok();
}
