//! Folders here, in buckets and on other hosts: what is written there is there whole, or not at all.

use crate::support::elsewhere::{Line, S3, Ssh, refusing_s3};
use crate::support::{Shanty, program, require};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// What every location does.
fn check(shanty: &Shanty, location: &str) {
    let code = format!(
        r#"let there = {location};
           let before = there.list().len();
           there.write("b c'd$x.txt", "first");
           there.write("b c'd$x.txt", "second\n");
           there.write("ä", "");
           there.write("-n", "option");
           let files = there.list();
           let read = [there.read("b c'd$x.txt"), there.read("ä"), there.read("-n")];
           let aged = files.filter(|file| now() - file.modified < 60.seconds).len();
           for file in files {{ there.remove(file.name) }}
           there.remove("ä");
           let missing = "";
           try {{ there.read("ä") }} catch (e) {{ missing = e.kind }}
           let refused = 0;
           for name in ["", ".", "..", "a/b"] {{ try {{ there.write(name, "") }} catch {{ refused += 1 }} }}
           [before, files.map(|file| [file.name, file.size]), read, aged, there.list().len(), missing, refused]"#
    );
    let expected =
        json!([0, [["-n", 6], ["b c'd$x.txt", 7], ["ä", 0]], ["second\n", "", "option"], 3, 0, "not_found", 4]);
    assert_eq!(shanty.json(&code), expected);
}

/// Writes so much that it does not fit into one part, and reads it again.
fn check_large(shanty: &Shanty, location: &str) {
    let text: String = (0..2_600_000).map(|number| format!("{number:07}\n")).collect();
    shanty.write("large", &text);
    let code = format!(
        r#"let there = {location};
           there.write("large", fs::read_bytes("large"));
           let same = there.read("large") == fs::read("large");
           let sizes = there.list().map(|file| file.size);
           there.remove("large");
           [same, sizes]"#
    );
    assert_eq!(shanty.json(&code), json!([true, [text.len()]]));
}

