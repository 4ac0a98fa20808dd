//! A registry inside the test, which misbehaves as it is told and remembers what it was asked.

use super::image::{Image, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use shanty::model::{Descriptor, Digest, Reference};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// What goes wrong with one answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status instead, with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// This status with this JSON as the body.
    Refusal(u16, &'static str),
    /// The connection breaks after so many bytes of the body.
    CutAfter(usize),
    /// The body ends properly, but after so many bytes.
    EndAfter(usize),
    /// After so many bytes nothing more comes.
    StallAfter(usize),
    /// Nothing comes at all, not even headers.
    Silence,
    /// One byte is another one: a digit, so that JSON stays JSON.
    WrongByte,
    /// The body is right, and then goes on without end.
    Endless,
    /// The whole body, whatever range was asked for.
    IgnoreRange,
    /// To this address.
    Redirect(String),
    /// The connection breaks after so many bytes of what was being sent here, which stay.
    BreakUploadAfter(usize),
    /// An upload that was begun is forgotten.
    ForgetUploads,
    /// No token given out so far is good any more.
    ExpireTokens,
}

/// What the registry wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// Nothing.
    None,
    /// `shanty:secret` with each request.
    Basic,
    /// A token, which anybody gets.
    AnonymousToken,
    /// A token, which `shanty:secret` gets.
    Token,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// With the query.
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

/// A registry on a loopback port; gone when dropped.
pub struct FaultyRegistry {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    address: SocketAddr,
    blobs: HashMap<String, Bytes>,
    /// By path; with their media type.
    manifests: HashMap<String, (String, Bytes)>,
    /// Pairs of a part of the path and what goes wrong, each used once.
    faults: Vec<(String, Fault)>,
    seen: Vec<Seen>,
    login: Login,
    /// Tokens given out so far; those up to `expired` are no longer good.
    tokens: usize,
    expired: usize,
    uploads: HashMap<String, Vec<u8>>,
    /// Bytes of the largest chunk that is taken, and of the smallest one that is not the last.
    chunks: (usize, usize),
    /// Bytes of endless bodies that were taken off our hands.
    sent: u64,
}

const ENDLESS_PIECE: usize = 64 << 10;

type Body = UnsyncBoxBody<Bytes, io::Error>;

impl FaultyRegistry {
    /// A registry that behaves well until told otherwise.
    pub fn start() -> Self {
        let (stop, stopped) = oneshot::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            address,
            blobs: HashMap::new(),
            manifests: HashMap::new(),
            faults: Vec::new(),
            seen: Vec::new(),
            login: Login::None,
            tokens: 0,
            expired: 0,
            uploads: HashMap::new(),
            chunks: (usize::MAX, 0),
            sent: 0,
        }));
        let served = state.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Host and port, as a reference starts: `127.0.0.1:41234`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The reference of an image here: `app:v1`.
    pub fn reference(&self, name: &str) -> Reference {
        format!("{}/{name}", self.address).parse().unwrap()
    }

    /// Puts an image here, as `repository:tag`.
    pub fn put(&self, name: &str, image: &Image) {
        for blob in image.blobs() {
            self.put_blob(blob);
        }
        self.put_manifest(name, image.media_type, &image.manifest);
    }

    /// Puts a manifest or index here, under its tag and its digest.
    pub fn put_manifest(&self, name: &str, media_type: &str, bytes: &[u8]) -> Digest {
        let (repository, tag) = name.split_once(':').unwrap();
        let digest = digest(bytes);
        for version in [tag, &digest.to_string()] {
            let path = format!("/v2/{repository}/manifests/{version}");
            self.state().manifests.insert(path, (media_type.to_owned(), Bytes::copy_from_slice(bytes)));
        }
        digest
    }

    /// Answers with this image's manifest where another digest is asked for.
    pub fn alias(&self, repository: &str, asked: &Digest, image: &Image) {
        let path = format!("/v2/{repository}/manifests/{asked}");
        let manifest = Bytes::copy_from_slice(&image.manifest);
        self.state().manifests.insert(path, (image.media_type.to_owned(), manifest));
    }

    /// Puts a blob here; it is in all repositories.
    pub fn put_blob(&self, bytes: &[u8]) -> Descriptor {
        let digest = digest(bytes);
        self.state().blobs.insert(digest.to_string(), Bytes::copy_from_slice(bytes));
        let media_type = "application/vnd.oci.image.layer.v1.tar".to_owned();
        Descriptor { media_type, digest, size: bytes.len() as u64 }
    }

    /// Lets the next `times` requests whose path contains this go wrong.
    pub fn fault(&self, path: &str, times: usize, fault: Fault) {
        let mut state = self.state();
        state.faults.extend(std::iter::repeat_n((path.to_owned(), fault), times));
    }

    /// Wants a login from now on.
    pub fn demand(&self, login: Login) {
        self.state().login = login;
    }

    /// No token given out so far is good any more.
    pub fn expire_tokens(&self) {
        let mut state = self.state();
        state.expired = state.tokens;
    }

    /// From now on chunks have at most and, but for the last one, at least so many bytes.
    pub fn limit_chunks(&self, most: usize, least: usize) {
        self.state().chunks = (most, least);
    }

    /// A blob that was put or uploaded here.
    pub fn blob(&self, digest: &Digest) -> Option<Bytes> {
        self.state().blobs.get(&digest.to_string()).cloned()
    }

    /// The requests so far whose path contains this.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        self.state().seen.iter().filter(|seen| seen.path.contains(path)).cloned().collect()
    }

    /// How many bytes of endless bodies were sent so far.
    pub fn sent(&self) -> u64 {
        self.state().sent
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for FaultyRegistry {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        let state = state.clone();
        let service = service_fn(move |request| answer(state.clone(), request));
        tokio::spawn(async move {
            // A connection that was cut on purpose ends with an error.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
        });
    }
}

