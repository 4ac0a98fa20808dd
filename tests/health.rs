//! Health checks: what is checked, what it comes to, and what follows.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::{wait_for, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

fn run(shanty: &Shanty, name: &str, options: &str) {
    let code =
        format!(r#"image("busybox:1").run(["sleep", "1000"], #{{ name: "{name}", network: "none", {options} }})"#);
    shanty.eval(&code).ok();
}

fn health(shanty: &Shanty, name: &str) -> Value {
    shanty.json(&format!(r#"container("{name}").inspect().State.Health"#))
}

#[test]
fn a_container_becomes_healthy_unhealthy_and_healthy_again() {
    let shanty = require!(with_busybox());
    run(&shanty, "sick", r#"healthcheck: #{ test: "echo looked; test -e /well", interval: "50ms", retries: 2 }"#);
    // One that is never looked at: the other may be unhealthy by now.
    run(&shanty, "new", r#"healthcheck: #{ test: "true", interval: "1h" }"#);
    assert_eq!(shanty.json(r#"container("new").health"#), "starting");
    wait_until(LIMIT, || shanty.json(r#"container("sick").health"#) == "unhealthy");
    let record = health(&shanty, "sick");
    assert!(record["FailingStreak"].as_u64().unwrap() >= 2, "{record}");
    let result = &record["Log"][0];
    assert_eq!((&result["ExitCode"], &result["Output"]), (&json!(1), &json!("looked\n")));
    assert!(result["Start"].as_str().unwrap() < result["End"].as_str().unwrap());
    shanty
        .eval(
            r#"container("sick").exec("touch /well"); container("sick").wait_for(#{ healthy: true, timeout: "30s" })"#,
        )
        .ok();
    assert_eq!(health(&shanty, "sick")["FailingStreak"], 0);
    let record = wait_for(LIMIT, || {
        let record = health(&shanty, "sick");
        let codes: Vec<i64> =
            record["Log"].as_array().unwrap().iter().map(|it| it["ExitCode"].as_i64().unwrap()).collect();
        (codes == [0; 5]).then_some(record)
    });
    assert_eq!(record["Status"], "healthy");
    let stopped = shanty
        .json(r#"let c = container("sick"); c.stop(#{ timeout: "0s" }); [c.health, c.inspect().State.Health.Status]"#);
    assert_eq!(stopped, json!(["unhealthy", "unhealthy"]));
}

#[test]
fn a_check_that_hangs_is_killed_with_its_children_and_blocks_nothing() {
    let shanty = require!(with_busybox());
    let test = "setsid sleep 4321 & setsid sh -c 'while :; do sleep 0.1; done' & echo hanging; sleep 4321";
    run(
        &shanty,
        "hangs",
        &format!(r#"healthcheck: #{{ test: "{test}", interval: "100ms", timeout: "500ms", retries: 1 }}"#),
    );
    wait_until(LIMIT, || health(&shanty, "hangs")["Log"].as_array().is_some_and(|log| !log.is_empty()));
    // The monitor answers while a check hangs.
    assert_eq!(shanty.json(r#"container("hangs").exec("echo quick").text"#), "quick");
    let record = health(&shanty, "hangs");
    let first = &record["Log"][0];
    assert_eq!(first["ExitCode"], -1);
    assert_eq!(first["Output"], "Health check exceeded timeout (500ms): hanging\n");
    wait_until(LIMIT, || shanty.json(r#"container("hangs").health"#) == "unhealthy");
    // No more than one check is there at a time, with three processes each.
    let sleeping = r#"container("hangs").sh("ps -o args | grep -c '^sleep 4321'", #{ check: false }).text.parse_int()"#;
    for _ in 0..10 {
        assert!(shanty.json(sleeping).as_i64().unwrap() <= 2);
    }
}

#[test]
fn long_output_is_cut_and_what_cannot_be_executed_is_a_failure() {
    let shanty = require!(with_busybox());
    run(&shanty, "long", r#"healthcheck: #{ test: "head -c 100000 /dev/zero | tr '\\0' x", interval: "50ms" }"#);
    run(&shanty, "none", r#"healthcheck: #{ test: ["CMD", "no-such-program"], interval: "50ms", retries: 1 }"#);
    let first = |name: &str| {
        wait_for(LIMIT, || {
            let result = health(&shanty, name)["Log"][0].clone();
            (!result.is_null()).then_some(result)
        })
    };
    let long = first("long");
    assert_eq!(long["ExitCode"], 0);
    assert_eq!(long["Output"].as_str().unwrap(), "x".repeat(4096) + "...");
    let none = first("none");
    assert_eq!(none["ExitCode"], 127);
    assert!(none["Output"].as_str().unwrap().contains("no-such-program"), "{none}");
}

#[test]
fn the_images_check_is_taken_overridden_and_taken_away() {
    let shanty = require!(with_busybox());
    shanty
        .eval(
            r#"from("busybox:1").healthcheck(#{ test: ["CMD", "true"], interval: "50ms", retries: 7 }).tag("checked")"#,
        )
        .ok();
    let configured = |options: &str| {
        shanty.json(&format!(
            r#"let c = image("checked").run(["sleep", "100"], #{{ network: "none", {options} }});
               let check = c.inspect().Config.Healthcheck; let health = c.health; c.remove(#{{ force: true }});
               if check == () {{ [health] }} else {{ [health, check.Test, check.Interval, check.Retries] }}"#
        ))
    };
    assert_eq!(configured(""), json!(["starting", ["CMD", "true"], 50_000_000, 7]));
    assert_eq!(
        configured(r#"healthcheck: #{ interval: "1s" }"#),
        json!(["starting", ["CMD", "true"], 1_000_000_000, 7])
    );
    assert_eq!(configured(r#"healthcheck: "false""#)[1], json!(["CMD-SHELL", "false"]));
    assert_eq!(configured("healthcheck: false"), json!([null]));
}

#[test]
fn an_unhealthy_container_is_restarted_stopped_or_killed_as_asked() {
    let shanty = require!(with_busybox());
    let check = r#"healthcheck: #{ test: "test ! -e /sick", interval: "50ms", retries: 1 }"#;
    // (what is asked for, what it is then)
    let cases = [("restart", "running", 1), ("stop", "exited", 0), ("kill", "exited", 0), ("none", "running", 0)];
    for (action, status, restarts) in cases {
        run(&shanty, action, &format!(r#"{check}, on_unhealthy: "{action}", stop_timeout: "1s", cmd: ["sh", "-c", "rm -f /sick; trap 'exit 0' TERM; while :; do sleep 0.1; done"]"#).replace("cmd:", "entrypoint:"));
        shanty
            .eval(&format!(
                r#"container("{action}").wait_for(#{{ healthy: true }}); container("{action}").exec("touch /sick")"#
            ))
            .ok();
        wait_until(LIMIT, || {
            let seen = shanty.json(&format!(r#"let c = container("{action}"); [c.status, c.restarts, c.health]"#));
            let health = if status == "exited" || action == "none" { "unhealthy" } else { "healthy" };
            seen == json!([status, restarts, health])
        });
    }
    shanty.eval(r#"image("busybox:1").run(["true"], #{ on_unhealthy: "reboot" })"#).fails_with("invalid");
}
