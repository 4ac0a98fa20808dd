//! What a container is now: read when it is asked for.

use super::Container;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ContainerNetwork, PublishedPort};
use crate::script::api::{shown, values::ContainerPort};
use crate::script::binding::{Call, api};
use rhai::{Array, Dynamic, Map};
use std::collections::BTreeMap;

#[api]
impl Container {
    /// Name, unique in its root.
    #[get(column)]
    pub fn name(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.name.clone())
    }

    /// Id: 64 hexadecimal digits.
    #[get(column, shown = shown::id)]
    pub fn id(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.id.clone())
    }

    /// The image it was made from, as it was named.
    #[get(column)]
    pub fn image(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.image.clone())
    }

    /// `created`, `running`, `paused`, `restarting`, `exited`, `removing` or `dead`.
    #[get(column)]
    pub fn status(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.status.name().to_owned())
    }

    /// `starting`, `healthy` or `unhealthy`; `()` without a health check.
    #[get(column)]
    pub fn health(&self, call: &Call) -> Result<Option<String>> {
        Ok(self.info(call)?.health.clone())
    }

    /// Exit code as a shell gives it (128 + signal, 126, 127); `()` while it runs. That of a container which was
    /// removed at its end stays known for an hour.
    #[get(column)]
    pub fn exit_code(&self, call: &Call) -> Result<Option<i32>> {
        match self.info(call) {
            Err(error) if error.is(ErrorKind::NotFound) => {
                call.engine()?.wait(&call.context(), self.reference()).map(Some).map_err(|_| error)
            }
            info => Ok(info?.exit_code),
        }
    }

    /// Ports published on the host: maps with `host_ip`, `host_port`, `container_port`, `protocol`.
    #[get(column, shown = shown::ports)]
    pub fn ports(&self, call: &Call) -> Result<Vec<Map>> {
        Ok(self.info(call)?.ports.iter().map(port_map).collect())
    }

    /// When it was made.
    #[get(column)]
    pub fn created(&self, call: &Call) -> Result<jiff::Timestamp> {
        Ok(self.info(call)?.created)
    }

    /// When it was started last; `()` when it never was.
    #[get]
    pub fn started(&self, call: &Call) -> Result<Option<jiff::Timestamp>> {
        Ok(self.info(call)?.started)
    }

    /// When it ended last; `()` when it never did.
    #[get]
    pub fn finished(&self, call: &Call) -> Result<Option<jiff::Timestamp>> {
        Ok(self.info(call)?.finished)
    }

    /// Process id of its first process on the host; `()` when it does not run.
    #[get]
    pub fn pid(&self, call: &Call) -> Result<Option<i32>> {
        Ok(self.info(call)?.pid)
    }

    /// Address in its first network; `()` without one.
    #[get]
    pub fn ip(&self, call: &Call) -> Result<Option<String>> {
        Ok(self.info(call)?.ip.map(|ip| ip.to_string()))
    }

    /// Its networks by name, each a map with `ip`, `ip6` and `aliases`; without addresses while it does not run.
    ///
    /// # Example (engine)
    /// for name in container("web").networks.keys() { print(name) }
    #[get]
    pub fn networks(&self, call: &Call) -> Result<Map> {
        let text = |ip: Option<std::net::IpAddr>| ip.map_or(Dynamic::UNIT, |ip| ip.to_string().into());
        let one = |network: &ContainerNetwork| {
            let aliases: Array = network.aliases.iter().map(|alias| alias.clone().into()).collect();
            let map = Map::from([
                ("ip".into(), text(network.ip)),
                ("ip6".into(), text(network.ip6)),
                ("aliases".into(), aliases.into()),
            ]);
            (network.name.as_str().into(), map.into())
        };
        Ok(self.info(call)?.networks.iter().map(one).collect())
    }

    /// The command line: entrypoint and arguments.
    #[get]
    pub fn command(&self, call: &Call) -> Result<Vec<String>> {
        Ok(self.info(call)?.command.clone())
    }

    /// The image's labels and its own.
    #[get]
    pub fn labels(&self, call: &Call) -> Result<BTreeMap<String, String>> {
        Ok(self.info(call)?.labels.clone())
    }

    /// Whether it was killed because memory ran out.
    #[get]
    pub fn oom_killed(&self, call: &Call) -> Result<bool> {
        Ok(self.info(call)?.oom_killed)
    }

    /// How often its restart policy started it again.
    #[get]
    pub fn restarts(&self, call: &Call) -> Result<u32> {
        Ok(self.info(call)?.restarts)
    }

    /// Whether there is such a container; `exists()` is the same.
    ///
    /// # Example (engine)
    /// if !container("web").exists { print("gone") }
    #[get(callable)]
    pub fn exists(&self, call: &Call) -> Result<bool> {
        match self.info(call) {
            Ok(_) => Ok(true),
            Err(error) if error.is(ErrorKind::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where a port of the container is published: `80`, `"53/udp"`. A map with `host_ip`, `host_port`,
    /// `container_port`, `protocol`.
    ///
    /// # Example (engine)
    /// print("http://127.0.0.1:" + container("web").port(80).host_port);
    ///
    /// # Errors
    /// `not_found` when the port is not published.
    pub fn port(&self, call: &Call, port: ContainerPort) -> Result<Map> {
        let info = self.info(call)?;
        let ContainerPort(number, protocol) = port;
        let wanted = |published: &&PublishedPort| published.container_port == number && published.protocol == protocol;
        info.ports.iter().find(wanted).map(port_map).ok_or_else(|| {
            Error::not_found(format!("port {number}/{protocol} of container `{}` is not published", info.name))
                .hint(format!("publish it when the container is made: `ports: [\"8080:{number}/{protocol}\"]`"))
        })
    }
}

/// Where a port is published, as scripts see it.
fn port_map(port: &PublishedPort) -> Map {
    Map::from([
        ("host_ip".into(), port.host_ip.to_string().into()),
        ("host_port".into(), i64::from(port.host_port).into()),
        ("container_port".into(), i64::from(port.container_port).into()),
        ("protocol".into(), port.protocol.to_string().into()),
    ])
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn a_handle_prints_as_a_record_and_an_array_of_them_as_a_table() {
        let printed = RecordingEngine::default().eval(r#"print(container("web")); print(containers());"#).unwrap();
        let lines: Vec<&str> = printed.lines().collect();
        assert!(
            lines[0].starts_with("Container(name: web, id: c0ffeec0ffee, image: node:18, status: running"),
            "{printed}"
        );
        assert!(lines[1].starts_with(" NAME") || lines[1].starts_with("NAME"), "{printed}");
        assert!(lines[2].contains("0.0.0.0:8080->80/tcp"), "{printed}");
    }

    #[test]
    fn a_handle_to_what_is_gone_throws_not_found() {
        let engine = RecordingEngine::default();
        let printed = engine.eval(
            r#"print(container("missing").exists || container("missing").exists()); try { container("missing").status } catch (e) { print(e.kind) }"#,
        );
        assert_eq!(printed.unwrap(), "false\nnot_found");
    }

    #[test]
    fn a_port_is_found_by_number_and_protocol() {
        let engine = RecordingEngine::default();
        assert_eq!(engine.eval(r#"print(container("web").port(80).host_port)"#).unwrap(), "8080");
        assert_eq!(engine.eval(r#"print(container("web").ports[0].host_ip)"#).unwrap(), "0.0.0.0");
        let error = engine.eval(r#"container("web").port("80/udp")"#).expect_err("only TCP is published");
        assert!(error.is(ErrorKind::NotFound));
    }
}
