//! What a request carries: a form, a document, or a part of a file that is read while it is sent.

use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use reqwest::{RequestBuilder, StatusCode};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// So much of a file is in memory at once, for each upload.
const PIECE: u64 = 256 << 10;

/// The body of a request. It can be sent again.
#[derive(Clone)]
pub(super) enum Body {
    /// None.
    Empty,
    /// A form with a secret, meant for one host.
    Form(String),
    /// A small document and its media type.
    Document(String, Bytes),
    /// A part of a file.
    File(FilePart),
}

/// Bytes of a blob, read from its file while they are sent.
#[derive(Clone)]
pub(super) struct FilePart {
    pub(super) file: Arc<File>,
    pub(super) from: u64,
    pub(super) len: u64,
    /// Says which part of the blob it is; without, it is the rest of it.
    pub(super) ranged: bool,
    pub(super) sent: Arc<Sent>,
}

/// How far the file has been read for sending.
pub(super) struct Sent {
    position: AtomicU64,
    /// The furthest so far: what is sent again is no progress.
    furthest: AtomicU64,
    progress: Box<dyn Fn(u64) + Send + Sync>,
}

impl Sent {
    pub(super) fn new(progress: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self { position: AtomicU64::new(0), furthest: AtomicU64::new(0), progress: Box::new(progress) }
    }

    pub(super) fn reach(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
        let before = self.furthest.fetch_max(position, Ordering::Relaxed);
        if position > before {
            (self.progress)(position - before);
        }
    }
}

impl Body {
    /// Whether a redirect with this status may be followed with the body.
    pub(super) fn may_follow(&self, status: StatusCode) -> bool {
        match self {
            Self::Empty => true,
            Self::Form(_) => false,
            Self::Document(..) | Self::File(_) => matches!(status.as_u16(), 307 | 308),
        }
    }

    pub(super) fn put_on(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Empty => request,
            Self::Form(form) => request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.clone()),
            Self::Document(media_type, bytes) => request.header(CONTENT_TYPE, media_type).body(bytes.clone()),
            Self::File(part) => part.put_on(request),
        }
    }

    pub(super) fn is_large(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// How far the file has been sent.
    pub(super) fn sent(&self) -> u64 {
        match self {
            Self::File(part) => part.sent.position.load(Ordering::Relaxed),
            _ => 0,
        }
    }

    pub(super) fn is_sent(&self) -> bool {
        match self {
            Self::File(part) => self.sent() == part.from + part.len,
            _ => true,
        }
    }
}

impl FilePart {
    fn put_on(&self, request: RequestBuilder) -> RequestBuilder {
        let mut request = request.header(CONTENT_TYPE, "application/octet-stream").header(CONTENT_LENGTH, self.len);
        if self.ranged {
            request = request.header(CONTENT_RANGE, format!("{}-{}", self.from, self.from + self.len - 1));
        }
        self.sent.position.store(self.from, Ordering::Relaxed);
        let part = self.clone();
        request.body(reqwest::Body::wrap_stream(stream::try_unfold(self.from, move |at| part.clone().piece(at))))
    }

    async fn piece(self, at: u64) -> io::Result<Option<(Bytes, u64)>> {
        let end = self.from + self.len;
        let len = PIECE.min(end - at);
        if len == 0 {
            return Ok(None);
        }
        let file = self.file.clone();
        let read = move || {
            let mut piece = vec![0; len as usize];
            file.read_exact_at(&mut piece, at).map(|()| piece)
        };
        let piece = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
        self.sent.reach(at + len);
        Ok(Some((piece.into(), at + len)))
    }
}