async fn answer(state: Arc<Mutex<State>>, mut request: Request<Incoming>) -> io::Result<Response<Body>> {
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let path = request.uri().path_and_query().unwrap().to_string();
    let seen = Seen {
        method: request.method().to_string(),
        path: path.clone(),
        range: header(RANGE),
        authorization: header(AUTHORIZATION),
    };
    let media_type = header(CONTENT_TYPE).unwrap_or_default();
    let (refused, fault) = {
        let mut state = state.lock().unwrap();
        state.seen.push(seen.clone());
        let line = format!("{} {path}", seen.method);
        let fault = state.faults.iter().position(|(part, _)| line.contains(part.as_str()));
        let fault = fault.map(|found| state.faults.remove(found).1);
        match fault {
            Some(Fault::ExpireTokens) => state.expired = state.tokens,
            Some(Fault::ForgetUploads) => state.uploads.clear(),
            _ => {}
        }
        (state.refuse_upload(&seen), fault)
    };
    if let Some(refused) = refused {
        return Ok(refused.map(full));
    }
    let limit = if let Some(Fault::BreakUploadAfter(bytes)) = fault { bytes } else { usize::MAX };
    let mut body = Vec::new();
    while let Some(frame) = request.body_mut().frame().await {
        let Ok(Ok(data)) = frame.map(Frame::into_data) else { break };
        body.extend_from_slice(&data);
        if body.len() >= limit {
            body.truncate(limit);
            state.lock().unwrap().uploads.entry(path.clone()).or_default().extend(body);
            return Err(io::Error::other("cut"));
        }
    }
    let response = {
        let mut state = state.lock().unwrap();
        state
            .take(&seen, &body, &media_type)
            .unwrap_or_else(|| state.answer(&seen, matches!(fault, Some(Fault::IgnoreRange))))
    };
    Ok(match fault {
        None | Some(Fault::IgnoreRange | Fault::BreakUploadAfter(_) | Fault::ExpireTokens | Fault::ForgetUploads) => {
            response.map(full)
        }
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Status(status, headers)) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(full(Bytes::new())).unwrap()
        }
        Some(Fault::Refusal(status, body)) => {
            Response::builder().status(status).body(full(Bytes::from_static(body.as_bytes()))).unwrap()
        }
        Some(Fault::Redirect(to)) => Response::builder()
            .status(StatusCode::TEMPORARY_REDIRECT)
            .header(LOCATION, to)
            .body(full(Bytes::new()))
            .unwrap(),
        Some(Fault::WrongByte) => response.map(|body| {
            let mut body = body.to_vec();
            let last_digit = body.iter().rposition(u8::is_ascii_digit).unwrap();
            body[last_digit] ^= 1;
            full(body.into())
        }),
        Some(Fault::CutAfter(bytes)) => {
            with_end(response, bytes, true, || stream::once(async { Err(io::Error::other("cut")) }).boxed())
        }
        Some(Fault::StallAfter(bytes)) => with_end(response, bytes, true, || stream::pending().boxed()),
        Some(Fault::EndAfter(bytes)) => with_end(response, bytes, false, || stream::empty().boxed()),
        Some(Fault::Endless) => with_end(response, usize::MAX, false, || {
            let piece = move || {
                state.lock().unwrap().sent += ENDLESS_PIECE as u64;
                Ok(Bytes::from_static(&[0; ENDLESS_PIECE]))
            };
            stream::repeat_with(piece).boxed()
        }),
    })
}

