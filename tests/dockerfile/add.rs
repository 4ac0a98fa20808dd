//! `ADD`: archives, addresses, git repositories.

use super::{fails, sh};
use crate::support::busybox::with_busybox;
use crate::support::fixtures::program;
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::wait_until;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn run(shanty: &Shanty, line: &str) {
    let status = Command::new("sh").args(["-ec", line]).current_dir(shanty.work().join("app")).status().unwrap();
    assert!(status.success(), "{line}");
}

/// A program that runs as long as the test does.
struct Helper(Child);

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn archives_are_unpacked_whatever_their_compression_and_other_files_are_not() {
    let shanty = require!(with_busybox());
    shanty.write("app/in/file", "x");
    for (line, name) in [
        ("tar -C in -cf a.any .", "plain"),
        ("tar -C in -cf - . | gzip > a.any", "gzip"),
        ("tar -C in -cf - . | bzip2 > a.any", "bzip2"),
        ("tar -C in -cf - . | xz > a.any", "xz"),
        ("tar -C in -cf - . | zstd -q > a.any", "zstd"),
    ] {
        run(&shanty, line);
        assert_eq!(sh(&shanty, "FROM busybox:1\nADD a.any /x/\n", "ls /x; cat /x/file"), "file\nx", "{name}");
    }
    run(&shanty, "echo text | gzip > text.gz");
    let both = "FROM busybox:1\nADD text.gz a.any /x/\nADD --unpack=false a.any /y/\n";
    assert_eq!(sh(&shanty, both, "ls /x /y"), "/x:\nfile\ntext.gz\n\n/y:\na.any");
    assert_eq!(sh(&shanty, "FROM busybox:1\nCOPY a.any /x/\n", "ls /x"), "a.any");
    let cached = shanty.json(r#"build("app", #{ network: "none" }).steps.map(|s| s.cached)"#);
    assert_eq!(cached, json!([true, true]));
}

/// The web server of this machine's Python, over a folder of files; `/away` leads to a file of this machine.
fn server(shanty: &Shanty) -> (Helper, String) {
    shanty.write("served/file.txt", "content");
    let code = "import http.server\n\
        class H(http.server.SimpleHTTPRequestHandler):\n\
        \x20def do_GET(self):\n\
        \x20 if self.path=='/away':\n\
        \x20  self.send_response(302); self.send_header('Location','file:///etc/passwd'); self.end_headers()\n\
        \x20 else: super().do_GET()\n\
        s=http.server.ThreadingHTTPServer(('127.0.0.1',0),H); print(s.server_port,flush=True); s.serve_forever()";
    let mut child = Command::new("python3")
        .args(["-c", code])
        .current_dir(shanty.work().join("served"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (Helper(child), format!("127.0.0.1:{}", line.trim()))
}

#[test]
fn addresses_are_fetched_and_their_digest_is_checked() {
    let shanty = require!(with_busybox());
    let _python = require!(program("python3"));
    let (_server, address) = server(&shanty);
    let add = |line: &str| format!("FROM busybox:1\nADD {} /x/\n", line.replace("HOST", &address));
    let said = sh(&shanty, &add("http://HOST/file.txt"), "stat -c '%a %n' /x/*; cat /x/*");
    assert_eq!(said, "600 /x/file.txt\ncontent");
    let right = "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";
    let checked = add(&format!("--chmod=644 --checksum={right} http://HOST/file.txt"));
    assert_eq!(sh(&shanty, &checked, "stat -c %a /x/file.txt"), "644");
    let wrong = right.replace("ed70", "0000");
    let error = fails(&shanty, &add(&format!("--checksum={wrong} http://HOST/file.txt")));
    assert!(error.contains(right), "{error}");
    let error = fails(&shanty, &add("http://HOST/none"));
    assert!(error.contains("404"), "{error}");
    let error = fails(&shanty, &add("http://HOST/away"));
    assert!(error.contains("cannot fetch") && !error.contains("root:"), "{error}");
}

#[test]
fn git_repositories_are_checked_out() {
    let shanty = require!(with_busybox());
    let _git = require!(program("git"));
    shanty.write("app/Dockerfile", "");
    run(
        &shanty,
        "mkdir -p ../repositories/lib.git; cd ../repositories/lib.git; git init -q -b main .; git config user.email a@b; \
         git config user.name a; mkdir docs; echo one > docs/a; git add .; git commit -qm one; git tag v1; \
         echo two > docs/a; git commit -qam two; touch .git/git-daemon-export-ok",
    );
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // Not through `git`, which would leave it behind when it is ended.
    let folder = String::from_utf8(Command::new("git").arg("--exec-path").output().unwrap().stdout).unwrap();
    let daemon = Command::new(Path::new(folder.trim()).join("git-daemon"))
        .args(["--reuseaddr", "--listen=127.0.0.1", &format!("--port={port}"), "--base-path=."])
        .current_dir(shanty.work().join("repositories"))
        .envs([("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*")])
        .stderr(Stdio::null())
        .spawn();
    let _daemon = Helper(daemon.unwrap());
    wait_until(Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let address = format!("git://127.0.0.1:{port}/lib.git");
    let said = sh(&shanty, &format!("FROM busybox:1\nADD {address} /x\n"), "ls -A /x; cat /x/docs/a");
    assert_eq!(said, "docs\ntwo");
    assert_eq!(sh(&shanty, &format!("FROM busybox:1\nADD {address}#v1:docs /x\n"), "cat /x/a"), "one");
    let kept = format!("FROM busybox:1\nADD --keep-git-dir=true {address}#main /x\n");
    assert_eq!(sh(&shanty, &kept, "ls -A /x"), ".git\ndocs");
    let error = fails(&shanty, &format!("FROM busybox:1\nADD {address}#nowhere /x\n"));
    assert!(error.contains("nowhere"), "{error}");
    // A repository as the context.
    shanty.write("repositories/lib.git/Dockerfile", "FROM busybox:1\nCOPY docs /docs\n");
    run(&shanty, "cd ../repositories/lib.git; git add .; git commit -qm dockerfile");
    let code = format!(
        "print(build(\"{address}\", #{{ network: \"none\" }}).sh(\"cat /docs/a\", #{{ network: \"none\" }}).text)"
    );
    assert_eq!(shanty.eval(&code).ok().stdout, "two\n");
}