#[test]
fn a_folder_of_this_machine_is_a_location() {
    let shanty = Shanty::new();
    fs::create_dir(shanty.work().join("here")).unwrap();
    check(&shanty, r#"location("here")"#);
    check_large(&shanty, r#"location("here")"#);
    shanty.eval(r#"location("here").write("a", "secret")"#).ok();
    let mode = fs::metadata(shanty.work().join("here/a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    shanty.eval(r#"location("nowhere").list()"#).fails_with("not_found");
    shanty.eval(r#"location("ftp://host/x")"#).fails_with("invalid");
}

#[test]
fn a_bucket_is_a_location() {
    let server = require!(S3::start());
    let shanty = Shanty::new();
    let options = server.options(server.port);
    check(&shanty, &format!(r#"location("s3://backups", #{{ {options} }})"#));
    check(&shanty, &format!(r#"location("s3://backups/of%20all/web", #{{ {options} }})"#));
    check_large(&shanty, &format!(r#"location("s3://backups/of", #{{ {options} }})"#));
    // Only what is in the folder itself.
    let list = format!(
        r#"let all = #{{ {options} }};
           location("s3://backups/a/b", all).write("c", "1");
           location("s3://backups/ab", all).write("c", "1");
           location("s3://backups/a", all).write("d", "1");
           location("s3://backups/a/", all).list().map(|file| file.name)"#
    );
    assert_eq!(shanty.json(&list), json!(["d"]));
}

#[test]
fn keys_of_a_bucket_come_from_the_environment_and_wrong_ones_are_told() {
    let server = require!(S3::start());
    let shanty = Shanty::new();
    let code = r#"location("s3://backups").write("a", "x")"#;
    let call = |port: u16| {
        shanty
            .eval(code)
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"))
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
    };
    call(server.port).ok();
    let output = call(refusing_s3("SignatureDoesNotMatch")).fails_with("unauthorized");
    assert!(output.stderr.contains("SignatureDoesNotMatch: no") && !output.stderr.contains("X-Amz"), "{output}");
    call(refusing_s3("AccessDenied")).fails_with("denied");
    shanty.eval(code).fails_with("unauthorized");
    let missing = format!(r#"location("s3://nothing", #{{ {} }}).list()"#, server.options(server.port));
    shanty.eval(&missing).fails_with("not_found");
}

#[test]
fn another_host_is_a_location() {
    let host = require!(Ssh::start());
    let shanty = Shanty::new();
    let location = format!(r#"location("{}", #{{ {} }})"#, host.url(host.port), host.options());
    check(&shanty, &location);
    check_large(&shanty, &location);
    shanty.eval(&format!(r#"{location}.write("a", "secret")"#)).ok();
    assert_eq!(fs::metadata(host.folder().join("a")).unwrap().permissions().mode() & 0o777, 0o600);
    let nowhere = format!(r#"location("{}/nowhere", #{{ {} }}).write("a", "x")"#, host.url(host.port), host.options());
    shanty.eval(&nowhere).fails_with("not_found");
    let stranger = format!(
        r#"location("{}", #{{ ssh_args: ["-F", "none", "-i", "/nothing", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"] }}).list()"#,
        host.url(host.port)
    );
    shanty.eval(&stranger).fails_with("unauthorized");
}

#[test]
fn what_a_broken_line_cut_short_is_not_there() {
    let (server, host) = require!(S3::start(), Ssh::start());
    let shanty = Shanty::new();
    // More than one part, and more than the line carries.
    shanty.write("large", &"0123456789abcde\n".repeat(600_000));
    let code = |location: &str| {
        format!(
            r#"let there = {location};
               there.write("large", "the one before");
               let cut = {location_cut};
               let kind = "";
               try {{ cut.write("large", fs::read_bytes("large")) }} catch (e) {{ kind = e.kind }}
               [kind, there.list().map(|file| file.size), there.read("large")]"#,
            location_cut = location.replace("DIRECT", "CUT")
        )
    };
    let line = Line::to(server.port, 4 << 20);
    let s3 = format!(r#"location("s3://backups", #{{ {} }})"#, server.options(0));
    let s3 = s3.replace("127.0.0.1:0", "127.0.0.1:DIRECT");
    let s3 = code(&s3).replace("DIRECT", &server.port.to_string()).replace("CUT", &line.port.to_string());
    assert_eq!(shanty.json(&s3), json!(["network", [14], "the one before"]));
    assert!(line.broken() >= 2, "it was tried again");
    assert_eq!(server.unfinished(), 0, "the parts that were sent are still kept");

    let line = Line::to(host.port, 4 << 20);
    let ssh = format!(r#"location("{}", #{{ {} }})"#, host.url(0).replace(":0/", ":DIRECT/"), host.options());
    let ssh = code(&ssh).replace("DIRECT", &host.port.to_string()).replace("CUT", &line.port.to_string());
    assert_eq!(shanty.json(&ssh), json!(["network", [14], "the one before"]));
    assert_eq!(line.broken(), 1);
    assert_eq!(fs::read_dir(host.folder()).unwrap().count(), 1, "what is unfinished is removed");
}

#[test]
fn a_script_that_has_to_end_leaves_nothing_unfinished() {
    let (server, host) = require!(S3::start(), Ssh::start());
    let shanty = Shanty::new();
    fs::write(shanty.work().join("large"), vec![b'x'; 60 << 20]).unwrap();
    for location in [
        format!(r#"location("s3://backups", #{{ {} }})"#, server.options(server.port)),
        format!(r#"location("{}", #{{ {} }})"#, host.url(host.port), host.options()),
    ] {
        let code = format!(
            r#"let there = {location}; let data = fs::read_bytes("large");
               try {{ timeout("150ms", || there.write("large", data)) }} catch (e) {{ print(e.kind) }}
               print(there.list().len())"#
        );
        shanty.eval(&code).prints("timeout\n0\n");
    }
    assert_eq!(server.unfinished(), 0, "the parts that were sent are still kept");
    assert_eq!(fs::read_dir(host.folder()).unwrap().count(), 0);
}

#[test]
fn what_is_encrypted_is_read_by_age_and_by_who_has_the_key() {
    let (age, keygen) = require!(program("age"), program("age-keygen"));
    let shanty = Shanty::new();
    let work = shanty.work();
    let run = |line: &str| {
        let output = Command::new("sh").args(["-ec", line]).current_dir(&work).output().unwrap();
        assert!(output.status.success(), "`{line}`: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for name in ["one.key", "other.key"] {
        run(&format!("{} -o {name} 2>/dev/null", keygen.display()));
    }
    shanty.owns(&shanty.work());
    let public = run(&format!("{} -y one.key", keygen.display()));
    let public = public.trim();
    fs::create_dir(work.join("there")).unwrap();
    shanty.eval(&format!(r#"location("there", #{{ recipients: ["{public}"] }}).write("a.age", "hello\n")"#)).ok();
    assert_eq!(run(&format!("{} -d -i one.key there/a.age", age.display())), "hello\n");
    run(&format!("echo from age | {} -r {public} -o there/b.age", age.display()));
    shanty.eval(r#"print(location("there", #{ identity: "one.key" }).read("b.age"))"#).prints("from age\n\n");
    for (options, kind) in [
        (r#"identity: "other.key""#, "unauthorized"),
        (r#"passphrase: "wrong""#, "unauthorized"),
        ("", "unauthorized"),
        (r#"identity: "nowhere.key""#, "not_found"),
    ] {
        shanty.eval(&format!(r#"location("there", #{{ {options} }}).read("a.age")"#)).fails_with(kind);
    }
    // Cut short, or changed: nothing of it is taken for the whole.
    let whole = fs::read(work.join("there/a.age")).unwrap();
    fs::write(work.join("there/a.age"), &whole[..whole.len() - 1]).unwrap();
    shanty.eval(r#"location("there", #{ identity: "one.key" }).read("a.age")"#).exits(1);
    shanty.eval(r#"location("there", #{ recipients: "age1x" }).write("x", "")"#).fails_with("invalid");
}

#[test]
fn a_passphrase_encrypts_and_decrypts() {
    let shanty = Shanty::new();
    fs::create_dir(shanty.work().join("there")).unwrap();
    let code = r#"let there = location("there", #{ passphrase: "open sesame" });
        there.write("a", "hello"); print(there.read("a"))"#;
    shanty.eval(code).prints("hello\n");
    let stored = fs::read(shanty.work().join("there/a")).unwrap();
    assert!(stored.starts_with(b"age-encryption.org/v1") && !stored.windows(5).any(|part| part == b"hello"));
}

#[test]
fn secrets_in_a_script_are_not_in_its_errors() {
    let shanty = Shanty::new();
    for code in [
        r#"location("nowhere", #{ endpoint: "shown", secret_key: "hush", session_token: "hush" }).list()"#,
        r#"location("nowhere", #{ passphrase: `hush` }).list()"#,
    ] {
        let output = shanty.eval(code).fails_with("not_found");
        assert!(output.stderr.contains("\"***\"") && !output.stderr.contains("hush"), "{output}");
    }
}

#[test]
fn a_lock_is_held_by_one_at_a_time() {
    let shanty = Shanty::new();
    let code = r#"print(fs::lock("lock", || {
        let kind = "";
        try { fs::lock("lock", || print("twice")) } catch (e) { kind = e.kind }
        try { fs::lock("lock", #{ wait: "20ms" }, || print("twice")) } catch (e) { kind += " " + e.kind }
        kind
    }));
    print(fs::lock("lock", #{ wait: "1s" }, || "again"))"#;
    shanty.eval(code).prints("busy busy\nagain\n");
}
