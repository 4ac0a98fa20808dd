//! The cache: by content, shared, and outliving what it was made for.

use crate::support::busybox::with_busybox;
use crate::support::registry::Registry;
use crate::support::require;
use crate::support::shanty::Shanty;
use serde_json::{Value, json};
use std::process::Command;

fn cached(shanty: &Shanty) -> Value {
    shanty.json(r#"build("app", #{ network: "none" }).steps.map(|s| s.cached)"#)
}

fn run(shanty: &Shanty, program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).current_dir(shanty.work().join("app")).status();
    assert!(status.unwrap().success());
}

#[test]
fn only_what_a_step_reads_counts() {
    let shanty = require!(with_busybox());
    shanty.write("app/package.json", "{}");
    shanty.write("app/src/main", "1");
    shanty.write("app/notes", "1");
    shanty
        .write("app/Dockerfile", "FROM busybox:1\nCOPY package.json /\nRUN echo install > /installed\nCOPY src /src\n");
    assert_eq!(cached(&shanty), json!([true, false, false, false]));
    assert_eq!(cached(&shanty), json!([true, true, true, true]));
    shanty.write("app/notes", "2");
    run(&shanty, "touch", &["-d", "2001-01-01", "package.json", "src/main"]);
    assert_eq!(cached(&shanty), json!([true, true, true, true]), "metadata that Docker ignores");
    shanty.write("app/src/main", "2");
    assert_eq!(cached(&shanty), json!([true, true, true, false]));
    shanty.write("app/src/main", "1");
    assert_eq!(cached(&shanty), json!([true, true, true, true]), "it was like that before");
    run(&shanty, "chmod", &["755", "src/main"]);
    assert_eq!(cached(&shanty), json!([true, true, true, false]), "the mode is content");
    let labelled =
        "FROM busybox:1\nLABEL a=b\nCOPY package.json /\nRUN echo install > /installed\nCMD x\nCOPY src /src\n";
    shanty.write("app/Dockerfile", labelled);
    assert_eq!(cached(&shanty), json!([true, true, true, true]), "labels and commands are no input of steps");
    shanty.write("app/Dockerfile", "FROM busybox:1\nENV A=1\nCOPY package.json /\nRUN echo install > /installed\n");
    assert_eq!(cached(&shanty), json!([true, true, false]), "the environment is one of commands");
}

