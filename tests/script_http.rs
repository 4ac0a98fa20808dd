//! `http::`: the server and the client, against each other.

use crate::support::{Shanty, wait_for};
use std::net::TcpListener;
use std::time::Duration;

/// A port that nobody listens on now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_served_closure_answers_requests() {
    let port = free_port();
    let server = Shanty::new();
    let server = server
        .eval(&format!(
            "http::serve({port}, #{{ address: \"127.0.0.1\" }}, |r| switch r.path {{
                \"/text\" => `${{r.method}} ${{r.query.q}} ${{r.text}}`,
                \"/json\" => #{{ status: 201, headers: #{{ \"x-a\": \"b\" }}, body: #{{ n: 1 }} }},
                \"/broken\" => throw \"no\",
                _ => #{{ status: 404 }}
            }})"
        ))
        .spawn();
    wait_for(Duration::from_secs(30), || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let client = Shanty::new();
    client
        .eval(&format!(
            "let url = \"http://127.0.0.1:{port}\";
             print(http::post(url + \"/text?q=%C3%A4\", \"body\").text);
             let r = http::get(url + \"/json\");
             print([r.status, r.headers[\"x-a\"], r.headers[\"content-type\"], r.json().n]);
             print(http::get(url + \"/broken\").status);
             print(http::delete(url + \"/nothing\").status);
             print(assert_throws(\"network\", || http::get(url + \"/nothing\", #{{ check: true }})).message.contains(\"404\"));"
        ))
        .prints("POST ä body\n[201, \"b\", \"application/json\", 1]\n500\n404\ntrue\n");
    server.signal(nix::sys::signal::Signal::SIGINT);
    let output = server.wait(Duration::from_secs(30));
    assert!(output.code == 130 && output.stderr.contains("GET /broken: no"), "{output}");
}

#[test]
fn a_taken_port_is_a_conflict() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = Shanty::new()
        .eval(&format!("http::serve({port}, #{{ address: \"127.0.0.1\" }}, |r| 1)"))
        .fails_with("conflict");
    assert!(output.stderr.contains(&format!("cannot listen on port {port}: it is taken")), "{output}");
}

#[test]
fn a_server_that_stalls_runs_into_the_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    Shanty::new()
        .eval(&format!("http::get(\"http://127.0.0.1:{port}/\", #{{ timeout: \"50ms\" }})"))
        .fails_with("timeout");
}
