//! Stages: which are built, what they begin with, what they take from each other.

use super::{inspect, sh};
use crate::support::busybox::with_busybox;
use crate::support::require;
use serde_json::json;

#[test]
fn only_what_the_target_needs_is_built() {
    let shanty = require!(with_busybox());
    shanty.write(
        "app/Dockerfile",
        "FROM busybox:1 AS unused\nRUN exit 1\n\
         FROM busybox:1 AS Base\nRUN echo base > /base\n\
         FROM base AS tool\nRUN echo tool > /tool\n\
         FROM busybox:1 AS web\nCOPY --from=tool /tool /base /web/\nCOPY --from=1 /base /numbered\n\
         FROM scratch\nCOPY --from=web /web/ /\n",
    );
    let code = r#"
        let built = build("app", #{ network: "none", target: "WEB" });
        [built.sh("cat /web/tool /web/base /numbered", #{ network: "none" }).lines, built.steps.map(|s| s.stage).filter(|s| s == "unused").len()]"#;
    assert_eq!(shanty.json(code), json!([["tool", "base", "base"], 0]));
    let last = shanty.json(
        r#"let b = build("app", #{ network: "none" }); [b.layers.len(), b.steps.filter(|s| !s.cached).len(), b.env, b.workdir]"#,
    );
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(last, json!([1, 1, { "PATH": path }, "/"]));
}

#[test]
fn stages_that_need_nothing_of_each_other_are_built_at_the_same_time() {
    let shanty = require!(with_busybox());
    let meet = |own: &str, other: &str| {
        format!(
            "RUN --mount=type=cache,target=/meet touch /meet/{own}; i=0; \
             while [ ! -e /meet/{other} ] && [ $i -lt 3000 ]; do i=$((i+1)); usleep 10000; done; \
             [ -e /meet/{other} ] && touch /made\n"
        )
    };
    // Each waits for the other: in a row they would wait in vain.
    let text = format!(
        "FROM busybox:1 AS a\n{}FROM busybox:1 AS b\n{}FROM scratch\nCOPY --from=a /made /a\nCOPY --from=b /made /b\n",
        meet("a", "b"),
        meet("b", "a")
    );
    shanty.write("app/Dockerfile", &text);
    assert_eq!(shanty.json(r#"build("app", #{ network: "none" }).layers.len()"#), json!(2));
}

#[test]
fn arguments_have_their_scopes() {
    let shanty = require!(with_busybox());
    let dockerfile = r#"ARG BASE=busybox
ARG TAG=1
FROM ${BASE}:$TAG AS first
ARG OWN=own
RUN echo "$BASE-$TAG-$OWN-$TARGETARCH" > /first
FROM first
ARG TAG
ARG TARGETOS TARGETARCH
RUN echo "$TAG-$OWN-$TARGETOS/$TARGETARCH" > /second
FROM busybox:1
ARG OWN
COPY --from=1 /first /second /
RUN echo "[$OWN]" > /third
"#;
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let said = sh(&shanty, dockerfile, "cat /first /second /third");
    assert_eq!(said, format!("--own-\n1-own-linux/{architecture}\n[]"));
    let given = shanty.json(
        r#"build("app", #{ network: "none", args: #{ OWN: "given", UNUSED: 1 } }).sh("cat /second /third", #{ network: "none" }).lines"#,
    );
    assert_eq!(given, json!([format!("1-given-linux/{architecture}"), "[given]"]));
}

#[test]
fn triggers_of_a_base_are_done_first_and_once() {
    let shanty = require!(with_busybox());
    shanty.write("app/source", "text");
    inspect(&shanty, "FROM busybox:1\nONBUILD COPY source /copied\nONBUILD RUN echo triggered > /ran\n");
    shanty.eval(r#"build("app", #{ tag: "base:1", network: "none" })"#).ok();
    let image = inspect(&shanty, "FROM base:1\nRUN cat /copied /ran > /both\n");
    assert_eq!(image["Config"]["OnBuild"], serde_json::Value::Null);
    assert_eq!(sh(&shanty, "FROM base:1\nRUN cat /ran > /both\n", "cat /copied /both"), "texttriggered");
}

#[test]
fn an_entrypoint_of_its_own_takes_the_arguments_of_the_base_away() {
    let shanty = require!(with_busybox());
    inspect(&shanty, "FROM busybox:1\nENTRYPOINT [\"/bin/echo\"]\nCMD [\"a\"]\n");
    shanty.eval(r#"build("app", #{ tag: "base:1", network: "none" })"#).ok();
    let image = inspect(&shanty, "FROM base:1\nENTRYPOINT [\"/bin/cat\"]\n");
    let config = &image["Config"];
    assert_eq!((&config["Entrypoint"], &config["Cmd"]), (&json!(["/bin/cat"]), &serde_json::Value::Null));
    let image = inspect(&shanty, "FROM base:1\nCMD [\"b\"]\nENTRYPOINT [\"/bin/cat\"]\n");
    assert_eq!(image["Config"]["Cmd"], json!(["b"]));
}
