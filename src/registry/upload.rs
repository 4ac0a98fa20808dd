//! A blob goes to a registry: skipped when it is there, mounted from a neighbour, else sent from its file, and taken up
//! again where a connection broke.

use super::backoff::Backoff;
use super::body::{Body, FilePart, Sent};
use super::failure::Failure;
use super::subject::{Access, Subject};
use super::transport::{Ask, Transport};
use crate::context::{Context, ProgressItem};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Descriptor, Reference};
use reqwest::header::{HeaderMap, LOCATION, RANGE};
use reqwest::{Method, Response, StatusCode};
use std::fs::File;
use std::sync::Arc;
use url::Url;

/// Up to here a blob goes in one request, without a way to take it up again.
const SMALL: u64 = 1 << 20;
/// For registries that refuse more at once.
const SMALL_CHUNK: u64 = 4 << 20;
/// So many neighbours are asked for the blob before it is sent.
const MAX_MOUNTS: usize = 2;
/// An upload that came so much further was a good one: the tries start anew.
const PROGRESS: u64 = 1 << 20;
/// The least that a registry takes as a chunk that is not the last (distribution specification).
const MIN_CHUNK: &str = "oci-chunk-min-length";

/// A blob to be sent.
#[derive(Clone, Debug)]
pub struct Upload {
    /// What it is.
    pub blob: Descriptor,
    /// Its bytes.
    pub file: Arc<File>,
    /// Repositories of the same registry that may have it: `team/base`.
    pub from: Vec<String>,
}

/// Whether it had to be sent.
pub(super) async fn run(transport: &Transport, cx: &Context, reference: &Reference, upload: &Upload) -> Result<bool> {
    let subject = transport.options.configuration.origin(reference)?;
    let blob = &upload.blob;
    let item: Arc<dyn ProgressItem> = cx.progress.start(blob.digest.short(), Some(blob.size)).into();
    let shown = item.clone();
    let mut run = Run {
        transport,
        subject: subject.to(Access::Push),
        what: format!("blob `{}` of `{}`", blob.digest.short(), subject.repository),
        upload,
        sent: Arc::new(Sent::new(move |bytes| shown.advance(bytes))),
        session: None,
        largest: u64::MAX,
        whole: false,
    };
    run.run(&*item).await
}

struct Run<'a> {
    transport: &'a Transport,
    subject: Subject,
    what: String,
    upload: &'a Upload,
    sent: Arc<Sent>,
    session: Option<Session>,
    /// Bytes that the registry takes at once.
    largest: u64,
    /// It knows no chunks.
    whole: bool,
}

/// An upload that the registry has begun.
struct Session {
    location: Url,
    /// Bytes that the registry has.
    offset: u64,
    /// A request broke: nobody knows what arrived.
    unsure: bool,
    min_chunk: u64,
}

