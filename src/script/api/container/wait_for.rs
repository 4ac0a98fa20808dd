//! `container.wait_for()`: waits until a container is ready, or has died.

use super::Container;
use super::http_probe::is_answered;
use crate::context::Context;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, ExitDetails, Result};
use crate::model::{ContainerInfo, ExecIo, ExecSpec, LogOptions, Protocol, Status, duration};
use crate::script::api::values::{CommandLine, ContainerPort};
use crate::script::binding::{Call, Options, api};
use rhai::Dynamic;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_INTERVAL: Duration = Duration::from_millis(50);
/// The second look comes after this time, and each further one after twice as long, up to the interval: what is ready
/// at once should not cost a whole interval.
const FIRST_INTERVAL: Duration = Duration::from_millis(1);
/// The end of the log that is shown when a container dies.
const LOG_TAIL: usize = 20;

/// Options of `wait_for`. With several conditions all must hold.
#[derive(Default, Options)]
pub struct WaitForOptions {
    /// A TCP port of the container: something listens on it inside, and where it is published it accepts connections.
    pub port: Option<ContainerPort>,
    /// A path (`"/health"`, with `port` or the one port that is published) or URL that answers with a code below 400.
    pub http: Option<String>,
    /// A text that a line of the log contains.
    pub log: Option<String>,
    /// `true`: its health check succeeds.
    pub healthy: bool,
    /// A command inside that ends with code 0.
    pub exec: Option<CommandLine>,
    /// It ends: with this code, or `true` for any.
    pub exit: Option<Dynamic>,
    /// Gives up after this time: 60 s.
    pub timeout: Option<Duration>,
    /// Between two looks, at the most: 50 ms.
    pub interval: Option<Duration>,
}

#[api]
impl Container {
    /// Waits until it is ready: `port`, `http`, `log`, `healthy`, `exec` or `exit`. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").wait_for(#{ port: 3000, timeout: "30s" });
    ///
    /// # Errors
    /// `exit` with the end of its log when it dies first, `timeout`, `conflict` when it was never started.
    pub fn wait_for(&self, call: &Call, options: WaitForOptions) -> Result<Container> {
        let timeout = options.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let interval = options.interval.unwrap_or(DEFAULT_INTERVAL);
        let conditions = conditions(options)?;
        let caller = call.context();
        let wait = Wait {
            engine: &*call.engine()?,
            cx: caller.with_timeout(Some(timeout)),
            container: self.reference(),
            interval,
        };
        for condition in &conditions {
            wait.until(condition).map_err(|error| match error.kind() {
                // The caller's own deadline or Ctrl-C is not ours to explain.
                ErrorKind::Timeout if caller.check().is_ok() => wait.late(condition, timeout),
                _ => error,
            })?;
        }
        Ok(Self::new(self.reference()))
    }
}

/// What is waited for.
#[derive(Debug, PartialEq)]
enum Condition {
    Port(u16),
    Http { address: String, port: Option<u16> },
    Log(String),
    Healthy,
    Exec(Vec<String>),
    Exit(Option<i32>),
}

/// As it reads after "did not".
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "listen on port {port}"),
            Self::Http { address, .. } => write!(f, "answer on `{address}`"),
            Self::Log(text) => write!(f, "log `{text}`"),
            Self::Healthy => f.write_str("become healthy"),
            Self::Exec(argv) => write!(f, "let `{}` succeed", argv.join(" ")),
            Self::Exit(_) => f.write_str("end"),
        }
    }
}

fn conditions(options: WaitForOptions) -> Result<Vec<Condition>> {
    if let Some(ContainerPort(port, Protocol::Udp)) = options.port {
        return Err(Error::invalid(format!("`port` waits for a TCP port, got `{port}/udp`"))
            .hint("wait for a line of its `log`, or for an `exec` that succeeds"));
    }
    let port = options.port.map(|ContainerPort(port, _)| port);
    let http = options.http.map(|address| Condition::Http { address, port });
    let exit = options.exit.map(exit_code).transpose()?;
    let exec = options.exec.map(|CommandLine(argv)| Condition::Exec(argv));
    let healthy = options.healthy.then_some(Condition::Healthy);
    let all =
        [port.map(Condition::Port), http, options.log.map(Condition::Log), healthy, exec, exit.map(Condition::Exit)];
    let all: Vec<Condition> = all.into_iter().flatten().collect();
    if all.is_empty() {
        return Err(Error::invalid("it is not said what to wait for")
            .hint("give one of `port`, `http`, `log`, `healthy`, `exec`, `exit`"));
    }
    Ok(all)
}

