//! Blobs: streamed, verified while they arrive, continued after a broken connection.
//!
//! A task on the network threads fetches and hashes; the thread that unpacks reads from a bounded
//! channel. When it is slow, the channel fills, the task stops reading, and TCP holds the registry back.

use super::backoff::Backoff;
use super::failure::Failure;
use super::subject::Subject;
use super::transport::{Ask, Transport};
use crate::context::{CancelToken, Context, ProgressItem};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::{Descriptor, Digest};
use crate::sys::async_runtime::{block_on, handle};
use bytes::{Buf, Bytes};
use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::task::AbortHandle;

/// Pieces on their way to the reader; hyper's are at most some 400 KiB. An empty one says that the blob
/// is complete and verified: a channel that just closes could also mean that the task died.
const CHANNEL: usize = 8;
/// A connection that brought so much was a good one: the tries start anew. Less would let a
/// registry that sends a byte at a time keep us forever.
const PROGRESS: u64 = 1 << 20;

/// The first bytes of a blob, which an earlier process fetched.
#[derive(Clone, Default)]
pub struct Received {
    len: u64,
    hash: Sha256,
}

impl Received {
    /// None.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Reads and hashes what is there, such as a half-written file.
    pub fn read(mut bytes: impl Read) -> Result<Self> {
        let mut received = Self::default();
        received.len = io::copy(&mut bytes, &mut HashWriter(&mut received.hash))
            .doing(|| "cannot read the part of a blob that is here already")?;
        Ok(received)
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes of a blob. The end of the stream is only ever reported after size and digest were
/// found right: use nothing for good before that. A reader that stops early, as one of a tar does, calls
/// [`BlobStream::finish`].
///
/// Errors of `read` carry a [`crate::error::Error`], which [`IoContext`] brings out again: `corrupt`,
/// `network`, `timeout`, `cancelled`, …
pub struct BlobStream {
    pieces: mpsc::Receiver<Result<Bytes>>,
    current: Bytes,
    cancel: CancelToken,
    progress: Arc<dyn ProgressItem>,
    complete: bool,
    failed: Option<Error>,
    task: AbortHandle,
}

impl BlobStream {
    /// Reads what is left, so that size and digest are verified.
    pub fn finish(mut self) -> Result<()> {
        while !self.piece()?.is_empty() {
            self.current.clear();
        }
        Ok(())
    }

    /// The next bytes; empty at the end.
    fn piece(&mut self) -> Result<&Bytes> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.current.is_empty() && !self.complete {
            match self.receive() {
                Ok(next) => self.current = next,
                Err(error) => {
                    self.task.abort();
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
            self.complete = self.current.is_empty();
            self.progress.advance(self.current.len() as u64);
        }
        Ok(&self.current)
    }

    fn receive(&mut self) -> Result<Bytes> {
        let died = || Error::new(ErrorKind::Io, "the network thread died");
        match self.pieces.try_recv() {
            Ok(next) => self.cancel.check().and(next),
            Err(TryRecvError::Empty) => {
                block_on(&self.cancel, async { self.pieces.recv().await.unwrap_or_else(|| Err(died())) })
            }
            Err(TryRecvError::Disconnected) => Err(died()),
        }
    }
}

impl Read for BlobStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.piece().map_err(io::Error::other)?;
        let len = piece.len().min(buffer.len());
        buffer[..len].copy_from_slice(&piece[..len]);
        self.current.advance(len);
        Ok(len)
    }
}

impl Drop for BlobStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts the task and gives the reader's end.
pub(super) fn start(
    transport: Arc<Transport>,
    cx: &Context,
    sources: Vec<Subject>,
    blob: &Descriptor,
    received: Received,
) -> Result<BlobStream> {
    cx.check()?;
    let progress: Arc<dyn ProgressItem> = cx.progress.start(blob.digest.short(), Some(blob.size)).into();
    progress.advance(received.len);
    let (sender, pieces) = mpsc::channel(CHANNEL);
    let ask = |subject: &Subject| {
        let what = format!("blob `{}` of `{}`", blob.digest.short(), subject.repository);
        Ask::get(subject, format!("v2/{}/blobs/{}", subject.repository, blob.digest), what)
    };
    let mut asks: VecDeque<Ask> = sources.iter().map(ask).collect();
    let ask = asks.pop_front().ok_or_else(|| Error::invalid("there is nowhere to pull from"))?;
    let fetch =
        Fetch { transport, ask, others: asks, blob: blob.clone(), received, sender, progress: progress.clone() };
    let task = handle()?.spawn(fetch.run()).abort_handle();
    Ok(BlobStream {
        pieces,
        current: Bytes::new(),
        cancel: cx.cancel.clone(),
        progress,
        complete: false,
        failed: None,
        task,
    })
}

/// The task that fetches one blob.
struct Fetch {
    transport: Arc<Transport>,
    ask: Ask,
    /// Where else it may be.
    others: VecDeque<Ask>,
    blob: Descriptor,
    received: Received,
    sender: mpsc::Sender<Result<Bytes>>,
    progress: Arc<dyn ProgressItem>,
}

impl Fetch {
    async fn run(mut self) {
        let end = self.fetch().await.map(|()| Bytes::new());
        // Without a reader nobody wants to know.
        let _ = self.sender.send(end).await;
    }

