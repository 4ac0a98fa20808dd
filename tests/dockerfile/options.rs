//! Options of `build`, and builders that take what Dockerfiles do.

use crate::support::busybox::with_busybox;
use crate::support::require;
use serde_json::json;

#[test]
fn options_do_what_they_say() {
    let shanty = require!(with_busybox());
    shanty.write("app/Dockerfile", "FROM busybox:1\nRUN echo default > /x\n");
    shanty.write(
        "app/other.Dockerfile",
        "FROM busybox:1 AS one\nRUN echo one > /x\nFROM one AS two\nRUN echo two >> /x\n",
    );
    let code = r#"
        let none = #{ network: "none" };
        let cat = |i| i.sh("cat /x", #{ network: "none" }).text;
        let a = build("app", #{ tag: ["a:1", "a:2"], labels: #{ from: "option" }, network: "none" });
        let b = build("app", #{ file: "app/other.Dockerfile", target: "one", network: "none" });
        let c = build("app", #{ text: "FROM busybox:1\nRUN cat /etc/hosts > /x\n", extra_hosts: ["db:10.0.0.5"], network: "none" });
        [a.tags, image("a:2").labels["from"], cat.call(a), cat.call(b), cat.call(c).contains("10.0.0.5"), a.log.contains("RUN echo default")]"#;
    assert_eq!(shanty.json(code), json!([["a:1", "a:2"], "option", "default", "one", true, true]));
    let anew = shanty.json(
        r#"build("app", #{ file: "app/other.Dockerfile", no_cache: ["two"], network: "none" }).steps.map(|s| s.cached)"#,
    );
    assert_eq!(anew, json!([true, true, true, false]));
    let anew = shanty.json(r#"build("app", #{ no_cache: true, network: "none" }).steps.map(|s| s.cached)"#);
    assert_eq!(anew, json!([true, false]));
}

#[test]
fn files_of_a_result_go_into_a_folder_or_a_tar() {
    let shanty = require!(with_busybox());
    shanty.write(
        "app/Dockerfile",
        "FROM busybox:1 AS build\nRUN mkdir -p /out/bin && echo tool > /out/bin/tool && chmod 755 /out/bin/tool && ln -s bin/tool /out/link\n\
         FROM scratch\nCOPY --from=build /out /\n",
    );
    shanty.eval(r#"build("app", #{ output: "dist", network: "none" }); build("app", #{ output: "dist.tar", network: "none" })"#).ok();
    let dist = shanty.work().join("dist");
    assert_eq!(std::fs::read_to_string(dist.join("link")).unwrap(), "tool\n");
    let listed =
        std::process::Command::new("tar").args(["-tf", "dist.tar"]).current_dir(shanty.work()).output().unwrap();
    assert_eq!(String::from_utf8(listed.stdout).unwrap(), "bin/\nbin/tool\nlink\n");
    // Once more over what is there.
    shanty.eval(r#"build("app", #{ output: "type=local,dest=dist", network: "none" })"#).ok();
    assert_eq!(std::fs::read_dir(&dist).unwrap().count(), 2);
}

#[test]
fn names_may_mean_other_folders_and_images() {
    let shanty = require!(with_busybox());
    shanty.write("app/Dockerfile", "FROM base\nCOPY --from=docs a /a\nRUN --mount=from=docs,target=/d cp /d/b /b\nCOPY --from=busybox:1 /etc/passwd /p\n");
    shanty.write("elsewhere/a", "1");
    shanty.write("elsewhere/b", "2");
    shanty.write("elsewhere/.dockerignore", "hidden");
    let code = r#"build("app", #{ contexts: #{ base: image("busybox:1"), docs: "elsewhere" }, network: "none" }).sh("cat /a /b; head -c4 /p", #{ network: "none" }).text"#;
    assert_eq!(shanty.json(code), json!("12root"));
    let missing = shanty.eval(
        r#"build("app", #{ contexts: #{ base: "docker-image://busybox:1", docs: "nowhere" }, network: "none" })"#,
    );
    missing.fails_with("not_found");
}

#[test]
fn builders_copy_from_each_other_and_mount_what_they_need() {
    let shanty = require!(with_busybox());
    shanty.write("src/a.log", "log");
    shanty.write("src/b", "b");
    let code = r#"
        let net = #{ network: "none" };
        let tools = from("busybox:1").sh("mkdir /out && echo tool > /out/tool", net);
        let app = from("busybox:1")
            .copy("src", "/src/", #{ exclude: "*.log", owner: "5:6" })
            .copy("/out", "/tools", #{ from: tools })
            .copy("/etc/passwd", "/p", #{ from: image("busybox:1") })
            .sh("cat /m/tool > /mounted; echo x >> /c/count; cat /c/count > /counted",
                #{ network: "none", mounts: [#{ type: "bind", from: tools, source: "/out", target: "/m" }, "type=cache,target=/c"] });
        let small = from("scratch").copy(tools, "/").build();
        [app.build().sh("ls /src /tools; cat /mounted /counted; stat -c %u:%g /src/b", net).lines, small.sh("cat /out/tool", net).text]"#;
    let found = shanty.json(code);
    assert_eq!(found, json!([["/src:", "b", "", "/tools:", "tool", "tool", "x", "5:6"], "tool"]));
}

#[test]
fn a_chain_forks_without_doing_the_common_part_twice() {
    let shanty = require!(with_busybox());
    let code = r#"
        let base = from("busybox:1").sh("cat /proc/sys/kernel/random/uuid > /once", #{ network: "none" });
        let one = base.write("/a", "a").tag("one:1");
        let two = base.env("B", "b").sh("true", #{ network: "none" }).tag("two:1");
        let read = |i| i.sh("cat /once", #{ network: "none" }).text;
        [read.call(one) == read.call(two), two.steps.map(|s| s.cached), two.layers.len()]"#;
    assert_eq!(shanty.json(code), json!([true, [true, false], 2]));
}
