//! Logins: asked of the registry, kept where Docker keeps them, and read by both.

use crate::support::docker::Docker;
use crate::support::fixtures::program;
use crate::support::registry::Registry;
use crate::support::require;
use crate::support::shanty::Shanty;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

/// The password comes from the environment, so that no line of a script shows it.
fn login(shanty: &Shanty, host: &str, password: &str) -> crate::support::call::Call {
    shanty.eval(&format!(r#"registry("{host}").login("shanty", env("PASSWORD"))"#)).env("PASSWORD", password)
}

#[test]
fn a_login_is_checked_kept_for_its_owner_alone_and_forgotten() {
    let registry = require!(Registry::start_with_login());
    let (shanty, host) = (Shanty::new(), registry.host());
    let file = shanty.home().join(".docker/config.json");
    let wrong = login(&shanty, &host, "not-the-password").fails_with("unauthorized");
    assert!(!wrong.to_string().contains("not-the-password") && wrong.stderr.contains("hint"), "{wrong}");
    let written = shanty.eval(&format!(r#"registry("{host}").login("shanty", "not-the-password")"#));
    let written = written.fails_with("unauthorized");
    assert!(!written.to_string().contains("not-the-password") && written.stderr.contains("login("), "{written}");
    assert!(!file.exists(), "what is refused is not kept");

    shanty.eval(r#"from("scratch").write("/x", "y").tag("app:v1")"#).ok();
    login(&shanty, &host, "secret").ok();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let name = registry.name("team/app:v1");
    let value = shanty.json(&format!(
        r#"let r = registry("{host}"); image("app:v1").push(#{{ to: "{name}" }});
           [r.repositories(), r.tags("team/app"), image("{name}").pull().exists, r.logout(), r.logout(), r.to_string()]"#
    ));
    assert_eq!(value[0], serde_json::json!(["team/app"]));
    assert_eq!(value[1], serde_json::json!(["v1"]));
    assert_eq!((&value[2], &value[3], &value[4]), (&true.into(), &true.into(), &false.into()));
    assert!(!value[5].to_string().contains("secret"));
    shanty.eval(&format!(r#"registry("{host}").repositories()"#)).fails_with("unauthorized");
    shanty.eval(&format!(r#"registry("https://{host}")"#)).fails_with("invalid");
}

#[test]
fn in_one_script_a_logout_counts_at_once() {
    let registry = require!(Registry::start_with_login());
    let shanty = Shanty::new();
    let code = format!(
        r#"let r = registry("{}"); r.login("shanty", env("PASSWORD")); r.repositories(); r.logout();
           try {{ r.repositories(); print("still in") }} catch (e) {{ print(e.kind) }}"#,
        registry.host()
    );
    shanty.eval(&code).env("PASSWORD", "secret").prints("unauthorized\n");
}

#[test]
fn docker_and_shanty_read_what_the_other_wrote() {
    let (registry, docker) = require!(Registry::start_with_login(), Docker::start());
    let (shanty, host) = (Shanty::new(), registry.host());
    login(&shanty, &host, "secret").ok();
    let make = r#"from("scratch").write("/x", "y")"#;
    shanty.eval(&format!(r#"{make}.tag("{host}/app:v1"); image("{host}/app:v1").push()"#)).ok();
    let config = shanty.home().join(".docker").display().to_string();
    let docker = |args: &[&str]| {
        let output = docker.command(&[&["--config", &config], args].concat()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    docker(&["pull", "--quiet", &format!("{host}/app:v1")]);
    docker(&["logout", &host]);
    shanty.eval(&format!(r#"image("{host}/app:v1").pull()"#)).fails_with("unauthorized");
    docker(&["login", "--username", "shanty", "--password", "secret", &host]);
    shanty.eval(&format!(r#"image("{host}/app:v1").pull()"#)).ok();
}

const HELPER: &str = r#"#!/bin/sh
file=$(dirname "$0")/kept
case $1 in
store) cat > "$file" ;;
get) [ -e "$file" ] && cat "$file" || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm -f "$file" ;;
esac
"#;

#[test]
fn a_configured_credential_helper_keeps_the_password() {
    let registry = require!(Registry::start_with_login());
    let (shanty, host) = (Shanty::new(), registry.host());
    let helper = shanty.write("bin/docker-credential-test", HELPER);
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", helper.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let config = shanty.home().join(".docker/config.json");
    std::fs::create_dir(config.parent().unwrap()).unwrap();
    std::fs::write(&config, r#"{"credsStore": "test", "psFormat": "x"}"#).unwrap();
    let eval = |code: &str| shanty.eval(code).env("PASSWORD", "secret").env("PATH", &path);
    eval(&format!(r#"registry("{host}").login("shanty", env("PASSWORD"))"#)).ok();
    let kept = std::fs::read_to_string(helper.with_file_name("kept")).unwrap();
    assert!(kept.contains("secret") && kept.contains(&host), "{kept}");
    let written = std::fs::read_to_string(&config).unwrap();
    let value: serde_json::Value = serde_json::from_str(&written).unwrap();
    assert_eq!(value["auths"][&host], serde_json::json!({}));
    assert_eq!(value["psFormat"], "x");
    eval(&format!(r#"registry("{host}").repositories()"#)).ok();
    eval(&format!(r#"print(registry("{host}").logout())"#)).prints("true\n");
    assert!(!helper.with_file_name("kept").exists());
    eval(&format!(r#"registry("{host}").repositories()"#)).fails_with("unauthorized");
    std::fs::write(&config, r#"{"credsStore": "absent"}"#).unwrap();
    let absent = eval(&format!(r#"registry("{host}").repositories()"#)).fails_with("unauthorized");
    assert!(absent.stderr.contains("docker-credential-absent"), "{absent}");
}

#[test]
fn skopeo_reads_what_login_wrote_to_the_file_of_the_environment() {
    let (registry, skopeo) = require!(Registry::start_with_login(), program("skopeo"));
    let (shanty, host) = (Shanty::new(), registry.host());
    let file = shanty.work().join("auth.json");
    let eval =
        |code: &str| shanty.eval(code).env("PASSWORD", "secret").env("REGISTRY_AUTH_FILE", file.to_str().unwrap());
    eval(&format!(
        r#"registry("{host}").login("shanty", env("PASSWORD"));
           from("scratch").write("/x", "y").tag("{host}/app:v1"); image("{host}/app:v1").push()"#
    ))
    .ok();
    let output = Command::new(skopeo)
        .args(["inspect", "--tls-verify=false", "--authfile"])
        .arg(&file)
        .arg(format!("docker://{host}/app:v1"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