/// The first bytes of the body, and then what `end` gives; `whole`: the header promises the whole body.
fn with_end(
    response: Response<Bytes>,
    bytes: usize,
    whole: bool,
    end: impl FnOnce() -> stream::BoxStream<'static, io::Result<Bytes>>,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if whole {
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    let start = body.slice(..bytes.min(body.len()));
    // Without a pause hyper may drop what it has buffered when the body fails.
    let pause = async {
        tokio::task::yield_now().await;
        Ok(Bytes::new())
    };
    let pieces = stream::once(async { Ok(start) }).chain(stream::once(pause)).chain(end());
    let body = StreamBody::new(pieces.map(|piece| piece.map(Frame::data)));
    Response::from_parts(parts, body.boxed_unsync())
}

fn full(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

impl State {
    fn answer(&mut self, seen: &Seen, ignore_range: bool) -> Response<Bytes> {
        let path = seen.path.split('?').next().unwrap();
        if path == "/token" {
            return self.give_token(seen);
        }
        if let Some(challenge) = self.challenge(seen) {
            return Response::builder()
                .status(StatusCode::UNAUTHORIZED)
                .header(WWW_AUTHENTICATE, challenge)
                .body(Bytes::new())
                .unwrap();
        }
        if path == "/v2/" {
            return Response::new(Bytes::from_static(b"{}"));
        }
        if let Some((media_type, bytes)) = self.manifests.get(path) {
            return Response::builder()
                .header(CONTENT_TYPE, media_type)
                .header("docker-content-digest", digest(bytes).to_string())
                .body(bytes.clone())
                .unwrap();
        }
        if let Some(repository) = path.strip_prefix("/v2/").and_then(|rest| rest.strip_suffix("/tags/list")) {
            return self.tags(repository);
        }
        let blob = path.rsplit('/').next().and_then(|digest| self.blobs.get(digest));
        blob.map_or_else(not_found, |blob| part(blob, seen.range.as_deref().filter(|_| !ignore_range)))
    }

    /// What is wrong with an upload before its bytes are taken.
    fn refuse_upload(&self, seen: &Seen) -> Option<Response<Bytes>> {
        if seen.method != "PATCH" && seen.method != "PUT" {
            return None;
        }
        // Its body is not wanted; asking again takes another connection.
        let response = Response::builder().status(401).header(WWW_AUTHENTICATE, self.challenge(seen)?);
        Some(response.header("connection", "close").body(Bytes::new()).unwrap())
    }

    /// The writing half of the protocol.
    fn take(&mut self, seen: &Seen, body: &[u8], media_type: &str) -> Option<Response<Bytes>> {
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        let parameter = |name: &str| url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
        let reply = |status: u16| Response::builder().status(status);
        if seen.method == "PUT" && path.contains("/manifests/") {
            self.manifests.insert(path.to_owned(), (media_type.to_owned(), Bytes::copy_from_slice(body)));
            return Some(reply(201).body(Bytes::new()).unwrap());
        }
        if !path.contains("/blobs/uploads/") || self.challenge(seen).is_some() {
            return None;
        }
        if seen.method == "POST" {
            if parameter("mount").is_some_and(|(_, digest)| self.blobs.contains_key(&*digest)) {
                return Some(reply(201).body(Bytes::new()).unwrap());
            }
            let location = format!("{path}{}", self.seen.len());
            self.uploads.insert(location.clone(), Vec::new());
            let reply = reply(202).header(LOCATION, location).header("oci-chunk-min-length", self.chunks.1);
            return Some(reply.body(Bytes::new()).unwrap());
        }
        if seen.method == "PATCH" && body.len() > self.chunks.0 {
            return Some(reply(413).body(Bytes::new()).unwrap());
        }
        let Some(upload) = self.uploads.get_mut(path) else { return Some(not_found()) };
        upload.extend_from_slice(body);
        let range = format!("0-{}", upload.len().saturating_sub(1));
        Some(match seen.method.as_str() {
            "PUT" => {
                let upload = Bytes::from(self.uploads.remove(path).unwrap());
                let digest = digest(&upload).to_string();
                if parameter("digest").is_none_or(|(_, said)| said != digest) {
                    return Some(
                        reply(400).body(Bytes::from_static(br#"{"errors":[{"code":"DIGEST_INVALID"}]}"#)).unwrap(),
                    );
                }
                self.blobs.insert(digest, upload);
                reply(201).body(Bytes::new()).unwrap()
            }
            "PATCH" => reply(202).header(LOCATION, path).header(RANGE, range).body(Bytes::new()).unwrap(),
            _ => reply(204).header(LOCATION, path).header(RANGE, range).body(Bytes::new()).unwrap(),
        })
    }

    fn tags(&self, repository: &str) -> Response<Bytes> {
        let prefix = format!("/v2/{repository}/manifests/");
        let mut tags: Vec<&str> = self.manifests.keys().filter_map(|path| path.strip_prefix(&prefix)).collect();
        tags.retain(|tag| !tag.contains(':'));
        tags.sort_unstable();
        if tags.is_empty() {
            return not_found();
        }
        Response::new(serde_json::json!({"name": repository, "tags": tags}).to_string().into())
    }

    fn challenge(&self, seen: &Seen) -> Option<String> {
        let given = seen.authorization.as_deref().unwrap_or_default();
        match self.login {
            Login::None => None,
            Login::Basic => (given != basic()).then(|| "Basic realm=\"test\"".to_owned()),
            Login::Token | Login::AnonymousToken => {
                let number = given.strip_prefix("Bearer token-").and_then(|number| number.parse::<usize>().ok());
                let good = number.is_some_and(|number| number > self.expired && number <= self.tokens);
                let realm = format!("Bearer realm=\"http://{}/token\",service=\"test\"", self.address);
                (!good).then_some(realm)
            }
        }
    }

    fn give_token(&mut self, seen: &Seen) -> Response<Bytes> {
        if self.login == Login::Token && seen.authorization.as_deref() != Some(&basic()) {
            return Response::builder().status(StatusCode::UNAUTHORIZED).body(Bytes::new()).unwrap();
        }
        self.tokens += 1;
        let token = format!("token-{}", self.tokens);
        Response::new(serde_json::json!({"token": token, "expires_in": 300}).to_string().into())
    }
}

fn basic() -> String {
    format!("Basic {}", STANDARD.encode("shanty:secret"))
}

fn not_found() -> Response<Bytes> {
    Response::builder().status(StatusCode::NOT_FOUND).body(Bytes::new()).unwrap()
}

/// A blob, or the part of it from `bytes=N-` on.
fn part(blob: &Bytes, range: Option<&str>) -> Response<Bytes> {
    let Some(range) = range else { return Response::new(blob.clone()) };
    let first: usize = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
    if first >= blob.len() {
        return Response::builder().status(StatusCode::RANGE_NOT_SATISFIABLE).body(Bytes::new()).unwrap();
    }
    Response::builder()
        .status(StatusCode::PARTIAL_CONTENT)
        .header(CONTENT_RANGE, format!("bytes {first}-{}/{}", blob.len() - 1, blob.len()))
        .body(blob.slice(first..))
        .unwrap()
}
