//! One HTTP exchange: connections, redirects, stalls. Nothing here knows of registries.

use super::body::Body;
use super::certs::Certs;
use super::endpoint::{authority, is_loopback};
use super::failure::Failure;
use super::options::Options;
use crate::error::{Error, ErrorKind, Result};
use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, Response, StatusCode};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// As many as Go's client follows.
const MAX_REDIRECTS: usize = 10;
/// Pages of redirects and refusals; longer ones cost the connection.
const MAX_DISCARDED: usize = 64 << 10;
/// What a stream may send ahead of its reader, as Go's client has it.
const STREAM_WINDOW: u32 = 4 << 20;
/// The connection must not be the limit: layers that are read later would hold up those read now.
const CONNECTION_WINDOW: u32 = 1 << 30;
/// A dead connection is found before it looks like a stalled registry, so that the next try makes a new one.
const PING: Duration = Duration::from_secs(10);

/// After the last byte of an upload, so many stall timeouts may pass until the answer.
const PATIENCE: u32 = 9;

/// What to send.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    /// Sent to the origin of `url` only: never to where it redirects.
    pub(super) authorization: Option<HeaderValue>,
    pub(super) accept: Option<&'static str>,
    /// First byte wanted; 0: all.
    pub(super) from: u64,
    /// What goes along.
    pub(super) body: Body,
    /// Without a look at the certificate of the host of `url`.
    pub(super) unverified: bool,
}

impl Request {
    pub(super) fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            authorization: None,
            accept: None,
            from: 0,
            body: Body::Empty,
            unverified: false,
        }
    }
}

/// The connections of a client.
pub(super) struct Http {
    connect_timeout: Duration,
    stall_timeout: Duration,
    clients: Mutex<HashMap<ClientKind, reqwest::Client>>,
    /// Hosts that have answered: when they refuse a connection later, it may pass.
    answered: Mutex<HashSet<String>>,
    /// Hosts with TLS, and whether they have certificates of their own.
    certs: Mutex<HashMap<String, bool>>,
}

/// Clients differ in what has to be loaded before their first request.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ClientKind {
    tls: bool,
    /// Without the proxies of the environment.
    direct: bool,
    /// Any certificate will do.
    unverified: bool,
    /// A host with certificates of its own.
    own: Option<String>,
}