    async fn fetch(&mut self) -> Result<()> {
        let transport = self.transport.clone();
        let mut backoff = Backoff::new(&transport.options.retry);
        let mut counted = self.received.len;
        loop {
            let before = self.received.len;
            let Err(failure) = self.connection().await else { break };
            let failure = match failure {
                // A connection that brought something and then fell asleep is worth another one.
                Failure::Stalled(error) if self.received.len > before => Failure::passing(error),
                other => other,
            };
            if self.received.len - counted >= PROGRESS {
                counted = self.received.len;
                backoff.reset();
            }
            self.progress.phase("trying again");
            if let Err(error) = backoff.after(failure).await {
                // Wrong bytes have been given on already.
                if error.is(ErrorKind::Corrupt) || error.is(ErrorKind::Cancelled) {
                    return Err(error);
                }
                let Some(other) = self.others.pop_front() else { return Err(error) };
                tracing::warn!(%error, other = other.subject.registry, "going on with another source");
                self.ask = other;
                backoff.reset();
            }
            self.progress.phase("downloading");
        }
        let digest = Digest::from_sha256(&self.received.hash.clone().finalize());
        if digest == self.blob.digest {
            return Ok(());
        }
        Err(Error::corrupt(format!("{} should have digest `{}`, but has `{digest}`", self.ask.what, self.blob.digest))
            .hint("the registry or something on the way changed it"))
    }

    /// What one connection brings; `Ok` when the blob is complete.
    async fn connection(&mut self) -> Result<(), Failure> {
        let size = self.blob.size;
        if self.received.len > size {
            return Err(self.too_long().into());
        }
        if self.received.len == size && size > 0 {
            return Ok(());
        }
        self.ask.from = self.received.len;
        let transport = self.transport.clone();
        let mut response = transport.ask_once(&self.ask).await?;
        let mut at = self.first_byte(&response)?;
        if let Some(said) = response.content_length() {
            self.check_length(at.saturating_add(said))?;
        }
        loop {
            let Some(mut piece) = transport.http.chunk(&mut response).await? else { break };
            // A registry that ignores ranges starts over: what is here already is skipped.
            let known = (self.received.len - at).min(piece.len() as u64);
            at += piece.len() as u64;
            piece.advance(known as usize);
            if piece.is_empty() {
                continue;
            }
            if self.received.len + piece.len() as u64 > size {
                return Err(self.too_long().into());
            }
            self.received.hash.update(&piece);
            self.received.len += piece.len() as u64;
            if self.sender.send(Ok(piece)).await.is_err() {
                return Err(Error::new(ErrorKind::Cancelled, "nobody reads it any more").into());
            }
        }
        if self.received.len < size { Err(Failure::passing(self.too_short())) } else { Ok(()) }
    }

    /// Where in the blob the answer starts: 0 unless it is the part that was asked for.
    fn first_byte(&self, response: &Response) -> Result<u64, Failure> {
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(0);
        }
        let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
        let first = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
        match first {
            Some(first) if first <= self.received.len => Ok(first),
            _ => Err(Failure::Final(Error::corrupt(format!("{} came as another part than asked for", self.ask.what)))),
        }
    }

    fn check_length(&self, said: u64) -> Result<(), Failure> {
        match said.cmp(&self.blob.size) {
            std::cmp::Ordering::Greater => Err(self.too_long().into()),
            std::cmp::Ordering::Less => Err(Error::corrupt(format!(
                "{} has {said} bytes, but its manifest says {}",
                self.ask.what, self.blob.size
            ))
            .into()),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }

    fn too_long(&self) -> Error {
        Error::corrupt(format!("{} is longer than the {} bytes of its manifest", self.ask.what, self.blob.size))
    }

    fn too_short(&self) -> Error {
        Error::corrupt(format!("{} ends after {} of {} bytes", self.ask.what, self.received.len, self.blob.size))
    }
}
