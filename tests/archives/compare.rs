//! Docker's import, export and commit, and ours, of the same files.

use super::{at, left_over, stored, text};
use crate::support::busybox::{BUSYBOX, with_busybox};
use crate::support::docker::Docker;
use crate::support::require;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;

/// The file with this name in a tar.
fn member(tar: &Path, wanted: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut archive = tar::Archive::new(File::open(tar).unwrap());
    let found = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .find(|entry| wanted(&entry.path().unwrap().display().to_string()));
    let mut bytes = Vec::new();
    found.unwrap_or_else(|| panic!("nothing like it in {}", tar.display())).read_to_end(&mut bytes).unwrap();
    bytes
}

/// What `manifest.json` of an archive says of its only image.
fn manifest(tar: &Path) -> Value {
    serde_json::from_slice::<Value>(&member(tar, |name| name == "manifest.json")).unwrap()[0].take()
}

/// The config of the only image of an archive, without what says nothing: Docker writes every field.
fn config(tar: &Path) -> Value {
    let name = manifest(tar)["Config"].as_str().unwrap().to_owned();
    let mut config: Value = serde_json::from_slice(&member(tar, |member| member == name)).unwrap();
    let is_nothing = |value: &Value| matches!(value, Value::Null | Value::Bool(false)) || *value == json!("");
    config["config"].as_object_mut().unwrap().retain(|_, value| !is_nothing(value));
    for key in ["container", "container_config", "docker_version", "created"] {
        config.as_object_mut().unwrap().remove(key);
    }
    for entry in config["history"].as_array_mut().unwrap() {
        entry.as_object_mut().unwrap().remove("created");
    }
    config
}

