//! `http::serve`: a small server whose answers a closure gives.

use crate::error::{Error, ErrorKind, Result};
use crate::script::binding::{Bytes, Call, Callback, FromScript, IntoScript, Options, api, must_end, to_json};
use crate::sys::async_runtime::{block_on, handle};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use rhai::{Dynamic, Map};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// More than this of a request's body is refused: it is kept in memory.
const BODY_LIMIT: usize = 64 << 20;

/// Options of `http::serve`.
#[derive(Default, Options)]
pub struct ServeOptions {
    /// Address to listen on; all of this machine's IPv4 addresses when nothing is said.
    pub address: Option<String>,
}

/// Serves HTTP on a port until the script is cancelled; a closure answers one request after the other.
///
/// The request is a map of `method`, `path`, `query`, `headers`, `text` and `bytes`. The answer is text, a blob, a map
/// `#{ status, headers, body }` whose body may be any value (then it is sent as JSON), or `()`.
///
/// # Example (engine)
/// http::serve(8080, |request| `you asked for ${request.path}`);
///
/// # Errors
/// `conflict` when the port is taken. What the closure throws is a warning, and the answer 500.
#[api(module = "http")]
pub fn serve(call: &Call, port: u16, options: ServeOptions, answer: Callback) -> Result<()> {
    let cx = call.context();
    let address: IpAddr = match &options.address {
        Some(address) => address.parse().map_err(|_| Error::invalid(format!("`{address}` is not an address")))?,
        None => IpAddr::from([0, 0, 0, 0]),
    };
    let listener = block_on(&cx.cancel, async { Ok(TcpListener::bind((address, port)).await) })?;
    let listener = listener.map_err(|error| listen_error(port, &error))?;
    let (sender, mut requests) = mpsc::channel(64);
    let accepting = handle()?.spawn(accept(listener, sender));
    let served = loop {
        match block_on(&cx.cancel, async { Ok(requests.recv().await) }) {
            Ok(Some(pending)) => {
                if let Err(error) = respond(call, &answer, pending) {
                    break Err(error);
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    accepting.abort();
    served
}

/// A request that waits for its answer.
struct Pending {
    head: hyper::http::request::Parts,
    body: Vec<u8>,
    reply: oneshot::Sender<Reply>,
}

type Reply = Response<Full<bytes::Bytes>>;

fn listen_error(port: u16, error: &std::io::Error) -> Error {
    let why = crate::error::errno_text(error);
    match error.kind() {
        std::io::ErrorKind::AddrInUse => Error::conflict(format!("cannot listen on port {port}: it is taken"))
            .hint("stop the program that has it, or choose another port"),
        std::io::ErrorKind::PermissionDenied => {
            Error::new(ErrorKind::Denied, format!("cannot listen on port {port}: {why}"))
                .hint("ports below 1024 need root")
        }
        _ => Error::new(ErrorKind::Io, format!("cannot listen on port {port}: {why}")),
    }
}

async fn accept(listener: TcpListener, requests: mpsc::Sender<Pending>) {
    // Dropping the set ends the connections with the server.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, mostly: others will be closed.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let requests = requests.clone();
        connections.spawn(async move {
            let service = service_fn(|request| ask(request, requests.clone()));
            // What goes wrong with a connection is its client's to see.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Hands a request to the script's thread and waits for the answer.
async fn ask(request: Request<Incoming>, requests: mpsc::Sender<Pending>) -> Result<Reply, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "the body cannot be read, or is larger than 64 MiB\n"));
    };
    let (reply, answer) = oneshot::channel();
    let pending = Pending { head, body: body.to_bytes().to_vec(), reply };
    if requests.send(pending).await.is_ok()
        && let Ok(answer) = answer.await
    {
        return Ok(answer);
    }
    Ok(plain(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping\n"))
}

/// Asks the closure. Only what ends the script ends the server.
fn respond(call: &Call<'_>, answer: &Callback, pending: Pending) -> Result<()> {
    let given = request_map(&pending).and_then(|request| answer.call(call, vec![request.into()]));
    let reply = match given.and_then(|value| reply(call, &value)) {
        Ok(reply) => reply,
        Err(error) if must_end(&error) || call.context().cancel.reason().is_some() => return Err(error),
        Err(error) => {
            call.session().warn(&format!("{} {}: {}", pending.head.method, pending.head.uri.path(), error.message()));
            plain(StatusCode::INTERNAL_SERVER_ERROR, "the script failed\n")
        }
    };
    // The client may have gone away.
    let _ = pending.reply.send(reply);
    Ok(())
}

fn request_map(pending: &Pending) -> Result<Map> {
    let Pending { head, body, .. } = pending;
    let headers = head.headers.iter();
    let headers: BTreeMap<String, String> =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into())).collect();
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    Ok(Map::from([
        ("method".into(), head.method.as_str().into()),
        ("path".into(), head.uri.path().into()),
        ("query".into(), query.into_script()?),
        ("headers".into(), headers.into_script()?),
        ("text".into(), String::from_utf8_lossy(body).into_owned().into()),
        ("bytes".into(), Bytes(body.clone()).into_script()?),
    ]))
}

/// What a closure may give in place of text.
#[derive(Default, Options)]
struct AnswerOptions {
    /// Status code; 200 when nothing is said.
    status: Option<u16>,
    /// Headers.
    headers: BTreeMap<String, String>,
    /// Text, a blob, or any value for JSON.
    body: Option<Dynamic>,
}

fn reply(call: &Call<'_>, value: &Dynamic) -> Result<Reply> {
    let answer = if value.is_map() {
        AnswerOptions::from_script(value.clone()).map_err(|refusal| refusal.into_error("http::serve", "the answer"))?
    } else {
        AnswerOptions { body: Some(value.clone()).filter(|value| !value.is_unit()), ..AnswerOptions::default() }
    };
    let (body, content_type) = match answer.body {
        None => (Vec::new(), None),
        Some(body) if Bytes::accepts(&body) => {
            let is_text = body.is_string();
            let Bytes(bytes) =
                Bytes::from_script(body).map_err(|refusal| refusal.into_error("http::serve", "the body"))?;
            (bytes, Some(if is_text { "text/plain; charset=utf-8" } else { "application/octet-stream" }))
        }
        Some(body) => (to_json(&body, call)?.to_string().into_bytes(), Some("application/json")),
    };
    let mut response = Response::builder().status(answer.status.unwrap_or(200));
    if let Some(content_type) = content_type
        && !answer.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"))
    {
        response = response.header(header::CONTENT_TYPE, content_type);
    }
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let response = response.body(Full::new(body.into()));
    response.map_err(|error| Error::invalid(format!("it is no HTTP answer: {error}")))
}

fn plain(status: StatusCode, text: &'static str) -> Reply {
    let mut response = Response::new(Full::new(bytes::Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}
