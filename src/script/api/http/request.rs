//! Requests: `http::get` and the others.

use super::response::{Answer, Response};
use crate::error::{Error, ErrorKind, Result};
use crate::script::binding::{Bytes, Call, Options, api, to_json};
use crate::sys::async_runtime::{block_on_to, handle};
use reqwest::{Client, Method, header};
use rhai::Dynamic;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

/// More than this of a body is refused: it is kept in memory.
const BODY_LIMIT: usize = 64 << 20;
/// Time for the whole request when nothing is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Options of requests.
#[derive(Default, Options)]
pub struct RequestOptions {
    /// Headers.
    pub headers: BTreeMap<String, String>,
    /// Text or blob to send.
    pub body: Option<Bytes>,
    /// Any value to send as JSON.
    pub json: Option<Dynamic>,
    /// Give up after this time; 30 s when nothing is said.
    pub timeout: Option<Duration>,
    /// `true`: a status from 400 on is an error.
    pub check: bool,
}

/// Asks for a URL.
///
/// # Example (engine)
/// assert_eq(http::get("http://127.0.0.1:8080/").status, 200);
///
/// # Errors
/// `network` when there is no answer, `timeout`; a status from 400 on only with `check: true`.
#[api(module = "http")]
pub fn get(call: &Call, url: String, options: RequestOptions) -> Result<Response> {
    send(call, &Method::GET, &url, options)
}

/// Sends a body to a URL: text or a blob as the second argument, or the options `body` or `json`.
///
/// # Example (engine)
/// http::post("http://127.0.0.1:8080/items", #{ json: #{ name: "x" } });
///
/// # Errors
/// Those of `http::get`.
#[api(module = "http")]
pub fn post(call: &Call, url: String, body: Option<Bytes>, options: RequestOptions) -> Result<Response> {
    let body = body.or(options.body);
    send(call, &Method::POST, &url, RequestOptions { body, ..options })
}

/// Puts a body at a URL; otherwise as `http::post`.
///
/// # Example (engine)
/// http::put("http://127.0.0.1:8080/items/1", "text");
///
/// # Errors
/// Those of `http::get`.
#[api(module = "http")]
pub fn put(call: &Call, url: String, body: Option<Bytes>, options: RequestOptions) -> Result<Response> {
    let body = body.or(options.body);
    send(call, &Method::PUT, &url, RequestOptions { body, ..options })
}

/// Deletes what is at a URL.
///
/// # Example (engine)
/// http::delete("http://127.0.0.1:8080/items/1");
///
/// # Errors
/// Those of `http::get`.
#[api(module = "http")]
pub fn delete(call: &Call, url: String, options: RequestOptions) -> Result<Response> {
    send(call, &Method::DELETE, &url, options)
}

/// Sends a request with any method.
///
/// # Example (engine)
/// http::request("PATCH", "http://127.0.0.1:8080/items/1", #{ json: #{ done: true } });
///
/// # Errors
/// Those of `http::get`.
#[api(module = "http")]
pub fn request(call: &Call, method: String, url: String, options: RequestOptions) -> Result<Response> {
    let method = Method::from_bytes(method.to_uppercase().as_bytes())
        .map_err(|_| Error::invalid(format!("`{method}` is not an HTTP method")))?;
    send(call, &method, &url, options)
}

fn send(call: &Call<'_>, method: &Method, url: &str, options: RequestOptions) -> Result<Response> {
    let target: url::Url = url.parse().map_err(|error| {
        Error::invalid(format!("`{url}` is not a URL: {error}")).hint("write it as `http://host:port/path`")
    })?;
    let to = address(&target);
    let mut request = client()?.request(method.clone(), target);
    for (name, value) in &options.headers {
        request = request.header(name, value);
    }
    if let Some(value) = &options.json {
        let text = to_json(value, call)?.to_string();
        request = request.header(header::CONTENT_TYPE, "application/json").body(text);
    } else if let Some(Bytes(body)) = options.body {
        request = request.body(body);
    }
    let cx = call.context().with_timeout(Some(options.timeout.unwrap_or(TIMEOUT)));
    let failed = |error: &reqwest::Error| failure(method, url, error);
    let answer = block_on_to(to, &cx.cancel, || async {
        let mut response = request.send().await.map_err(|error| failed(&error))?;
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
        let (status, headers) = (response.status().as_u16(), headers.collect());
        let url = response.url().to_string();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(Error::invalid(format!("the answer of `{url}` is larger than 64 MiB"))
                    .hint("fetch it with a program: `host(\"curl -o FILE URL\")`"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, url, headers, body })
    });
    let answer = answer
        .map_err(|error| if error.is(ErrorKind::Timeout) { error.context(format!("{method} {url}")) } else { error })?;
    if options.check && answer.status >= 400 {
        return Err(Error::new(ErrorKind::Network, format!("{method} {url}: the answer is {}", answer.status)));
    }
    Ok(Response(std::sync::Arc::new(answer)))
}

/// The address that a URL names, when that is no name.
pub fn address(url: &url::Url) -> Option<IpAddr> {
    match url.host()? {
        url::Host::Ipv4(ip) => Some(ip.into()),
        url::Host::Ipv6(ip) => Some(ip.into()),
        url::Host::Domain(_) => None,
    }
}

pub(super) fn failure(method: &Method, url: &str, error: &reqwest::Error) -> Error {
    // The innermost cause says most: "connection refused".
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let why = cause.to_string();
    let why = why.split(" (os error").next().unwrap_or(&why).to_lowercase();
    let kind = if error.is_builder() { ErrorKind::Invalid } else { ErrorKind::Network };
    Error::new(kind, format!("{method} {url}: {why}"))
}

/// The client of all requests: one pool of connections.
pub fn client() -> Result<&'static Client> {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    // The runtime also brings the cryptography that the client wants, even for plain HTTP.
    handle()?;
    let client = Client::builder().user_agent(concat!("shanty/", env!("CARGO_PKG_VERSION"))).build();
    let client = client.map_err(|error| Error::unsupported(format!("cannot start an HTTP client: {error}")))?;
    Ok(CLIENT.get_or_init(|| client))
}