fn exit_code(value: Dynamic) -> Result<Option<i32>> {
    match (value.as_int(), value.as_bool()) {
        (Ok(code), _) if (0..=255).contains(&code) => Ok(Some(code as i32)),
        (_, Ok(true)) => Ok(None),
        _ => Err(Error::invalid("`exit` takes a code from 0 to 255, or `true` for any")),
    }
}

/// One waiting for one container.
struct Wait<'a> {
    engine: &'a dyn Engine,
    cx: Context,
    container: &'a str,
    interval: Duration,
}

impl Wait<'_> {
    fn until(&self, condition: &Condition) -> Result<()> {
        match condition {
            Condition::Exit(code) => self.ended(*code),
            Condition::Log(text) => self.logged(text),
            _ => self.polled(condition),
        }
    }

    fn polled(&self, condition: &Condition) -> Result<()> {
        let mut pause = FIRST_INTERVAL;
        loop {
            // Looked at before the condition: a container that died after it held is still a success.
            let info = self.look()?;
            if self.holds(condition, &info)? {
                return Ok(());
            }
            self.alive(&info, condition)?;
            self.cx.cancel.sleep(pause.min(self.interval))?;
            pause = (pause * 2).min(self.interval);
        }
    }

    /// Its state; one that has removed itself at its end died.
    fn look(&self) -> Result<ContainerInfo> {
        self.engine.container(&self.cx, self.container).map_err(|missing| {
            if !missing.is(ErrorKind::NotFound) {
                return missing;
            }
            let Ok(code) = self.engine.wait(&self.cx, self.container) else { return missing };
            let details = ExitDetails { code, ..ExitDetails::default() };
            self.with_log(Error::exit(format!("the container ended with code {code} and was removed"), details))
        })
    }

    fn holds(&self, condition: &Condition, info: &ContainerInfo) -> Result<bool> {
        if !info.status.is_alive() {
            return Ok(false);
        }
        let held = match condition {
            Condition::Port(port) => self.engine.port_open(&self.cx, self.container, *port),
            Condition::Http { address, port } => is_answered(&self.cx, &url(address, *port, info)?),
            Condition::Healthy if info.health.is_none() => {
                return Err(Error::invalid(format!("container `{}` has no health check", info.name))
                    .hint("give `run` a `healthcheck`, or wait for a `port`"));
            }
            Condition::Healthy => Ok(info.health.as_deref() == Some("healthy")),
            Condition::Exec(argv) => {
                let spec = ExecSpec { argv: argv.clone(), ..ExecSpec::default() };
                self.engine.exec(&self.cx, self.container, &spec, ExecIo::default()).map(|output| output.code == 0)
            }
            Condition::Log(_) | Condition::Exit(_) => Ok(false),
        };
        match held {
            // It ended between the two looks; the next one says so, with its log.
            Err(error) if error.is(ErrorKind::Conflict) && !self.still_alive()? => Ok(false),
            held => held,
        }
    }

    fn still_alive(&self) -> Result<bool> {
        Ok(self.look()?.status.is_alive())
    }

    /// The container can still become what is waited for.
    fn alive(&self, info: &ContainerInfo, condition: &Condition) -> Result<()> {
        match info.status {
            Status::Running | Status::Paused | Status::Restarting => Ok(()),
            Status::Created => Err(Error::conflict(format!("container `{}` was never started", info.name))
                .hint("start it first: `.start()`")),
            Status::Exited | Status::Removing | Status::Dead => {
                let code = info.exit_code.unwrap_or_default();
                let details = ExitDetails { code, oom_killed: info.oom_killed, ..ExitDetails::default() };
                let why = if info.oom_killed { ", killed for want of memory," } else { "" };
                let message = format!("container `{}` ended with code {code}{why} and did not {condition}", info.name);
                let error = Error::exit(message, details);
                let error = if info.oom_killed { error.hint("give it more `memory`") } else { error };
                Err(self.with_log(error))
            }
        }
    }

    fn logged(&self, text: &str) -> Result<()> {
        let condition = Condition::Log(text.to_owned());
        let mut found = false;
        loop {
            let info = self.look()?;
            // Following ends with the container; one that is started again goes on.
            let options = LogOptions { follow: info.status.is_alive(), ..LogOptions::default() };
            self.engine.logs(&self.cx, self.container, &options, &mut |line| {
                found = String::from_utf8_lossy(&line.text).contains(text);
                Ok(!found)
            })?;
            if found {
                return Ok(());
            }
            self.alive(&info, &condition)?;
            self.cx.cancel.sleep(self.interval)?;
        }
    }

    fn ended(&self, wanted: Option<i32>) -> Result<()> {
        // Not `look`: one that has removed itself has ended, which is what is waited for.
        if let Ok(info) = self.engine.container(&self.cx, self.container)
            && info.status == Status::Created
        {
            return self.alive(&info, &Condition::Exit(wanted));
        }
        let code = self.engine.wait(&self.cx, self.container)?;
        if wanted.is_none_or(|wanted| wanted == code) {
            return Ok(());
        }
        let details = ExitDetails { code, ..ExitDetails::default() };
        Err(self.with_log(Error::exit(format!("container `{}` ended with code {code}", self.name()), details)))
    }

    fn late(&self, condition: &Condition, timeout: Duration) -> Error {
        let message = format!("container `{}` did not {condition} within {}", self.name(), duration::format(timeout));
        self.with_log(Error::new(ErrorKind::Timeout, message).hint("look at its log, or give a longer `timeout`"))
    }

    fn name(&self) -> String {
        let info = self.engine.container(&Context::background(), self.container);
        info.map_or_else(|_| self.container.to_owned(), |info| info.name)
    }

    /// Adds the end of the log, if there is any; our own time may be up already.
    fn with_log(&self, error: Error) -> Error {
        let mut lines = Vec::new();
        let options = LogOptions { tail: Some(LOG_TAIL), ..LogOptions::default() };
        let read = self.engine.logs(&Context::background(), self.container, &options, &mut |line| {
            lines.push(String::from_utf8_lossy(&line.text).into_owned());
            Ok(true)
        });
        if read.is_ok() && !lines.is_empty() { error.log_tail(lines.join("\n")) } else { error }
    }
}