#[test]
fn an_imported_image_has_dockers_config_and_history() {
    let docker = require!(Docker::start());
    let shanty = require!(with_busybox());
    let changes = [
        r#"CMD ["a", "b c"]"#,
        "ENTRYPOINT x y",
        "ENV A=1 B=$A-",
        "EXPOSE 80 53/udp",
        "LABEL x=y \"a b\"=c",
        "USER me",
        "VOLUME /data",
        "WORKDIR /w",
        "ONBUILD RUN z",
        "HEALTHCHECK --interval=5s CMD true",
    ];
    let tar = at(&shanty, "busybox.tar");
    for message in ["", "why it is here"] {
        let mut args = vec!["import", "--message", message];
        args.extend(changes.iter().flat_map(|change| ["--change", *change]));
        docker.ok(&[&args[..], &[&text(&tar), "imported:1"]].concat());
        docker.ok(&["save", "--output", &text(&at(&shanty, "theirs.tar")), "imported:1"]);
        let script = format!(
            r#"let i = image_from_tar("busybox.tar", #{{ tag: "imported:1", message: {message:?}, changes: {} }}); i.save("ours.tar"); i.tags"#,
            json!(changes)
        );
        assert_eq!(shanty.json(&script), json!(["imported:1"]));
        assert_eq!(config(&at(&shanty, "ours.tar")), config(&at(&shanty, "theirs.tar")), "{message:?}");
    }
    let other = r#"
        let i = image_from_tar("busybox.tar", #{ platform: "linux/arm/v7", message: "m" });
        [i.tags, i.platform, i.inspect().Comment]"#;
    assert_eq!(shanty.json(other), json!([[], "linux/arm/v7", "m"]));
}

#[test]
fn tars_are_imported_from_pipes_urls_and_compressed() {
    let shanty = require!(with_busybox());
    let tar = std::fs::read(at(&shanty, "busybox.tar")).unwrap();
    std::fs::write(at(&shanty, "busybox.tar.zst"), zstd::encode_all(&tar[..], 1).unwrap()).unwrap();
    let diff_id = json!([format!("sha256:{}", hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&tar)))]);
    for source in ["busybox.tar", "busybox.tar.zst"] {
        assert_eq!(shanty.json(&format!("image_from_tar(`{source}`).layers")), diff_id, "{source}");
    }
    let server = serve(std::fs::read(at(&shanty, "busybox.tar.zst")).unwrap());
    let script = format!("let i = image_from_tar(`{server}/whole.tar`); [i.layers, i.history()[0].comment]");
    assert_eq!(shanty.json(&script), json!([diff_id, format!("Imported from {server}/whole.tar")]));
    let before = (stored(&shanty), shanty.json("images().len()"));
    shanty.eval(&format!("image_from_tar(`{server}/missing.tar`)")).fails_with("not_found");
    shanty.eval(&format!("image_from_tar(`{server}/cut.tar`)")).fails_with("network");
    assert_eq!((stored(&shanty), shanty.json("images().len()"), left_over(&shanty)), (before.0, before.1, vec![]));
    let piped = shanty.call(&["eval", "--json", r#"image_from_tar("-", #{ tag: "piped:1" }).layers"#]).stdin(tar).ok();
    assert_eq!(serde_json::from_str::<Value>(&piped.stdout).unwrap(), diff_id);
    assert_eq!(shanty.json(r#"image("piped:1").exec(["/bin/busybox", "echo", "works"]).text"#), "works");
}

/// Serves these bytes as `/whole.tar`, and the first half of them as `/cut.tar`, until the test ends. Gives the address.
fn serve(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map(Result::unwrap) {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let (status, body) = match line.split(' ').nth(1).unwrap() {
                "/whole.tar" => ("200 OK", &bytes[..]),
                "/cut.tar" => ("200 OK", &bytes[..bytes.len() / 2]),
                _ => ("404 Not Found", &b""[..]),
            };
            let length = if body.is_empty() { 0 } else { bytes.len() };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            // Who has seen enough closes the connection.
            let _ = (&stream).write_all(head.as_bytes()).and_then(|()| (&stream).write_all(body));
        }
    });
    address
}

/// What a tar says of each of its members, times left out: those of the two engines are not the same.
fn members(tar: impl Read) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(tar);
    let mut members = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut attributes: Vec<(String, Vec<u8>)> = Vec::new();
        for record in entry.pax_extensions().unwrap().into_iter().flatten().map(Result::unwrap) {
            let key = String::from_utf8_lossy(record.key_bytes());
            if let Some(key) = key.strip_prefix("SCHILY.xattr.") {
                attributes.push((key.to_owned(), record.value_bytes().to_vec()));
            }
        }
        attributes.sort();
        let header = entry.header();
        let device = (header.device_major().unwrap_or_default(), header.device_minor().unwrap_or_default());
        let kind = header.entry_type();
        let (mode, owner) = (header.mode().unwrap() & 0o7777, (header.uid().unwrap(), header.gid().unwrap()));
        let link = entry.link_name().unwrap().map(|link| link.display().to_string());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let sum = hex::encode(&<sha2::Sha256 as sha2::Digest>::digest(content)[..4]);
        let device = if kind.is_character_special() { Some(device) } else { None };
        // Nothing but the name of a whiteout means anything.
        if name.rsplit('/').next().unwrap().starts_with(".wh.") {
            members.insert(name, "whiteout".to_owned());
            continue;
        }
        members.insert(name, format!("{kind:?} {mode:o} {owner:?} {link:?} {device:?} {attributes:?} {sum}"));
    }
    members
}

/// Changes of every kind. The two names of a file come in the order of names.
const CHANGES: &str = r#"
    rm /etc/not-executable; rm -r /home; mkdir /home; echo x > /home/new
    echo changed >> /etc/group; chmod 750 /root; mkdir -p /new/sub; echo y > /new/a; ln /new/a /new/b
    ln -s /nowhere /new/link; mkfifo /new/pipe; mknod /new/null c 1 3; chown 1000:2000 /new/a; chmod 4755 /new/a
    rm -r /tmp; touch "/new/with space"; ln -s busybox /bin/another; rm /bin/yes; mkdir /bin/yes; touch /bin/yes/no
"#;

