//! Secrets and agents: there while a command runs, and in nothing that stays.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use serde_json::json;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

const VALUE: &str = "hunter2-in-no-layer";

/// Files below a folder that hold the value.
fn holding(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(holding(&path));
        } else if kind.is_file()
            && fs::read(&path).is_ok_and(|bytes| bytes.windows(VALUE.len()).any(|w| w == VALUE.as_bytes()))
        {
            found.push(path.display().to_string());
        }
    }
    found
}

fn build(shanty: &Shanty, secrets: &str) -> String {
    format!(r#"build("app", #{{ network: "none", secrets: {secrets} }})"#)
        .replace("FILE", &shanty.home().join("token").display().to_string())
}

#[test]
fn a_secret_is_in_nothing_that_stays() {
    let shanty = require!(with_busybox());
    fs::write(shanty.home().join("token"), VALUE).unwrap();
    shanty.write(
        "app/Dockerfile",
        "FROM busybox:1\n\
         RUN --mount=type=secret,id=token sha256sum < /run/secrets/token > /sum && stat -c '%a %u' /run/secrets/token > /mode\n\
         RUN --mount=type=secret,id=token,target=/t,mode=0444,uid=5 stat -c '%a %u' /t >> /mode\n\
         RUN --mount=type=secret,id=token,env=TOKEN [ ${#TOKEN} = 19 ] && echo given > /given\n\
         RUN --mount=type=secret,id=other cat /run/secrets/other 2>/dev/null || echo none > /none\n",
    );
    let code = format!(
        r#"let b = {}; let cat = b.sh("cat /mode /given /none; ls /run /run/secrets /t 2>&1; true", #{{ network: "none" }}).text; [cat, b.log.contains("{VALUE}"), to_json(b.history()).contains("{VALUE}")]"#,
        build(&shanty, "#{ token: `FILE` }")
    );
    let found = shanty.json(&code);
    let text = found[0].as_str().unwrap();
    assert!(text.starts_with("400 0\n444 5\ngiven\nnone"), "{text}");
    assert!(!text.contains("token"), "{text}");
    assert_eq!((&found[1], &found[2]), (&json!(false), &json!(false)));
    assert_eq!(holding(&shanty.root()), Vec::<String>::new());
    // Another value is no reason to do a step again.
    fs::write(shanty.home().join("token"), "another").unwrap();
    let cached = shanty.json(&format!("{}.steps.map(|s| s.cached)", build(&shanty, "[`id=token,src=FILE`]")));
    assert_eq!(cached, json!([true, true, true, true, true]));
}

#[test]
fn a_secret_that_is_needed_and_not_given_is_named() {
    let shanty = require!(with_busybox());
    shanty.write("app/Dockerfile", "FROM busybox:1\nRUN --mount=type=secret,id=token,required true\n");
    let error = shanty.eval(&build(&shanty, "#{}")).fails_with("not_found");
    assert!(error.stderr.contains("`token`") && error.stderr.contains("Dockerfile:2"), "{error}");
    let error = shanty.eval(&build(&shanty, "#{ token: #{ env: \"NOT_SET_ANYWHERE\" } }")).fails_with("not_found");
    assert!(error.stderr.contains("NOT_SET_ANYWHERE"), "{error}");
    // What a command says of it is its own business; what we say is not.
    shanty.write("app/Dockerfile", "FROM busybox:1\nRUN --mount=type=secret,id=token,env=TOKEN false\n");
    let error = shanty.eval(&build(&shanty, &format!("#{{ token: #{{ value: \"{VALUE}\" }} }}"))).exits(1);
    let own = error.stderr.lines().filter(|line| !line.contains("build(\"app\"")).collect::<String>();
    assert!(!own.contains(VALUE), "{error}");
}

#[test]
fn an_agent_is_there_for_a_step_and_for_nobody_else() {
    let shanty = require!(with_busybox());
    let socket = shanty.home().join("agent");
    let _agent = UnixListener::bind(&socket).unwrap();
    shanty.write(
        "app/Dockerfile",
        "FROM busybox:1\nRUN --mount=type=ssh,uid=7,mode=0640 stat -c '%u %a %F' $SSH_AUTH_SOCK > /seen\nRUN echo [$SSH_AUTH_SOCK] >> /seen\n",
    );
    let code = format!(
        r#"build("app", #{{ network: "none", ssh: "default={}" }}).sh("cat /seen; ls /run/buildkit 2>&1; true", #{{ network: "none" }}).text"#,
        socket.display()
    );
    let said = shanty.json(&code);
    let said = said.as_str().unwrap();
    assert!(said.starts_with("7 640 socket\n[]\n") && !said.contains("ssh_agent"), "{said}");
    shanty.write("app/Dockerfile", "FROM busybox:1\nRUN --mount=type=ssh,required true\n");
    let error = shanty.eval(r#"build("app", #{ network: "none" })"#).fails_with("not_found");
    assert!(error.stderr.contains("ssh"), "{error}");
}