#[test]
fn the_same_again_is_the_same_image_and_survives_its_removal() {
    let shanty = require!(with_busybox());
    shanty.write("app/Dockerfile", "FROM busybox:1\nENV A=1\nRUN echo x > /x\nCMD [\"x\"]\n");
    let id = |options: &str| shanty.json(&format!("build(\"app\", #{{ network: \"none\"{options} }}).id"));
    let first = id("");
    assert_eq!(id(""), first);
    let made_anew = id(", no_cache: true");
    assert_ne!(made_anew, first, "it was made at another time");
    shanty.eval("for i in images(#{ dangling: true }) { i.remove(#{ force: true }) }").ok();
    let steps = shanty.json(r#"build("app", #{ network: "none" }).steps.map(|s| s.cached)"#);
    assert_eq!(steps, json!([true, true]));
    shanty.eval("for i in images(#{ all: true }) { i.remove(#{ force: true }) }").ok();
    let usage = shanty.json("let cache = disk_usage().build_cache; [cache.size, cache.reclaimable]");
    let (size, reclaimable) = (usage[0].as_u64().unwrap(), usage[1].as_u64().unwrap());
    assert!(reclaimable > 0 && reclaimable <= size, "{usage}");
    let forgotten = "prune(#{ build_cache: true, all: true }).items.filter(|i| i.kind == \"build_cache\").len() > 0";
    assert_eq!(shanty.json(forgotten), json!(true));
    assert_eq!(shanty.json("disk_usage().build_cache.items.len()"), json!(0));
}

#[test]
fn copies_from_a_stage_depend_on_the_files_and_not_on_how_they_were_made() {
    let shanty = require!(with_busybox());
    let dockerfile = |how: &str| {
        format!(
            "FROM busybox:1 AS build\nRUN {how}\n\
             FROM busybox:1\nCOPY --from=build /out /out\nRUN --network=none echo more > /more\n"
        )
    };
    shanty.write("app/Dockerfile", &dockerfile("mkdir /out && echo 1 > /out/file"));
    let own = |shanty: &Shanty| {
        let code = r#"build("app", #{ network: "none" }).steps.filter(|s| s.stage == "stage-1").map(|s| s.cached)"#;
        shanty.json(code)
    };
    assert_eq!(own(&shanty), json!([true, false, false]));
    shanty.write("app/Dockerfile", &dockerfile("echo other > /other && mkdir /out && echo 1 > /out/file"));
    assert_eq!(own(&shanty), json!([true, true, true]));
    shanty.write("app/Dockerfile", &dockerfile("mkdir /out && echo 2 > /out/file"));
    assert_eq!(own(&shanty), json!([true, false, false]));
}

#[test]
fn two_builds_at_once_do_a_step_once() {
    let shanty = require!(with_busybox());
    let code = r#"
        let base = from("busybox:1").sh("cat /proc/sys/kernel/random/uuid > /once", #{ network: "none" });
        let ids = parallel([|| base.write("/a", "a").build().layers[1], || base.write("/b", "b").build().layers[1]]);
        ids[0] == ids[1]"#;
    assert_eq!(shanty.json(code), json!(true));
}

#[test]
fn the_same_commit_gives_the_same_digest_on_two_machines() {
    let one = require!(with_busybox());
    let two = Shanty::new();
    let base = one.work().join("base.tar").display().to_string();
    one.eval(&format!("image(\"busybox:1\").save(`{base}`)")).ok();
    two.eval(&format!("load(`{base}`)")).ok();
    let digest = |shanty: &Shanty, date: &str| {
        shanty.write("app/file", "content");
        let text = "FROM busybox:1\nCOPY . /app\nRUN date > /dev/null && echo x > /made\nLABEL a=b\nWORKDIR /w\n";
        shanty.write("app/Dockerfile", text);
        run(shanty, "touch", &["-d", date, "file", "."]);
        shanty.json(
            r#"let i = build("app", #{ network: "none", args: #{ SOURCE_DATE_EPOCH: 1700000000 } }); [i.digest, i.id, i.created]"#,
        )
    };
    let first = digest(&one, "2020-01-01");
    assert_eq!(digest(&two, "2024-01-01"), first);
    assert_eq!(first[2], "2023-11-14T22:13:20Z");
}

#[test]
fn a_cache_in_a_registry_serves_another_machine() {
    let registry = require!(Registry::start());
    let one = require!(with_busybox());
    let two = Shanty::new();
    let base = one.work().join("base.tar").display().to_string();
    one.eval(&format!("image(\"busybox:1\").save(`{base}`)")).ok();
    two.eval(&format!("load(`{base}`)")).ok();
    let cache = format!("{}/app:cache", registry.host());
    for shanty in [&one, &two] {
        shanty.write("app/file", "content");
        let text = "FROM busybox:1 AS build\nRUN echo built > /built\nFROM busybox:1\nCOPY --from=build /built /\nRUN cat /built > /again\n";
        shanty.write("app/Dockerfile", text);
    }
    let options = format!("#{{ network: \"none\", cache_to: \"{cache}\", cache_from: \"{cache}\" }}");
    one.eval(&format!("build(\"app\", {options})")).ok();
    let code = format!(
        "let b = build(\"app\", #{{ network: \"none\", cache_from: [\"type=registry,ref={cache}\"] }}); \
         [b.steps.map(|s| s.cached), b.sh(\"cat /again\", #{{ network: \"none\" }}).text]"
    );
    assert_eq!(two.json(&code), json!([[true, true, true, true, true], "built"]));
}
