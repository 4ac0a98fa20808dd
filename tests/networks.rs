//! Networks with names, from scripts.

use crate::support::busybox::with_busybox;
use crate::support::docker::Docker;
use crate::support::fixtures::program;
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::wait_until;
use serde_json::{Value, json};
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A container that sleeps, as `name`, with more options.
fn sleeper(name: &str, options: &str) -> String {
    format!(r#"image("busybox:1").run(["sleep", "1000"], #{{ name: "{name}", {options} }});"#)
}

/// What a name means to a container, as busybox prints it; empty when it is not known.
fn look_up(shanty: &Shanty, container: &str, name: &str) -> Vec<String> {
    let code = format!(r#"container("{container}").exec(["nslookup", "{name}"], #{{ check: false }}).stdout"#);
    let text = shanty.json(&code).as_str().unwrap().to_owned();
    let answer = text.split_once("\n\n").map_or("", |(_, answer)| answer).to_owned();
    let value = |line: &str| {
        line.strip_prefix("Address: ").or(line.split_once("name = ").map(|(_, name)| name)).map(str::to_owned)
    };
    let mut found: Vec<String> = answer.lines().filter_map(value).collect();
    found.sort();
    found
}

fn address(shanty: &Shanty, container: &str, network: &str) -> String {
    shanty.json(&format!(r#"container("{container}").networks.{network}.ip"#)).as_str().unwrap().to_owned()
}

#[test]
fn containers_find_each_other_by_name_alias_short_id_and_service() {
    let shanty = require!(with_busybox());
    let code = format!(
        r#"create_network("front"); create_network("back");
           {} {} {}
           [container("web").id[..12]]"#,
        sleeper(
            "web",
            r#"networks: #{ front: #{ aliases: ["www", "Www.Example"] } }, labels: #{ "com.docker.compose.service": "site" }"#
        ),
        sleeper("client", r#"network: "front", dns: "127.0.0.9""#),
        sleeper("stranger", r#"networks: ["back"], dns: "127.0.0.9""#),
    );
    let short_id = shanty.json(&code)[0].as_str().unwrap().to_owned();
    let ip = address(&shanty, "web", "front");
    for name in ["web", "www", "WEB", "www.example", "site", "web.front", &short_id] {
        assert_eq!(look_up(&shanty, "client", name), std::slice::from_ref(&ip), "{name}");
        assert_eq!(look_up(&shanty, "stranger", name), [""; 0], "{name}");
    }
    assert_eq!(look_up(&shanty, "client", &ip), ["web.front"]);
    // Programs ask by the C library as well.
    let wget = shanty.json(r#"container("client").exec(["ping", "-c", "1", "-W", "2", "www"]).text"#);
    assert!(wget.as_str().unwrap().contains(&ip), "{wget}");

    let resolv_conf = shanty.json(r#"container("client").read("/etc/resolv.conf")"#);
    assert!(resolv_conf.as_str().unwrap().contains("nameserver 127.0.0.11\n"), "{resolv_conf}");
    assert!(resolv_conf.as_str().unwrap().contains("options ndots:0\n"), "{resolv_conf}");

    // It is found under its new name, and not when it has ended; and again when it runs again.
    shanty.eval(r#"container("web").rename("shop")"#).ok();
    assert_eq!(look_up(&shanty, "client", "shop"), std::slice::from_ref(&ip));
    assert_eq!(look_up(&shanty, "client", "web"), [""; 0]);
    shanty.eval(r#"container("shop").stop(#{ timeout: 0 })"#).ok();
    assert_eq!(look_up(&shanty, "client", "shop"), [""; 0]);
    shanty.eval(r#"container("shop").start()"#).ok();
    assert_eq!(look_up(&shanty, "client", "shop"), [address(&shanty, "shop", "front")]);
    shanty.eval(r#"for c in containers() { c.remove(#{ force: true }) } prune_networks();"#).ok();
    assert_eq!(shanty.json("networks().len()"), 3);
    shanty.assert_nothing_left();
}

#[test]
fn several_containers_of_one_alias_are_all_found_and_an_end_by_itself_takes_its_name_away() {
    let shanty = require!(with_busybox());
    let many = (1..4)
        .map(|number| sleeper(&format!("w{number}"), r#"network: "front", aliases: "web", remove: true"#))
        .collect::<String>();
    shanty
        .eval(&format!(
            r#"create_network("front", #{{ ipv6: true }}); {many} {}"#,
            sleeper("client", r#"network: "front""#)
        ))
        .ok();
    let found = look_up(&shanty, "client", "web");
    // Three of IPv4, three of IPv6.
    assert_eq!(found.len(), 6, "{found:?}");
    assert_eq!(found.iter().filter(|address| address.starts_with("fd")).count(), 3, "{found:?}");
    // Killed from outside, as by the kernel: no command takes part.
    let pid = shanty.json(r#"container("w1").pid"#).as_i64().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_until(Duration::from_secs(10), || look_up(&shanty, "client", "web").len() == 4);
}

#[test]
fn names_of_a_container_whose_monitor_was_killed_are_swept() {
    let shanty = require!(with_busybox());
    let both = [sleeper("web", r#"network: "front""#), sleeper("client", r#"network: "front""#)].concat();
    shanty.eval(&format!(r#"create_network("front"); {both}"#)).ok();
    assert_eq!(look_up(&shanty, "client", "web").len(), 1);
    let id = shanty.json(r#"container("web").id"#).as_str().unwrap().to_owned();
    let lock = shanty.root().join("containers").join(id);
    let monitor = shanty::runtime::state::monitor_pid(&lock).unwrap().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(monitor), nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_until(Duration::from_secs(10), || look_up(&shanty, "client", "web").is_empty());
}

#[test]
fn a_running_container_is_connected_and_disconnected() {
    let shanty = require!(with_busybox());
    let code = format!(
        r#"create_network("front"); create_network("back", #{{ subnet: "10.253.7.0/24" }});
           {} {}
           network("back").connect("web", #{{ aliases: ["db"], ip: "10.253.7.9" }});
           let c = container("web");
           print(c.exec(["ip", "-4", "-o", "addr"]).text);
           [c.networks.keys(), c.networks.back.ip, c.ip == c.networks.bridge.ip, c.read("/etc/hosts").contains("10.253.7.9")]"#,
        sleeper("web", ""),
        sleeper("peer", r#"networks: ["front", "back"]"#),
    );
    let seen = shanty.json(&code);
    assert_eq!(seen, json!([["back", "bridge"], "10.253.7.9", true, true]));
    assert_eq!(look_up(&shanty, "peer", "db"), ["10.253.7.9"]);
    // It had no resolver of its own on the default network.
    assert_eq!(look_up(&shanty, "web", "peer"), [address(&shanty, "peer", "back")]);
    // It stays so over a restart, also with what it left.
    shanty.eval(r#"network("bridge").disconnect("web"); container("web").restart(#{ timeout: 0 })"#).ok();
    assert_eq!(shanty.json(r#"container("web").networks.keys()"#), json!(["back"]));
    assert_eq!(look_up(&shanty, "peer", "web"), ["10.253.7.9"]);
    let routes = shanty.json(r#"container("web").exec(["ip", "route"]).text"#);
    assert!(routes.as_str().unwrap().contains("default via 10.253.7.1"), "{routes}");
    shanty.eval(r#"network("back").disconnect(container("web"))"#).ok();
    assert_eq!(look_up(&shanty, "peer", "web"), [""; 0]);
    assert_eq!(
        shanty.json(r#"container("web").networks"#),
        json!({ "none": { "ip": null, "ip6": null, "aliases": [] } })
    );
    // And back, while it runs without any.
    shanty.eval(r#"network("front").connect("web")"#).ok();
    assert_eq!(look_up(&shanty, "peer", "web").len(), 1);
    for (wrong, words) in [
        (r#"network("front").connect("web")"#, "is connected to the network `front` already"),
        (r#"network("back").disconnect("web")"#, "is not connected to the network `back`"),
        (r#"network("bakc").connect("web")"#, "did you mean `back`?"),
        (r#"network("host").connect("web")"#, "is always there, as it is"),
        (r#"network("back").connect("web", #{ ip: "10.9.9.9" })"#, "whose subnet is `10.253.7.0/24`"),
    ] {
        let stderr = shanty.eval(wrong).output().stderr;
        assert!(stderr.contains(words), "{wrong}: {stderr}");
    }
    let host = sleeper("other", r#"network: "host""#);
    let stderr = shanty.eval(&format!(r#"{host} network("front").connect("other")"#)).output().stderr;
    assert!(stderr.contains("its network is that of the host"), "{stderr}");
}

#[test]
fn a_network_in_use_is_not_removed_and_names_its_users() {
    let shanty = require!(with_busybox());
    shanty
        .eval(&format!(
            r#"create_network("front"); create_network("spare");
               {} image("busybox:1").create(#{{ name: "late", network: "front" }});"#,
            sleeper("web", r#"network: "front""#)
        ))
        .ok();
    let stderr = shanty.eval(r#"network("front").remove()"#).output().stderr;
    assert!(stderr.contains("network `front` is used by containers `web`, `late`"), "{stderr}");
    assert_eq!(shanty.json(r#"prune_networks(#{ dry_run: true }).items.map(|i| i.names[0])"#), json!(["spare"]));
    assert_eq!(
        shanty.json(r#"prune_networks(); networks().map(|n| n.name)"#),
        json!(["bridge", "host", "none", "front"])
    );
    shanty.eval(r#"network("front").remove(#{ force: true })"#).ok();
    assert_eq!(
        shanty.json(r#"[network("front").exists, container("late").networks.keys()]"#),
        json!([false, ["none"]])
    );
    let stderr = shanty.eval(r#"network("front").remove()"#).output().stderr;
    assert!(stderr.contains("there is no network `front`"), "{stderr}");
    let stderr = shanty.eval(r#"image("busybox:1").run("true", #{ networks: ["frnt"] })"#).output().stderr;
    assert!(stderr.contains("there is no network `frnt`") && stderr.contains("create_network"), "{stderr}");
    for (options, words) in [
        (r#"aliases: ["x"]"#, "`aliases` needs a network"),
        (r#"network: "bridge", aliases: ["x"]"#, "`aliases` cannot be set on the network `bridge`"),
        (r#"networks: ["none", "bridge"]"#, "the network `none` excludes all others"),
        (r#"networks: ["bridge", "default"]"#, "the network `bridge` is named twice"),
        (r#"networks: "none", ports: [80]"#, "ports cannot be published on network `none`"),
    ] {
        let code = format!(r#"image("busybox:1").run("true", #{{ {options} }})"#);
        let stderr = shanty.eval(&code).fails_with("invalid").stderr;
        assert!(stderr.contains(words), "{options}: {stderr}");
    }
}

#[test]
fn networks_are_listed_from_a_shell() {
    let shanty = require!(with_busybox());
    shanty
        .eval(
            r#"create_network("front", #{ subnet: "10.253.9.0/24" });
                 image("busybox:1").create(#{ name: "late", network: "front" });"#,
        )
        .ok();
    let listed = shanty.call(&["networks"]).ok().stdout;
    let line = listed.lines().find(|line| line.starts_with("front")).unwrap_or_else(|| panic!("{listed}"));
    assert!(line.contains("10.253.9.0/24") && line.contains("late"), "{listed}");
    assert!(shanty.call(&["networks", "--all"]).output().stderr.contains("unknown option"));
}

#[test]
fn a_network_of_a_scope_goes_with_it_also_when_the_script_is_killed() {
    let shanty = require!(with_busybox());
    let code = format!(
        r#"scope(|| {{ create_network("mine"); keep(create_network("kept")); {} }}); networks().map(|n| n.name)"#,
        sleeper("web", r#"network: "mine""#)
    );
    assert_eq!(shanty.json(&code), json!(["bridge", "host", "none", "kept"]));
    let killed = r#"scope(|| { create_network("mine"); host_sh("kill -9 $PPID"); })"#;
    assert_ne!(shanty.eval(killed).output().code, 0);
    assert_eq!(shanty.json("networks().map(|n| n.name)"), json!(["bridge", "host", "none", "kept"]));
}

#[test]
fn the_host_is_found_by_name_from_every_network() {
    let shanty = require!(with_busybox());
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten().take(3) {
            let _ = std::io::Write::write_all(&mut client, b"the host");
        }
    });
    let ask = |options: &str, name: &str| {
        let nc = format!("nc -w 5 {name} {port} < /dev/null");
        shanty.json(&format!(r#"image("busybox:1").exec(["sh", "-c", "{nc}"], #{{ {options} }}).text"#))
    };
    shanty.eval(r#"create_network("front")"#).ok();
    let by_name = r#"let c = image("busybox:1").run(["sleep", "1000"], #{ name: "asks", network: "front" }); c.ip"#;
    let ip = shanty.json(by_name).as_str().unwrap().to_owned();
    let gateway = shanty.json(r#"network("front").gateway"#).as_str().unwrap().to_owned();
    assert_ne!(ip, gateway);
    assert_eq!(look_up(&shanty, "asks", "host.docker.internal"), [gateway]);
    assert_eq!(ask("", "host.docker.internal"), "the host");
    assert_eq!(ask(r#"network: "front""#, "host.docker.internal"), "the host");
    assert_eq!(ask(r#"network: "front", extra_hosts: ["me:host-gateway"]"#, "me"), "the host");
}

#[test]
fn an_internal_network_looks_nothing_up_outside() {
    let shanty = require!(with_busybox());
    shanty
        .eval(&format!(
            r#"create_network("vault", #{{ internal: true }}); {}"#,
            sleeper("inside", r#"network: "vault", dns: "127.0.0.9""#)
        ))
        .ok();
    assert_eq!(look_up(&shanty, "inside", "inside").len(), 1);
    let refused = shanty.json(r#"container("inside").exec(["nslookup", "example.org"], #{ check: false }).stdout"#);
    assert!(refused.as_str().unwrap().contains("SERVFAIL"), "{refused}");
    let code = r#"image("busybox:1").run("true", #{ network: "vault", ports: [80] })"#;
    let stderr = shanty.eval(code).output().stderr;
    assert!(stderr.contains("ports cannot be published: the network `vault` is internal"), "{stderr}");
}

#[test]
fn inspect_has_dockers_keys() {
    let (shanty, docker) = require!(with_busybox(), Docker::start());
    docker.ok(&["network", "create", "--subnet", "10.253.8.0/24", "--label", "a=b", "front"]);
    let theirs: Value = serde_json::from_str(&docker.ok(&["network", "inspect", "front"])).unwrap();
    docker.ok(&["network", "rm", "front"]);
    let ours = shanty.json(r#"create_network("front", #{ subnet: "10.253.8.0/24", label: "a=b" }).inspect()"#);
    for (key, value) in theirs[0].as_object().unwrap() {
        let own = ours.get(key).unwrap_or_else(|| panic!("no `{key}`"));
        if !matches!(key.as_str(), "Id" | "Created" | "IPAM" | "Options") {
            assert_eq!(own, value, "{key}");
        }
    }
    assert_eq!(ours["IPAM"]["Config"][0]["Subnet"], theirs[0]["IPAM"]["Config"][0]["Subnet"]);
}

fn ask(port: u16) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn without_nftables_ports_are_forwarded_by_a_process_and_names_are_found() {
    let shanty = require!(with_busybox());
    let code = r#"create_network("front");
        let web = image("busybox:1").run(["nc", "-ll", "-p", "80", "-e", "echo", "hello"],
            #{ name: "web", ports: [80], network: "front" });
        image("busybox:1").run(["sleep", "1000"], #{ name: "client", network: "front" });
        web.wait_for(#{ port: 80 });
        #{ port: web.port(80).host_port, how: web.inspect().NetworkSettings.PortForwarding }"#;
    let output = shanty.call(&["eval", "--json", code]).env("SHANTY_PACKET_FILTER", "none").ok();
    assert!(output.stderr.contains("this kernel has no nftables"), "{}", output.stderr);
    let value: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(value["how"], "proxy");
    assert_eq!(ask(u16::try_from(value["port"].as_u64().unwrap()).unwrap()), "hello\n");
    assert_eq!(look_up(&shanty, "client", "web").len(), 1);
    if program("nft").is_ok() {
        let id8 = shanty.id8().unwrap();
        let tables = std::process::Command::new("nft").args(["list", "tables"]).output().unwrap();
        assert!(!String::from_utf8_lossy(&tables.stdout).contains(&id8));
    }
}

#[test]
fn the_first_free_port_of_a_range_is_taken() {
    let shanty = require!(with_busybox());
    // A range that is free now: of ports that the kernel does not give out by itself.
    let first = 20_000 + std::process::id() % 5_000;
    let last = first + 2;
    let one = |name: &str| sleeper(name, &format!(r#"ports: ["127.0.0.1:{first}-{last}:80"]"#));
    let code = format!(
        "{} {} [container(\"c1\").port(80).host_port, container(\"c2\").port(80).host_port]",
        one("c1"),
        one("c2")
    );
    let given = shanty.json(&code);
    let (one_port, other) = (given[0].as_u64().unwrap(), given[1].as_u64().unwrap());
    assert!(one_port < other && (u64::from(first)..=u64::from(last)).contains(&other), "{given}");
    let rest: String = (3..6).map(|number| one(&format!("c{number}"))).collect();
    let stderr = shanty.eval(&rest).output().stderr;
    assert!(stderr.contains("all of them are taken"), "{stderr}");
}

#[test]
fn a_user_namespace_and_another_containers_network_know_the_names_too() {
    let shanty = require!(with_busybox());
    let code = format!(
        r#"create_network("front"); {} {} {}"#,
        sleeper("web", r#"network: "front""#),
        sleeper("apart", r#"network: "front", userns: "auto""#),
        sleeper("side", r#"network: "container:apart""#)
    );
    shanty.eval(&code).ok();
    let ip = address(&shanty, "web", "front");
    for client in ["apart", "side"] {
        assert_eq!(look_up(&shanty, client, "web"), std::slice::from_ref(&ip), "{client}");
    }
}

#[test]
fn a_name_server_in_the_container_can_have_port_53() {
    let shanty = require!(with_busybox());
    let code = r#"create_network("front");
        image("busybox:1").run(["nc", "-ll", "-p", "53", "-e", "echo", "mine"], #{ name: "dns", network: "front" });
        container("dns").wait_for(#{ port: 53 });
        container("dns").exec(["sh", "-c", "nc -w 5 127.0.0.1 53 < /dev/null"]).text"#;
    assert_eq!(shanty.json(code), "mine");
    assert_eq!(look_up(&shanty, "dns", "dns").len(), 1);
}
