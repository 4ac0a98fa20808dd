//! A real application: `npm install` of a local dependency, its tests, a small image, and an answer over a port.

use crate::support::fixtures::fixture;
use crate::support::require;
use crate::support::shanty::Shanty;
use serde_json::json;
use std::path::Path;
use std::process::Command;

#[test]
fn a_node_js_application_is_built_tested_and_answers_over_a_port() {
    let (layout, shanty) = (require!(fixture("npm")), Shanty::new());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/node-app");
    let copied = Command::new("cp").arg("-r").arg(&source).arg(shanty.work().join("app")).status();
    assert!(copied.unwrap().success());
    let code = format!(
        r#"
        load("{}")[0].tag("node:18");
        let app = build("app", #{{ tag: "shop:1.0", network: "none" }});
        let web = app.run(#{{ ports: ["127.0.0.1::3000"], init: true }});
        web.wait_for(#{{ port: 3000, timeout: "30s" }});
        let answer = http::get(`http://127.0.0.1:${{web.port(3000).host_port}}/you`).text;
        let files = app.exec(["node", "-p", "fs.readdirSync('/app').join() + ' ' + fs.existsSync('/usr/bin/npm')"], #{{ network: "none" }}).text;
        web.stop();
        [answer, web.exit_code, app.size < image("node:18").size, files, app.cmd, app.layers.len()]"#,
        layout.display()
    );
    let found = shanty.json(&code);
    let files = ".dockerignore,Dockerfile,greeting,node_modules,package-lock.json,package.json,server.js false";
    assert_eq!(found, json!(["hello you\n", 0, true, files, ["node", "server.js"], 3]));
    // Only what has changed is done again.
    shanty.write("app/server.js", &std::fs::read_to_string(source.join("server.js")).unwrap().replace("\\n", "!\\n"));
    let code = r#"build("app", #{ network: "none" }).steps.filter(|s| !s.cached).map(|s| s.name)"#;
    let again = shanty.json(code);
    let steps: Vec<&str> = again.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(steps.len(), 3, "{again}");
    assert!(
        steps[0].contains("COPY . .")
            && steps[1].contains("RUN node --test")
            && steps[2].contains("COPY --from=tested")
    );
}
