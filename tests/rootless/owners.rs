//! Changing owners in a container with a single id: recorded beside the files, and kept by what is made of them.

use super::Person;
use crate::support::fixtures::program;
use crate::support::require;
use std::os::unix::process::CommandExt;
use std::process::Command;

impl Person {
    /// What the layers of an image hold: `owner name` of each member that `wanted` names, in the order of layers and names.
    fn owners(&self, image: &str, wanted: &[&str]) -> Vec<String> {
        self.eval(&format!(r#"image("{image}").save("saved.tar")"#));
        let script = "rm -rf saved && mkdir saved && tar -C saved -xf saved.tar && \
                      for layer in $(tr ',' '\\n' < saved/manifest.json | grep -o 'blobs/sha256/[0-9a-f]*' | sed 1d); \
                      do tar --numeric-owner -tvf saved/$layer; done";
        let output = Command::new("sh").args(["-c", script]).current_dir(self.folder.path()).uid(self.uid).output();
        let listing = String::from_utf8(output.unwrap().stdout).unwrap();
        let mut owners = Vec::new();
        for line in listing.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            if wanted.contains(&words[5]) {
                owners.push(format!("{} {}", words[1], words[5]));
            }
        }
        owners
    }
}

#[test]
fn what_a_step_of_a_build_gives_away_is_somebodys_in_its_layer() {
    let person = require!(Person::new());
    // Busybox's own gives both ids of what it changes, as it sees them.
    let chown = require!(program("chown")).display().to_string();
    person.eval(
        &r#"from("busybox:1")
            .host_program("CHOWN")
            .sh("echo x > /file && mkdir -p /tree/a && echo y > /tree/a/b && ln -s b /tree/a/link")
            .sh("chown 1000:1001 /file && chown -R 7:8 /tree && chown -h 9:9 /tree/a/link && CHOWN :12 /tree/a && cd /tree && CHOWN 13 a/b")
            .sh("chmod 4755 /file && chown 0:0 /file && test ! -u /file && CHOWN 33 /tree")
            .tag("owned:1")"#
            .replace("CHOWN", &chown),
    );
    let names = ["file", "tree/", "tree/a/", "tree/a/b"];
    let expected = [
        "0/0 file",
        "0/0 tree/",
        "0/0 tree/a/",
        "0/0 tree/a/b", // as they were made
        "1000/1001 file",
        "7/8 tree/",
        "7/12 tree/a/",
        "13/8 tree/a/b", // given away
        "0/0 file",
        "33/8 tree/", // and again
    ];
    assert_eq!(person.owners("owned:1", &names), expected);
    person.wait_for_nobody();
}

#[test]
fn what_is_copied_into_and_out_of_layers_keeps_its_owner() {
    let person = require!(Person::new());
    let context = person.folder.path().join("context");
    std::fs::create_dir(&context).unwrap();
    let dockerfile = "FROM busybox:1 AS one\nRUN mkdir /app && echo x > /app/x && chown -R 5:6 /app\nCOPY Dockerfile /app/\n\
                      FROM busybox:1\nCOPY --from=one /app /app\n";
    std::fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    person.eval(r#"build("context", #{ tag: "two:1" }); build("context", #{ tag: "one:1", target: "one" });"#);
    let names = ["app/", "app/x", "app/Dockerfile"];
    let expected = ["5/6 app/", "5/6 app/x", "5/6 app/", "0/0 app/Dockerfile"];
    assert_eq!(person.owners("one:1", &names), expected);
    assert_eq!(person.owners("two:1", &names), ["5/6 app/", "0/0 app/Dockerfile", "5/6 app/x"]);
    // Our own attribute is in no layer.
    let script =
        "for blob in saved/blobs/sha256/*; do gzip -dc $blob 2>/dev/null || cat $blob; done | grep -c user.shanty";
    let count = Command::new("sh").args(["-c", script]).current_dir(person.folder.path()).output().unwrap();
    assert_eq!(String::from_utf8(count.stdout).unwrap(), "0\n");
    person.wait_for_nobody();
}

#[test]
fn an_exec_gives_files_away_and_a_commit_keeps_it() {
    let person = require!(Person::new());
    person.eval(
        r#"let c = image("busybox:1").run("sleep 1000", #{ name: "giver", network: "none", init: true });
        c.sh("mkdir /given && echo x > /given/file");
        c.commit("before:1");
        c.sh("chown -R 5:6 /given");
        c.exec(["chown", "7:6", "file"], #{ workdir: "/given" });
        c.export_tar("given.tar");
        c.commit("given:1");
        c.commit("given:2");
        c.remove(#{ force: true });
        let again = image("given:1").run("sleep 1000", #{ name: "again", network: "none" });
        again.sh("chown 5:6 /given && chown 7:9 /given/file");
        again.commit("again:1");
        again.remove(#{ force: true });"#,
    );
    let names = ["given/", "given/file"];
    let mut tar = Command::new("tar");
    tar.args(["--numeric-owner", "-tvf", "given.tar", "given"]).current_dir(person.folder.path());
    let exported = String::from_utf8(tar.output().unwrap().stdout).unwrap();
    assert_eq!(
        exported.lines().filter(|line| line.contains(" 5/6 ") || line.contains(" 7/6 ")).count(),
        2,
        "{exported}"
    );
    assert_eq!(person.owners("before:1", &names), ["0/0 given/", "0/0 given/file"]);
    assert_eq!(person.owners("given:1", &names), ["5/6 given/", "7/6 given/file"]);
    assert_eq!(person.owners("given:2", &names), ["5/6 given/", "7/6 given/file"]);
    // The folder stays as it is.
    assert_eq!(person.owners("again:1", &names)[2..], ["5/6 given/", "7/9 given/file"]);
    let layers = |name: &str| person.eval(&format!(r#"print(image("{name}").inspect().RootFS.Layers)"#));
    assert_eq!(layers("given:1"), layers("given:2"));
    person.wait_for_nobody();
}

#[test]
fn what_is_not_the_containers_keeps_its_owner_and_who_may_not_give_files_away_does_not() {
    let person = require!(Person::new());
    let share = person.folder.path().join("share");
    let code = format!(
        r#"let options = #{{ network: "none", mounts: [#{{ source: "{}", target: "/share", create: true }}], tmpfs: "/memory" }};
        print(image("busybox:1").sh("touch /share/mine /memory/mine && chown 5:6 /share/mine /memory/mine && chown 5 /share && echo given", options).text);
        options.cap_drop = ["CHOWN"];
        print(image("busybox:1").sh("touch /own; chown 5 /own 2>/dev/null || echo kept; chown 5 /missing 2>&1 || true", options).text);
        options = #{{ network: "none", read_only: true }};
        print(image("busybox:1").sh("chown 5 /bin 2>&1 || true; chown 5 /etc/hosts && echo given", options).text);
        print(image("busybox:1").sh("chown 5 /proc/version 2>&1 || true", #{{ network: "none", seccomp: "unconfined" }}).text);"#,
        share.display()
    );
    let said = person.eval(&code);
    let expected = "given\nkept\nchown: /missing: No such file or directory\nchown: /bin: Read-only file system\n\
                    given\nchown: /proc/version: Operation not permitted\n";
    assert_eq!(said, expected);
    let attributes = shanty::sys::xattr::list(&share.join("mine")).unwrap();
    assert!(attributes.is_empty(), "{attributes:?}");
    person.wait_for_nobody();
}

#[test]
fn a_diff_tells_it_and_with_keep_id_nobody_gives_files_away() {
    let person = require!(Person::new());
    let code = r#"let c = image("busybox:1").run("sleep 1000", #{ name: "differs", network: "none" });
        c.sh("mkdir /mine && chown 5:6 /mine && chown 1:1 /bin && touch -d @0 /bin");
        let changes = [];
        for change in c.diff() { changes.push(`${change.kind} ${change.path}`) }
        c.remove(#{ force: true });
        print(changes);
        print(image("busybox:1").sh("touch /tmp/mine && chown 5 /tmp/mine 2>&1 || true", #{ network: "none", userns: "keep-id", tmpfs: "/tmp" }).text)"#;
    assert_eq!(person.eval(code), "[\"changed /bin\", \"added /mine\"]\nchown: /tmp/mine: Invalid argument\n");
    person.wait_for_nobody();
}

#[test]
fn one_who_answers_no_more_does_not_hold_anybody_up() {
    let person = require!(Person::new());
    person.eval(
        r#"let c = image("busybox:1").run(["sh", "-c", "touch /file; while true; do chown 5 /file || exit 9; done"], #{ name: "giver", network: "none" });"#,
    );
    // The process that answers is the only child of the monitor that is no container's.
    let answering = || {
        let monitor = *person.processes("shanty-monitor").first()?;
        person.processes("shanty-monitor").into_iter().find(|pid| *pid != monitor)
    };
    let server = crate::support::wait::wait_for(std::time::Duration::from_secs(10), answering);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(server), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(person.eval(r#"print(container("giver").wait())"#).trim(), "9");
    person.eval(r#"container("giver").remove()"#);
    person.wait_for_nobody();
}