/// What Docker puts into the place of what it mounts, and what differs for a reason.
fn is_excused(name: &str) -> bool {
    let name = name.trim_end_matches('/');
    let of_engine = [
        ".dockerenv",
        "etc",
        "etc/hosts",
        "etc/hostname",
        "etc/resolv.conf",
        "etc/mtab",
        "changes.sh",
        "proc",
        "sys",
        "dev",
    ];
    of_engine.contains(&name) || name.starts_with("dev/")
}

#[track_caller]
fn assert_like_dockers(what: &str, ours: BTreeMap<String, String>, theirs: BTreeMap<String, String>) {
    let facts = |members: &BTreeMap<String, String>| -> Vec<String> {
        members.iter().filter(|(name, _)| !is_excused(name)).map(|(name, fact)| format!("{name}: {fact}")).collect()
    };
    let (ours, theirs) = (facts(&ours), facts(&theirs));
    let only =
        |one: &[String], other: &[String]| one.iter().filter(|fact| !other.contains(fact)).cloned().collect::<Vec<_>>();
    assert!(theirs.len() > 10, "{what}: {theirs:?}");
    assert!(
        ours == theirs,
        "{what}\nDocker's only:\n{}\nours only:\n{}",
        only(&theirs, &ours).join("\n"),
        only(&ours, &theirs).join("\n")
    );
}

#[test]
fn an_export_and_a_commit_have_what_dockers_have() {
    let docker = require!(Docker::start());
    let shanty = require!(with_busybox());
    let changes = text(&shanty.write("changes.sh", CHANGES));
    docker.import(&at(&shanty, "busybox.tar"), BUSYBOX, "/bin");
    let mount = format!("{changes}:/changes.sh:ro");
    let run = [
        "run",
        "--name=box",
        "--network=none",
        "--cap-add=MKNOD",
        "--volume",
        &mount,
        BUSYBOX,
        "sh",
        "-e",
        "/changes.sh",
    ];
    docker.ok(&run);
    docker.ok(&["export", "--output", &text(&at(&shanty, "their-export.tar")), "box"]);
    docker.ok(&[
        "commit",
        "--message",
        "why",
        "--author",
        "me",
        "--change",
        "ENV X=1",
        "--change",
        "CMD [\"x\"]",
        "box",
        "made:1",
    ]);
    docker.ok(&["save", "--output", &text(&at(&shanty, "theirs.tar")), "made:1"]);
    let script = format!(
        r#"let c = image("{BUSYBOX}").run(["sh", "-e", "/changes.sh"], #{{ name: "box", network: "none", volumes: `{mount}` }});
           if c.wait() != 0 {{ throw c.logs() }}
           c.export_tar("our-export.tar");
           c.commit("made:1", #{{ message: "why", author: "me", changes: ["ENV X=1", "CMD [\"x\"]"] }}).save("ours.tar");"#
    );
    shanty.eval(&script).ok();
    let open = |name: &str| File::open(at(&shanty, name)).unwrap();
    assert_like_dockers("export", members(open("our-export.tar")), members(open("their-export.tar")));

    let layer = |tar: &str| {
        let path = at(&shanty, tar);
        let name = manifest(&path)["Layers"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
        let bytes = member(&path, |member| member == name);
        let mut plain = Vec::new();
        if bytes.starts_with(b"\x1f\x8b") {
            flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
            plain
        } else {
            bytes
        }
    };
    let ours = members(&layer("ours.tar")[..]);
    assert_like_dockers("commit", ours, members(&layer("theirs.tar")[..]));
    let (ours, theirs) = (config(&at(&shanty, "ours.tar")), config(&at(&shanty, "theirs.tar")));
    for key in ["author", "os", "architecture"] {
        assert_eq!(ours[key], theirs[key], "{key}");
    }
    assert_eq!(ours["config"]["Env"], theirs["config"]["Env"]);
    assert_eq!(ours["config"]["Cmd"], theirs["config"]["Cmd"]);
    assert_eq!(ours["history"].as_array().unwrap().last(), theirs["history"].as_array().unwrap().last());
}