impl Run<'_> {
    async fn run(&mut self, item: &dyn ProgressItem) -> Result<bool> {
        if self.is_there().await? {
            item.phase("is there");
            self.sent.reach(self.upload.blob.size);
            return Ok(false);
        }
        for from in self.upload.from.iter().take(MAX_MOUNTS) {
            if self.mount(from).await? {
                item.phase("mounted");
                self.sent.reach(self.upload.blob.size);
                return Ok(false);
            }
            if self.session.is_some() {
                break;
            }
        }
        item.phase("uploading");
        let mut backoff = Backoff::new(&self.transport.options.retry);
        let mut counted = 0;
        loop {
            let Err(failure) = self.attempt().await else { return Ok(true) };
            let at = self.session.as_ref().map_or(0, |session| session.offset);
            let failure = match failure {
                // One that took something and then fell asleep is worth another connection.
                Failure::Stalled(error) if at > counted => Failure::passing(error),
                other => other,
            };
            if at >= counted + PROGRESS {
                counted = at;
                backoff.reset();
            }
            item.phase("trying again");
            backoff.after(failure).await?;
            item.phase("uploading");
        }
    }

    fn ask(&self, method: Method, path: String) -> Ask {
        Ask { method, ..Ask::get(&self.subject, path, self.what.clone()) }
    }

    fn to(&self, method: Method, location: Url) -> Ask {
        Ask { at: Some(location), ..self.ask(method, String::new()) }
    }

    async fn is_there(&self) -> Result<bool> {
        let path = format!("v2/{}/blobs/{}", self.subject.repository, self.upload.blob.digest);
        match self.transport.ask(&self.ask(Method::HEAD, path)).await {
            Ok(_) => Ok(true),
            Err(error) if error.is(ErrorKind::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the registry took it from the neighbour. If not, it may have begun an upload instead.
    async fn mount(&mut self, from: &str) -> Result<bool> {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("mount", &self.upload.blob.digest.to_string())
            .append_pair("from", from)
            .finish();
        let mut ask = self.ask(Method::POST, format!("v2/{}/blobs/uploads/?{query}", self.subject.repository));
        ask.subject = self.subject.to(Access::Mount(from.to_owned()));
        let response = match self.transport.ask(&ask).await {
            Ok(response) => response,
            // Who may not read the neighbour can still send the blob.
            Err(error) if !error.is(ErrorKind::Cancelled) => {
                tracing::debug!(%error, from, "not mounted");
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        if response.status() == StatusCode::CREATED {
            return Ok(true);
        }
        self.session = Some(begun(&response)?);
        Ok(false)
    }

    /// Goes on until the blob is there, or something breaks.
    async fn attempt(&mut self) -> Result<(), Failure> {
        let mut session = self.ready().await?;
        let done = self.send(&mut session).await;
        if done.is_err() {
            // Those that end the session leave no offset to come back to.
            self.session.get_or_insert(Session { unsure: true, ..session });
        }
        done
    }

    /// The upload as the registry has it, which may be a new one.
    async fn ready(&mut self) -> Result<Session, Failure> {
        match self.session.take() {
            Some(session) if !session.unsure => return Ok(session),
            Some(session) => {
                if self.is_there().await? {
                    let offset = self.upload.blob.size;
                    return Ok(Session { offset, unsure: false, location: session.location, min_chunk: u64::MAX });
                }
                if let Some(session) = self.taken_up(session).await? {
                    return Ok(session);
                }
            }
            None => {}
        }
        let path = format!("v2/{}/blobs/uploads/", self.subject.repository);
        let response = self.transport.ask_once(&self.ask(Method::POST, path)).await?;
        Ok(begun(&response)?)
    }

    /// Asks what has arrived; `None` when the registry has given it up.
    async fn taken_up(&mut self, session: Session) -> Result<Option<Session>, Failure> {
        let response = self.transport.answered(&self.to(Method::GET, session.location.clone())).await?;
        if !response.status().is_success() {
            tracing::debug!(status = %response.status(), "the upload starts anew");
            return Ok(None);
        }
        let Some(offset) = arrived(response.headers()).filter(|offset| *offset <= self.upload.blob.size) else {
            return Ok(None);
        };
        if offset == session.offset {
            // Some refuse a large chunk by closing the connection, and their answer is lost with it.
            self.largest = SMALL_CHUNK;
        }
        let location = next(&response)?.unwrap_or(session.location);
        Ok(Some(Session { location, offset, unsure: false, ..session }))
    }

    async fn send(&mut self, session: &mut Session) -> Result<(), Failure> {
        let size = self.upload.blob.size;
        if session.min_chunk == u64::MAX {
            // It arrived with the request whose answer was lost.
            return Ok(());
        }
        while size > SMALL && session.offset < size && !self.whole {
            self.chunk(session).await?;
        }
        let mut location = session.location.clone();
        location.query_pairs_mut().append_pair("digest", &self.upload.blob.digest.to_string());
        let mut ask = self.to(Method::PUT, location);
        ask.body = self.part(session.offset, size - session.offset, session.offset > 0);
        let response = self.transport.answered(&ask).await?;
        if response.status().is_success() {
            self.sent.reach(size);
            return Ok(());
        }
        Err(self.transport.refused(&ask, response).await)
    }

    fn part(&self, from: u64, len: u64, ranged: bool) -> Body {
        let file = self.upload.file.clone();
        let ranged = ranged && len > 0;
        Body::File(FilePart { file, from, len, ranged, sent: self.sent.clone() })
    }

    async fn chunk(&mut self, session: &mut Session) -> Result<(), Failure> {
        let rest = self.upload.blob.size - session.offset;
        let len = rest.min(self.largest.max(session.min_chunk));
        let mut ask = self.to(Method::PATCH, session.location.clone());
        // As Docker does: a blob in one piece without a range, which some registries do not take.
        let ranged = session.offset > 0 || len < rest;
        ask.body = self.part(session.offset, len, ranged);
        let response = self.transport.answered(&ask).await?;
        match response.status() {
            status if status.is_success() => {
                let end = session.offset + len;
                if arrived(response.headers()).is_some_and(|arrived| arrived != end) {
                    session.unsure = true;
                    return Err(Failure::passing(self.lost()));
                }
                session.offset = end;
                if let Some(location) = next(&response)? {
                    session.location = location;
                }
                Ok(())
            }
            StatusCode::PAYLOAD_TOO_LARGE if len > SMALL_CHUNK.max(session.min_chunk) => {
                self.largest = SMALL_CHUNK;
                *session = self.again(session).await?;
                Ok(())
            }
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED if session.offset == 0 => {
                self.whole = true;
                Ok(())
            }
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::NOT_FOUND => Err(Failure::passing(self.lost())),
            _ => Err(self.transport.refused(&ask, response).await),
        }
    }

    /// The upload after the registry refused a chunk, which may have ended it.
    async fn again(&mut self, session: &Session) -> Result<Session, Failure> {
        let location = session.location.clone();
        self.session = Some(Session { location, offset: session.offset, unsure: true, min_chunk: session.min_chunk });
        self.ready().await
    }

    fn lost(&self) -> Error {
        let registry = &self.subject.registry;
        Error::new(ErrorKind::Network, format!("registry `{registry}` lost a part of {}", self.what))
    }
}

fn begun(response: &Response) -> Result<Session> {
    let location = next(response)?.ok_or_else(|| {
        Error::new(ErrorKind::Network, "the registry does not say where to upload to").hint("is it a registry?")
    })?;
    let header = response.headers().get(MIN_CHUNK).and_then(|value| value.to_str().ok());
    let min_chunk = header.and_then(|header| header.trim().parse().ok()).unwrap_or(0);
    // Larger ones would never be reached, and the end is marked by the largest.
    Ok(Session { location, offset: 0, unsure: false, min_chunk: u64::min(min_chunk, 1 << 40) })
}

/// Where the upload goes on.
fn next(response: &Response) -> Result<Option<Url>> {
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let bad = |why: &str| Error::new(ErrorKind::Network, format!("the registry lets upload to {why}"));
    let url = location.to_str().ok().and_then(|location| response.url().join(location).ok());
    let url = url.ok_or_else(|| bad("what is no address"))?;
    match (response.url().scheme(), url.scheme()) {
        (_, "https") | ("http", "http") => Ok(Some(url)),
        _ => Err(bad("an address without TLS")),
    }
}

/// `Range: 0-N`, the bytes that the registry has; `0-0` also means none, as `docker-registry` says it.
fn arrived(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(RANGE)?.to_str().ok()?;
    let (first, last) = range.trim_start_matches("bytes=").split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    (first.trim() == "0").then_some(if last == 0 { 0 } else { last + 1 })
}