impl Http {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            connect_timeout: options.connect_timeout,
            stall_timeout: options.stall_timeout,
            clients: Mutex::default(),
            answered: Mutex::default(),
            certs: Mutex::default(),
        }
    }

    /// Sends a request and follows redirects. Any status that is no redirect is an answer.
    pub(super) async fn exchange(&self, request: &Request) -> Result<Response, Failure> {
        let mut url = request.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut response = self.send(request, &url).await?;
            if !is_redirect(response.status()) || !request.body.may_follow(response.status()) {
                return Ok(response);
            }
            let next = redirect_target(&url, &response)?;
            self.discard(&mut response).await;
            tracing::debug!(from = %authority(&url), to = %authority(&next), "redirected");
            url = next;
        }
        Err(Failure::Final(Error::new(
            ErrorKind::Network,
            format!("`{}` redirects in a loop (more than {MAX_REDIRECTS} times)", authority(&request.url)),
        )))
    }

    async fn send(&self, request: &Request, url: &Url) -> Result<Response, Failure> {
        let host = authority(url);
        let tls = url.scheme() == "https";
        let unverified = tls && request.unverified && url.origin() == request.url.origin();
        let own = if tls { self.certs(&host)?.then(|| host.clone()) } else { None };
        let client = self.client(ClientKind { tls, direct: is_loopback(url), unverified, own })?;
        // Compressed transfer would change the bytes whose digest we know.
        let mut sending = client.request(request.method.clone(), url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(accept) = request.accept {
            sending = sending.header(ACCEPT, accept);
        }
        if request.from > 0 {
            sending = sending.header(RANGE, format!("bytes={}-", request.from));
        }
        sending = request.body.put_on(sending);
        if let Some(authorization) = &request.authorization
            && url.origin() == request.url.origin()
        {
            sending = sending.header(AUTHORIZATION, authorization.clone());
        }
        match self.until_unsent(&request.body, sending.send()).await {
            Some(Ok(response)) => {
                self.answered().insert(host);
                Ok(response)
            }
            Some(Err(error)) => Err(self.failure(&host, error)),
            None => Err(Failure::stalled(&host, self.stall_timeout)),
        }
    }

    /// `None` when it took longer than the stall timeout.
    async fn until_stalled<T>(&self, waiting: impl Future<Output = T>) -> Option<T> {
        timeout(self.stall_timeout, waiting).await.ok()
    }

    /// The same for a request whose body takes a while: each piece that goes out is a sign of life.
    async fn until_unsent<T>(&self, body: &Body, waiting: impl Future<Output = T>) -> Option<T> {
        let mut waiting = std::pin::pin!(waiting);
        let (mut before, mut patience) = (body.sent(), if body.is_large() { PATIENCE } else { 0 });
        loop {
            if let Some(done) = self.until_stalled(&mut waiting).await {
                return Some(done);
            }
            let now = body.sent();
            if now == before {
                // All of it is there, and the registry is busy with keeping it.
                if patience == 0 || !body.is_sent() {
                    return None;
                }
                patience -= 1;
            }
            before = now;
        }
    }

    /// The next piece of a body; `None` at its end.
    pub(super) async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, Failure> {
        match self.until_stalled(response.chunk()).await {
            Some(Ok(chunk)) => Ok(chunk),
            Some(Err(error)) => Err(self.failure(&authority(response.url()), error)),
            None => Err(Failure::stalled(&authority(response.url()), self.stall_timeout)),
        }
    }

    /// A whole body. Fails with `corrupt` when it is longer than `limit` bytes.
    pub(super) async fn body(&self, response: &mut Response, limit: usize, what: &str) -> Result<Bytes, Failure> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk(response).await? {
            if body.len() + chunk.len() > limit {
                let host = authority(response.url());
                return Err(Error::corrupt(format!("`{host}` sent more than {limit} bytes as {what}")).into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// Reads what nobody wants to know, so that the connection can be used again.
    pub(super) async fn discard(&self, response: &mut Response) {
        // The connection may break, or be given up for a longer body: the next request makes another.
        let _ = self.body(response, MAX_DISCARDED, "a refusal").await;
    }

    /// Whether a folder has certificates for the host.
    fn certs(&self, host: &str) -> Result<bool> {
        if let Some(known) = self.certs.lock().unwrap_or_else(PoisonError::into_inner).get(host) {
            return Ok(*known);
        }
        let found = Certs::of(host)?.is_some();
        self.certs.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), found);
        Ok(found)
    }

    fn client(&self, kind: ClientKind) -> Result<reqwest::Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&kind) {
            return Ok(client.clone());
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("shanty/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.connect_timeout)
            .tcp_keepalive(PING)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PING);
        if !kind.tls {
            // The machine's certificates take milliseconds to load, and a machine may have none.
            builder = builder.tls_certs_only([]);
        }
        if kind.direct {
            builder = builder.no_proxy();
        }
        if kind.unverified {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if let Some(certs) = kind.own.as_deref().map_or(Ok(None), Certs::of)? {
            if !certs.authorities.is_empty() {
                builder = builder.tls_certs_merge(certs.authorities);
            }
            if let Some(identity) = certs.identity {
                builder = builder.identity(identity);
            }
        }
        let client = builder.build().map_err(|error| {
            Error::new(ErrorKind::Network, format!("cannot set up TLS: {}", innermost(&error)))
                .hint("install `ca-certificates`, or name a file of certificates in `SSL_CERT_FILE`")
        })?;
        clients.insert(kind, client.clone());
        Ok(client)
    }

    fn answered(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text never holds the URL: its query may carry a signature.
    fn failure(&self, host: &str, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let why = innermost(&error);
        let text = if error.is_connect() && error.is_timeout() {
            format!("cannot connect to `{host}`: nothing answered within {:?}", self.connect_timeout)
        } else if error.is_connect() {
            format!("cannot connect to `{host}`: {why}")
        } else {
            format!("the connection to `{host}` broke: {why}")
        };
        let known = self.answered().contains(host);
        // rustls-webpki's words for a certificate with `CA:TRUE`, which `openssl req -x509` makes and Docker accepts.
        if why.contains("CaUsedAsEndEntity") {
            let text =
                format!("cannot connect to `{host}`: its certificate is one of an authority, which no server may have");
            return Failure::Final(Error::new(ErrorKind::Network, text).hint(
                "make another one: with `openssl req -x509 …` add `-addext basicConstraints=critical,CA:FALSE`",
            ));
        }
        let told = Error::new(ErrorKind::Network, text);
        if why.contains("received fatal alert") && why.to_lowercase().contains("certificate") {
            let hint =
                format!("put a certificate and its key into `/etc/docker/certs.d/{host}/client.cert` and `client.key`");
            return Failure::Final(told.hint(hint));
        }
        if !error.is_connect() {
            return Failure::passing(told);
        }
        let told = told.hint(if why.contains("certificate") {
            "if it is your own registry, put the certificate of its authority into `/etc/docker/certs.d/HOST:PORT/ca.crt`, or name it in `SSL_CERT_FILE`"
        } else {
            "check the registry's name and port, and the network"
        });
        // A name that does not resolve, a port nobody listens on: most likely mistyped.
        if known { Failure::passing(told) } else { Failure::Final(told) }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn redirect_target(from: &Url, response: &Response) -> Result<Url> {
    let host = authority(from);
    let bad = |why: &str| Error::new(ErrorKind::Network, format!("`{host}` redirects {why}"));
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let next = location.and_then(|location| from.join(location).ok()).ok_or_else(|| bad("to nowhere"))?;
    match (from.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => Ok(next),
        ("https", "http") => Err(bad(&format!("to `{}` without TLS", authority(&next)))),
        (_, scheme) => Err(bad(&format!("to `{scheme}:`"))),
    }
}

/// The innermost cause: the outer ones only say that sending a request failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}
