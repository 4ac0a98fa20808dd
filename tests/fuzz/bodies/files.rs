//! Files that an engine, an administrator or a user has written.

use super::{assert_kind, scratch, write};
use serde_json::Value;
use shanty::context::CancelToken;
use shanty::error::ErrorKind;
use shanty::model::Reference;
use shanty::oci::Bundle;
use shanty::registry::{AuthFile, Configuration, Credential, CredentialProvider, Secret};
use shanty::runtime::{bundle as config, seccomp};
use std::fs;
use std::path::{Component, Path};

/// A bundle's `config.json`: what is accepted leads to no control group of others, is written again as the same, and
/// has a system call filter or says why not.
pub fn bundle(data: &[u8]) {
    let scratch = scratch();
    let dir = scratch.path().canonicalize().unwrap();
    fs::create_dir(dir.join("rootfs")).unwrap();
    write(&dir, "config.json", data);
    let bundle = match Bundle::of(&dir, "fuzzed") {
        Ok(bundle) => bundle,
        Err(error) => {
            // A root that does not exist, is a file, has a zero byte, …: as the system says it.
            let root = [ErrorKind::NotFound, ErrorKind::Io, ErrorKind::Denied];
            return assert_kind(
                &error,
                &[&root[..], &[ErrorKind::Corrupt, ErrorKind::Invalid, ErrorKind::Unsupported]].concat(),
            );
        }
    };
    let plain = |component: Component<'_>| matches!(component, Component::Normal(_) | Component::CurDir);
    assert!(bundle.cgroup.components().all(plain) && bundle.cgroup.components().count() > 0, "{:?}", bundle.cgroup);
    assert!(bundle.rootfs.is_absolute() && bundle.spec.process().as_ref().unwrap().cwd().is_absolute());
    config::write(&dir, &bundle.spec).unwrap();
    assert_eq!(config::read(&dir).unwrap(), bundle.spec);
    if let Some(resources) = bundle.spec.linux().as_ref().and_then(|linux| linux.resources().clone()) {
        config::set_limits(&dir, &resources).unwrap();
        assert_eq!(config::read(&dir).unwrap(), bundle.spec);
    }
    match seccomp::of(&bundle.spec, 0) {
        Ok(filter) => drop(filter.map(|filter| filter.lets_start())),
        Err(error) => assert_kind(&error, &[ErrorKind::Invalid, ErrorKind::Unsupported]),
    }
}

/// Docker's `config.json` with credentials: a login is found again, a logout forgets it, and the rest of the file stays.
pub fn credentials(data: &[u8]) {
    const HOST: &str = "registry.example:5000";
    // Helpers are programs of the user, who names them: none is run here.
    if let Ok(file) = serde_json::from_slice::<Value>(data)
        && (file.get("credsStore").is_some() || file.get("credHelpers").is_some())
    {
        return;
    }
    let scratch = scratch();
    let path = write(scratch.path(), "config.json", data);
    let (file, cancel) = (AuthFile::new(&path), CancelToken::new());
    for registry in ["docker.io", HOST] {
        if let Err(error) = file.credential(registry, "team/app") {
            assert_kind(&error, &[ErrorKind::Invalid]);
        }
    }
    if let Err(error) = file.store(HOST, "me", &Secret::new("p:w"), &cancel) {
        assert_kind(&error, &[ErrorKind::Invalid]);
        assert_eq!(fs::read(&path).unwrap(), data, "a file that cannot be read was changed");
        return;
    }
    let mine = Credential::Basic { user: "me".into(), password: Secret::new("p:w") };
    assert_eq!(file.credential(HOST, "").unwrap(), Some(mine));
    let rest = |text: &[u8]| {
        let mut file: Value = serde_json::from_slice(text).unwrap_or_else(|_| Value::Object(serde_json::Map::new()));
        file.as_object_mut().unwrap().remove("auths");
        file
    };
    assert_eq!(rest(&fs::read(&path).unwrap()), rest(data));
    assert!(file.erase(HOST, &cancel).unwrap() && !file.erase(HOST, &cancel).unwrap());
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1, "something was left behind");
}

/// `registries.conf`: what is accepted leads every name to places that exist as names, or refuses it.
pub fn registries_conf(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let configuration = match Configuration::of_text(Path::new("registries.conf"), text) {
        Ok(configuration) => configuration,
        Err(error) => return assert_kind(&error, &[ErrorKind::Invalid]),
    };
    for name in ["node", "docker.io/team/app", "a.example/app", "b.a.example:5000/team/app", "localhost/app"] {
        let tagged: Reference = name.parse().unwrap();
        let pinned = tagged.at(shanty::model::Digest::from_sha256(&[7; 32]));
        for reference in [tagged, pinned] {
            let places = match configuration.places(&reference) {
                Ok(places) => places,
                Err(error) => {
                    assert_kind(&error, &[ErrorKind::Denied, ErrorKind::Invalid]);
                    continue;
                }
            };
            assert!(!places.is_empty());
            for (registry, repository) in places {
                let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:[]".contains(&byte);
                assert!(!registry.is_empty() && registry.bytes().all(safe), "`{registry}`");
                let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
                assert!(!repository.is_empty() && repository.bytes().all(safe), "`{repository}`");
                let is_name = |part: &str| !part.is_empty() && !part.starts_with('.');
                assert!(repository.split('/').all(is_name), "`{repository}`");
            }
        }
    }
}
