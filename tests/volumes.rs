//! Volumes: made, filled, mounted, used, cleaned up.

mod crashes;
mod docker;
mod filling;
mod scopes;
mod subpath;

use crate::support::busybox::with_busybox;
use crate::support::require;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

#[test]
fn data_outlives_containers_and_goes_with_the_volume() {
    let shanty = require!(with_busybox());
    let code = r#"
        let data = create_volume("data", #{ labels: #{ app: "shop" } });
        image("busybox:1").exec("touch /d/one", #{ volumes: ["data:/d"], network: "none" });
        image("busybox:1").exec(["sh", "-c", "echo two > /d/two"], #{ volumes: [data.name + ":/d"], network: "none" });
        [image("busybox:1").exec("ls /d", #{ volumes: ["data:/d:ro"], network: "none" }).lines,
         image("busybox:1").exec("touch /d/x", #{ volumes: ["data:/d:ro"], network: "none", check: false }).code,
         data.size, data.exists, data.labels, data.driver, data.anonymous, volumes().len(),
         volumes(#{ label: "app=shop" }).len(), volumes(#{ label: "app=x" }).len(), volumes(#{ dangling: true }).len()]"#;
    let found = shanty.json(code);
    assert_eq!(found, json!([["one", "two"], 1, 4, true, { "app": "shop" }, "local", false, 1, 1, 0, 1]));
    let path = shanty.json(r#"volume("data").path"#);
    let path = std::path::Path::new(path.as_str().unwrap());
    assert_eq!(std::fs::read_to_string(path.join("two")).unwrap(), "two\n");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o755);
    shanty.eval(r#"volume("data").remove()"#).ok();
    assert!(!path.exists());
    shanty.eval(r#"volume("data").remove()"#).fails_with("not_found");
    shanty.eval(r#"volume("data").remove(#{ missing_ok: true }); volume("data").remove(#{ force: true })"#).ok();
}

#[test]
fn a_volume_that_is_there_stays_as_it_is_when_it_is_made_again() {
    let shanty = require!(with_busybox());
    let code = r#"
        create_volume("data", #{ labels: "a=b" });
        let again = create_volume("data", #{ labels: "a=c" });
        [again.labels, again.inspect()]"#;
    let found = shanty.json(code);
    assert_eq!(found[0], json!({ "a": "b" }));
    assert_eq!(
        (&found[1]["Driver"], &found[1]["Scope"], &found[1]["Options"]),
        (&json!("local"), &json!("local"), &Value::Null)
    );
    for name in ["x", "a b", "../x", "", &"0".repeat(64)] {
        shanty.eval(&format!(r#"create_volume("{name}")"#)).fails_with("invalid");
    }
    shanty
        .eval(r#"volume("dat").inspect()"#)
        .fails_with("not_found")
        .stderr
        .contains("did you mean `data`?")
        .then_some(())
        .unwrap();
}

#[test]
fn a_volume_in_use_is_not_removed_and_its_users_are_named() {
    let shanty = require!(with_busybox());
    shanty
        .eval(
            r#"image("busybox:1").create("true", #{ name: "web", volumes: ["data:/d"], network: "none" });
               image("busybox:1").run("sleep 1000", #{ name: "db", volumes: ["data:/d", "data:/e:ro"], network: "none" });"#,
        )
        .ok();
    let output = shanty.eval(r#"volume("data").remove()"#).fails_with("conflict");
    assert!(
        output.stderr.contains("containers `web`, `db`") && output.stderr.contains("container(\"web\").remove"),
        "{output}"
    );
    let names = shanty.json(r#"volume("data").containers().map(|c| c.name)"#);
    assert_eq!(names, json!(["web", "db"]));
    shanty.eval(r#"container("web").remove(); container("db").remove(#{ force: true }); volume("data").remove()"#).ok();
}

#[test]
fn anonymous_volumes_go_with_the_container_when_that_is_asked_for() {
    let shanty = require!(with_busybox());
    let code = r#"
        let options = #{ volumes: ["/d"], network: "none" };
        let counts = [];
        image("busybox:1").exec("touch /d/x", options);
        counts.push(volumes().len());
        let kept = image("busybox:1").create("true", options);
        counts.push(volumes().len());
        kept.remove();
        counts.push(volumes().len());
        let gone = image("busybox:1").create("true", options);
        gone.remove(#{ volumes: true });
        counts.push(volumes().len());
        let first = image("busybox:1").create("true", options);
        let name = first.inspect().Mounts[0].Name;
        image("busybox:1").create("true", #{ name: "other", volumes: [`${name}:/d`], network: "none" });
        first.remove(#{ volumes: true });
        counts.push(volumes().len());
        [counts, volumes()[0].anonymous, volumes()[0].name.len]"#;
    let counts = shanty.json(code);
    assert_eq!(counts, json!([[0, 1, 1, 1, 2], true, 64]));
    // One that ends by itself takes them along, too.
    shanty.eval(r#"let c = image("busybox:1").run("true", #{ remove: true, volumes: ["/d"], network: "none" }); c.wait(); eventually(|| volumes().len() == 2)"#).ok();
}

#[test]
fn pruning_takes_what_no_container_has() {
    let shanty = require!(with_busybox());
    let code = r#"
        create_volume("named", #{ labels: "ci" });
        create_volume();
        image("busybox:1").create("true", #{ name: "user", volumes: ["used:/d", "/e"], network: "none" });
        let plan = prune_volumes(#{ dry_run: true });
        let seen = [plan.items.len(), volumes().len()];
        seen.push(prune_volumes(#{ all: true, label: "nothing" }).items.len());
        seen.push(prune_volumes(#{ older_than: "1h" }).items.len());
        let late = prune_volumes(#{ all: true, dry_run: true });
        image("busybox:1").create("true", #{ name: "late", volumes: ["named:/d"], network: "none" });
        let done = prune(late);
        seen.push(done.items.len());
        seen.push(done.skipped.len());
        seen.push(done.skipped[0].reason.contains("late"));
        container("late").remove();
        let usage = disk_usage().volumes;
        seen += [usage.count, usage.active];
        // The container goes first, and then what it had without a name.
        let all = prune(#{ volumes: true });
        seen.push(all.items.filter(|item| item.kind == "volume").len());
        seen.push(volumes().map(|v| v.name));
        seen"#;
    let seen = shanty.json(code);
    assert_eq!(seen, json!([1, 4, 0, 0, 1, 1, true, 3, 2, 1, ["named", "used"]]));
}

#[test]
fn events_are_dockers() {
    let shanty = require!(with_busybox());
    let code = r#"
        create_volume("data");
        image("busybox:1").exec("true", #{ volumes: ["data:/d:ro"], network: "none" });
        volume("data").remove();
        let all = [];
        for e in events(#{ filter: #{ type: ["volume", "container"] } }) {
            if e.action in ["create", "mount", "start", "die", "unmount", "destroy"] { all.push(`${e.type} ${e.action}`) }
        }
        let mount = events(#{ filter: #{ volume: "data", action: "mount" } })[0];
        [all, mount.attributes.destination, mount.attributes["read/write"], mount.attributes.driver]"#;
    let expected = [
        "volume create",
        "container create",
        "volume mount",
        "container start",
        "container die",
        "volume unmount",
        "container destroy",
        "volume destroy",
    ];
    assert_eq!(shanty.json(code), json!([expected, "/d", "false", "local"]));
}

#[test]
fn files_are_copied_into_and_out_of_volumes_of_containers_that_do_not_run() {
    let shanty = require!(with_busybox());
    shanty.write("file", "text");
    let code = r#"
        let c = image("busybox:1").create("cat /d/file", #{ volumes: ["data:/d"], network: "none" });
        c.copy_to("file", "/d/file");
        c.write("/d/more", "more");
        c.start(); c.wait();
        [c.logs(), c.read("/d/more"), image("busybox:1").exec("ls /d", #{ volumes: ["data:/d"], network: "none" }).lines,
         c.diff().filter(|change| change.path.starts_with("/d/")).len()]"#;
    assert_eq!(shanty.json(code), json!(["text\n", "more", ["file", "more"], 0]));
}

#[test]
fn owners_are_the_same_with_and_without_a_user_namespace() {
    let shanty = require!(with_busybox());
    let code = r#"
        let own = |cmd| image("busybox:1").exec(["sh", "-c", cmd], #{ volumes: ["data:/d"], network: "none", userns: "auto" }).text;
        let host = |cmd| image("busybox:1").exec(["sh", "-c", cmd], #{ volumes: ["data:/d"], network: "none" }).text;
        own.call("touch /d/root && touch /d/user && chown 1000:7 /d/user");
        let list = "cd /d && stat -c '%n %u:%g' *";
        let seen = [own.call(list), host.call(list)];
        // Also of what is written from outside into one that runs.
        let c = image("busybox:1").run("sleep 1000", #{ name: "own", volumes: ["data:/d"], network: "none", userns: "auto" });
        c.write("/d/written", "x");
        c.remove(#{ force: true });
        seen.push(host.call("stat -c '%u:%g' /d/written"));
        seen"#;
    let expected = "root 0:0\nuser 1000:7";
    assert_eq!(shanty.json(code), json!([expected, expected, "0:0"]));
}

#[test]
fn commands_list_and_clean_up() {
    let shanty = require!(with_busybox());
    shanty
        .eval(
            r#"image("busybox:1").exec(["sh", "-c", "echo 12345 > /d/x"], #{ volumes: ["data:/d"], network: "none" });
               image("busybox:1").create("true", #{ name: "user", volumes: ["data:/d"], network: "none" });
               create_volume();"#,
        )
        .ok();
    let listed = shanty.call(&["volumes"]).ok().stdout;
    assert!(listed.starts_with("NAME") && listed.contains("\ndata "), "{listed}");
    let sizes = shanty.call(&["volumes", "--size"]).ok().stdout;
    assert!(sizes.contains("6B") && sizes.contains("user"), "{sizes}");
    let freed = shanty.call(&["cleanup", "--volumes"]).ok().stdout;
    assert!(freed.contains("volume "), "{freed}");
    assert_eq!(shanty.json("volumes().map(|v| v.name)"), json!(["data"]));
}
