//! `build()`: what Dockerfiles come to.

mod add;
mod cache;
mod copy;
mod hostile;
mod node_app;
mod options;
mod secrets;
mod stages;

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use serde_json::{Value, json};

/// Builds the Dockerfile with this text and gives the image as `docker inspect` has it.
pub fn inspect(shanty: &Shanty, dockerfile: &str) -> Value {
    shanty.write("app/Dockerfile", dockerfile);
    shanty.json(r#"build("app", #{ network: "none" }).inspect()"#)
}

/// Builds it and runs a line of the shell in the result.
#[track_caller]
pub fn sh(shanty: &Shanty, dockerfile: &str, line: &str) -> String {
    shanty.write("app/Dockerfile", dockerfile);
    let code = format!("print(build(\"app\", #{{ network: \"none\" }}).sh(`{line}`, #{{ network: \"none\" }}).text)");
    shanty.eval(&code).ok().stdout.trim_end().to_owned()
}

/// The error of a build.
#[track_caller]
pub fn fails(shanty: &Shanty, dockerfile: &str) -> String {
    shanty.write("app/Dockerfile", dockerfile);
    shanty.eval(r#"build("app", #{ network: "none" })"#).exits(1).stderr
}

#[test]
fn instructions_become_the_config_that_docker_has() {
    let shanty = require!(with_busybox());
    let image = inspect(
        &shanty,
        r#"
FROM busybox:1
ARG VERSION=1.0
LABEL version=$VERSION team="the shop"
ENV HOME_DIR=/srv LEVEL=2
WORKDIR $HOME_DIR
WORKDIR app
EXPOSE 80 53/udp
VOLUME /data ["/more"]
USER 1000:100
SHELL ["/bin/sh", "-ec"]
STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s --retries=2 CMD test -e /ok
ONBUILD RUN echo $X
ENTRYPOINT ["/bin/sh", "-c"]
CMD echo hi
MAINTAINER somebody
"#,
    );
    let config = &image["Config"];
    assert_eq!(config["Env"], json!(["PATH=/bin", "HOME_DIR=/srv", "LEVEL=2"]));
    assert_eq!(config["Labels"], json!({ "version": "1.0", "team": "the shop" }));
    assert_eq!(config["WorkingDir"], "/srv/app");
    assert_eq!(config["ExposedPorts"], json!({ "80/tcp": {}, "53/udp": {} }));
    assert_eq!(config["User"], "1000:100");
    assert_eq!(config["Shell"], json!(["/bin/sh", "-ec"]));
    assert_eq!(config["StopSignal"], "SIGINT");
    assert_eq!(
        config["Healthcheck"],
        json!({ "Test": ["CMD-SHELL", "test -e /ok"], "Interval": 30_000_000_000u64, "Retries": 2 })
    );
    assert_eq!(config["OnBuild"], json!(["RUN echo $X"]));
    assert_eq!(config["Entrypoint"], json!(["/bin/sh", "-c"]));
    assert_eq!(config["Cmd"], json!(["/bin/sh", "-ec", "echo hi"]));
    assert_eq!(image["Author"], "somebody");
    let history = shanty.json(r#"build("app", #{ network: "none" }).history().map(|h| [h.created_by, h.empty_layer])"#);
    let lines: Vec<&str> = history.as_array().unwrap().iter().rev().map(|line| line[0].as_str().unwrap()).collect();
    let first = lines.iter().position(|line| line.starts_with("ARG")).unwrap();
    let own = &lines[first..];
    assert_eq!(own[0], "ARG VERSION=1.0");
    assert_eq!(own[1], "LABEL version=1.0 team=the shop");
    assert_eq!(own[3], "WORKDIR /srv");
    assert_eq!(own[4], "WORKDIR /srv/app");
    assert_eq!(own[5], "EXPOSE map[53/udp:{} 80/tcp:{}]");
    assert_eq!(own[11], "ONBUILD RUN echo $X");
    assert_eq!(own[12], r#"ENTRYPOINT ["/bin/sh" "-c"]"#);
}

#[test]
fn commands_see_arguments_environment_and_documents() {
    let shanty = require!(with_busybox());
    let said = sh(
        &shanty,
        r#"FROM busybox:1
ARG A=arg
ARG B=arg
ENV B=env
RUN echo $A $B ${C:-none} > /vars
RUN ["/bin/sh", "-c", "echo exec $A >> /vars"]
RUN <<EOF
echo one >> /vars
echo two $B >> /vars
EOF
RUN <<-"EOF" cat >> /vars
	kept $A
EOF
RUN <<EOF
#!/bin/sh -e
echo "script $0" >> /vars
EOF
COPY <<EOF <<"RAW" /etc/
expanded $A
EOF
literal $A
RAW
RUN mv /etc/EOF /etc/RAW /"#,
        "cat /vars /EOF /RAW",
    );
    assert_eq!(said, "arg env none\nexec arg\none\ntwo env\nkept $A\nscript /dev/pipes/EOF\nexpanded arg\nliteral $A");
}

#[test]
fn a_failing_command_says_where_and_why() {
    let shanty = require!(with_busybox());
    let error = fails(&shanty, "FROM busybox:1\nENV A=1\nRUN echo first && echo wrong >&2 && exit 3\nRUN true\n");
    for part in ["Dockerfile:3", "RUN echo first", "code 3", "wrong", "first"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let kind =
        shanty.json(r#"let k = (); try { build("app", #{ network: "none" }) } catch (e) { k = [e.kind, e.code] } k"#);
    assert_eq!(kind, json!(["exit", 3]));
    // What was done before is remembered.
    shanty.write("app/Dockerfile", "FROM busybox:1\nENV A=1\nRUN echo x > /x\nRUN false\n");
    shanty.eval(r#"build("app", #{ network: "none" })"#).exits(1);
    shanty.write("app/Dockerfile", "FROM busybox:1\nENV A=1\nRUN echo x > /x\nRUN true\n");
    let cached = shanty.json(r#"build("app", #{ network: "none" }).steps.map(|s| s.cached)"#);
    assert_eq!(cached, json!([true, true, false]));
}

#[test]
fn what_is_wrong_in_a_file_is_shown_with_its_line() {
    let shanty = require!(with_busybox());
    for (text, parts) in [
        ("FROM busybox:1\nRUNN x\n", vec!["Dockerfile:2", "RUNN"]),
        ("FROM busybox:1\nCOPY missing /x\n", vec!["Dockerfile:2", "missing"]),
        ("FROM busybox:1\nCOPY a b c\n", vec!["Dockerfile:2", "c/"]),
        ("FROM busybox:1\nRUN --mount=type=nonsense,target=/x true\n", vec!["Dockerfile:2", "nonsense"]),
        ("FROM busybox:1\nEXPOSE nonsense\n", vec!["Dockerfile:2", "nonsense"]),
        ("RUN true\n", vec!["FROM"]),
        ("", vec!["FROM"]),
        ("FROM ${NOTHING}\n", vec!["Dockerfile:1", "NOTHING"]),
        ("FROM busybox:1\nRUN --network=host true\n", vec!["Dockerfile:2", "network.host"]),
        ("FROM busybox:1\nRUN --security=insecure true\n", vec!["Dockerfile:2", "security.insecure"]),
        ("FROM busybox:1\nENV A=\"${B:?it is needed}\"\n", vec!["Dockerfile:2", "it is needed"]),
    ] {
        let error = fails(&shanty, text);
        for part in parts {
            assert!(error.contains(part), "`{part}` in the error of {text:?}: {error}");
        }
    }
    shanty.eval(r#"build("nowhere")"#).fails_with("not_found");
    std::fs::create_dir(shanty.work().join("empty")).unwrap();
    let error = shanty.eval(r#"build("empty")"#).fails_with("not_found");
    assert!(error.stderr.contains("Dockerfile"), "{error}");
    shanty.write("app/Dockerfile", "FROM busybox:1 AS web\n");
    let error = shanty.eval(r#"build("app", #{ target: "wbe" })"#).fails_with("not_found");
    assert!(error.stderr.contains("web"), "{error}");
}

#[test]
fn a_command_may_write_more_than_is_kept() {
    let shanty = require!(with_busybox());
    shanty.write("app/Dockerfile", "FROM busybox:1\nRUN yes | head -c 80000000; echo the end; exit 5\n");
    let error = shanty.call(&["--quiet", "eval", r#"build("app", #{ network: "none" })"#]).exits(1);
    assert!(error.stderr.contains("code 5") && error.stderr.contains("the end"), "{error}");
}