/// Where to ask: a URL as it is; a path on the port's published address, or else on the container's own.
fn url(address: &str, port: Option<u16>, info: &ContainerInfo) -> Result<String> {
    if address.contains("://") {
        return Ok(address.to_owned());
    }
    let path = if address.starts_with('/') { address.to_owned() } else { format!("/{address}") };
    let published = match port {
        Some(port) => info.ports.iter().find(|published| published.container_port == port),
        None => info.ports.first(),
    };
    let (ip, port) = match (published, port, info.ip) {
        (Some(published), ..) if published.host_ip.is_unspecified() => {
            (IpAddr::from([127, 0, 0, 1]), published.host_port)
        }
        (Some(published), ..) => (published.host_ip, published.host_port),
        (None, Some(port), Some(ip)) => (ip, port),
        (None, ..) => {
            return Err(Error::invalid(format!("container `{}` publishes no port for `{address}`", info.name))
                .hint("add the `port`, or give a whole URL"));
        }
    };
    Ok(match ip {
        IpAddr::V4(ip) => format!("http://{ip}:{port}{path}"),
        IpAddr::V6(ip) => format!("http://[{ip}]:{port}{path}"),
    })
}

#[cfg(test)]
mod tests {
    use super::url;
    use crate::error::ErrorKind;
    use crate::model::Status::{Created, Exited, Running};
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn it_looks_again_until_the_port_is_open() {
        let engine = RecordingEngine::in_states(&[(Running, None)]);
        engine.with(|recording| recording.closed = 4);
        engine.eval(r#"container("web").wait_for(#{ port: 80, interval: "1ms" })"#).unwrap();
        assert_eq!(engine.with(|recording| recording.calls.len()), 4);
    }

    #[test]
    fn a_container_that_dies_first_is_an_error_with_the_end_of_its_log() {
        for condition in ["port: 80", r#"log: "ready""#, r#"exec: "true""#] {
            let engine = RecordingEngine::in_states(&[(Running, None), (Running, None), (Exited, Some(3))]);
            engine.with(|recording| {
                recording.closed = 1000;
                recording.output.code = 1;
                recording.log = vec!["starting", "no config"];
            });
            let error = engine.eval(&format!(r#"container("web").wait_for(#{{ {condition}, interval: "1ms" }})"#));
            let error = error.expect_err(condition);
            assert!(
                error.is(ErrorKind::Exit) && error.message().contains("container `web` ended with code 3"),
                "{error:?}"
            );
            assert_eq!((error.exit_details().unwrap().code, error.log_tail_text()), (3, Some("starting\nno config")));
        }
    }

    #[test]
    fn time_that_is_up_says_what_did_not_happen() {
        let engine = RecordingEngine::in_states(&[(Running, None)]);
        engine.with(|recording| recording.closed = u32::MAX);
        let error = engine.eval(r#"container("web").wait_for(#{ port: 80, interval: "1ms", timeout: "20ms" })"#);
        let error = error.expect_err("the port stays closed");
        assert!(error.is(ErrorKind::Timeout), "{error:?}");
        assert!(error.message().ends_with("container `web` did not listen on port 80 within 20ms"), "{error:?}");
    }

    #[test]
    fn a_line_of_the_log_is_enough_even_when_the_container_has_ended() {
        let engine = RecordingEngine::in_states(&[(Exited, Some(0))]);
        engine.with(|recording| recording.log = vec!["booting", "server ready on 80"]);
        engine.eval(r#"container("web").wait_for(#{ log: "ready" })"#).unwrap();
    }

    #[test]
    fn an_exit_is_waited_for_with_a_code_or_any() {
        for (exit, succeeds) in [("true", true), ("3", true), ("0", false)] {
            let engine = RecordingEngine::in_states(&[(Running, None), (Running, None), (Exited, Some(3))]);
            let result = engine.eval(&format!(r#"container("web").wait_for(#{{ exit: {exit} }})"#));
            assert_eq!(result.is_ok(), succeeds, "{exit}: {result:?}");
        }
    }

    #[test]
    fn what_cannot_happen_is_refused() {
        for (options, kind) in [
            ("", ErrorKind::Invalid),
            ("healthy: true", ErrorKind::Invalid),
            ("exit: 256", ErrorKind::Invalid),
            ("port: \"80/udp\"", ErrorKind::Invalid),
            ("exit: false", ErrorKind::Invalid),
        ] {
            let error = RecordingEngine::default().eval(&format!(r#"container("web").wait_for(#{{ {options} }})"#));
            assert!(error.as_ref().is_err_and(|error| error.is(kind)), "{options}: {error:?}");
        }
        let error = RecordingEngine::in_states(&[(Created, None)]).eval(r#"container("web").wait_for(#{ port: 80 })"#);
        assert!(error.expect_err("never started").is(ErrorKind::Conflict));
    }

    #[test]
    fn a_path_is_asked_on_the_published_address() {
        let mut info = RecordingEngine::info_of(Running, None);
        for (address, port, expected) in [
            ("/health", Some(80), "http://127.0.0.1:8080/health"),
            ("health", None, "http://127.0.0.1:8080/health"),
            ("http://x/y", None, "http://x/y"),
        ] {
            assert_eq!(url(address, port, &info).unwrap(), expected);
        }
        assert!(url("/", Some(81), &info).is_err());
        info.ip = Some([10, 0, 0, 2].into());
        assert_eq!(url("/", Some(81), &info).unwrap(), "http://10.0.0.2:81/");
    }
}
