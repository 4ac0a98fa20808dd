//! Asking a registry: authenticated, over the right scheme, tried again when that may help.

use super::auth::Auth;
use super::backoff::Backoff;
use super::body::Body;
use super::endpoint;
use super::failure::Failure;
use super::http::{Http, Request};
use super::options::Options;
use super::refusal;
use super::subject::Subject;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Reference;
use bytes::Bytes;
use reqwest::{Method, Response, StatusCode};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use url::Url;

/// What is asked of a registry.
pub(super) struct Ask {
    pub(super) subject: Subject,
    pub(super) method: Method,
    /// Below the registry's base, such as `v2/library/node/tags/list?n=100`.
    pub(super) path: String,
    pub(super) accept: Option<&'static str>,
    /// First byte wanted; 0: all.
    pub(super) from: u64,
    /// An address that the registry gave, in place of `path`.
    pub(super) at: Option<Url>,
    pub(super) body: Body,
    /// What it is, for messages.
    pub(super) what: String,
}

impl Ask {
    /// A GET of everything.
    pub(super) fn get(subject: &Subject, path: String, what: String) -> Self {
        Self {
            subject: subject.clone(),
            method: Method::GET,
            path,
            accept: None,
            from: 0,
            at: None,
            body: Body::Empty,
            what,
        }
    }
}

/// How a client reaches registries.
pub(super) struct Transport {
    pub(super) options: Options,
    pub(super) http: Http,
    auth: Auth,
    /// Which sources of a name served its manifest: they have its blobs, too.
    pub(super) served: Mutex<HashMap<String, Subject>>,
    /// Loopback and insecure registries, and whether they were found to speak TLS.
    loopback: Mutex<HashMap<String, bool>>,
}

impl Transport {
    pub(super) fn new(options: Options) -> Self {
        let http = Http::new(&options);
        let auth = Auth::new(options.credentials.clone());
        Self { options, http, auth, served: Mutex::default(), loopback: Mutex::default() }
    }

    /// Forgets what a registry accepted.
    pub(super) fn forget(&self, registry: &str) {
        self.auth.forget(registry);
    }

    /// Where a reference may be pulled from, in this order.
    pub(super) fn sources(&self, reference: &Reference) -> Result<Vec<Subject>> {
        let mut sources = self.options.configuration.sources(reference)?;
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = served.get(&reference.name()).and_then(|one| sources.iter().position(|it| it == one)) {
            sources[..=at].rotate_right(1);
        }
        Ok(sources)
    }

    /// Asks each source of the reference until one answers. What the last one, the registry itself, says counts.
    pub(super) async fn each<T>(&self, reference: &Reference, ask: impl AsyncFn(&Subject) -> Result<T>) -> Result<T> {
        let mut sources = self.options.configuration.sources(reference)?;
        let origin = sources.pop();
        for mirror in sources {
            match ask(&mirror).await {
                Ok(answer) => {
                    self.served.lock().unwrap_or_else(PoisonError::into_inner).insert(reference.name(), mirror);
                    return Ok(answer);
                }
                Err(error) if error.is(ErrorKind::Cancelled) => return Err(error),
                Err(error) => tracing::warn!(mirror = mirror.registry, %error, "this mirror does not serve it"),
            }
        }
        let origin = origin.ok_or_else(|| Error::invalid("there is nowhere to pull from"))?;
        let answer = ask(&origin).await?;
        self.served.lock().unwrap_or_else(PoisonError::into_inner).insert(reference.name(), origin);
        Ok(answer)
    }

    /// Asks until there is an answer or no hope.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Response> {
        let mut backoff = Backoff::new(&self.options.retry);
        loop {
            match self.ask_once(ask).await {
                Ok(response) => return Ok(response),
                Err(failure) => backoff.after(failure).await?,
            }
        }
    }

    /// Asks for a small document until all of it has come.
    pub(super) async fn ask_document(&self, ask: &Ask, limit: usize) -> Result<(Response, Bytes)> {
        let mut backoff = Backoff::new(&self.options.retry);
        loop {
            match self.ask_document_once(ask, limit).await {
                Ok(got) => return Ok(got),
                Err(failure) => backoff.after(failure).await?,
            }
        }
    }

    pub(super) async fn ask_document_once(&self, ask: &Ask, limit: usize) -> Result<(Response, Bytes), Failure> {
        let mut response = self.ask_once(ask).await?;
        let body = self.http.body(&mut response, limit, &ask.what).await?;
        Ok((response, body))
    }

    /// Asks once. Gives successful answers only.
    pub(super) async fn ask_once(&self, ask: &Ask) -> Result<Response, Failure> {
        let response = self.answered(ask).await?;
        if response.status().is_success() { Ok(response) } else { Err(self.refused(ask, response).await) }
    }

    /// Asks, and answers the registry's challenge once. Gives an answer with any status.
    pub(super) async fn answered(&self, ask: &Ask) -> Result<Response, Failure> {
        let base = self.base(&ask.subject).await?;
        let url = match &ask.at {
            Some(url) => url.clone(),
            None => base.join(&ask.path).map_err(|_| Error::invalid(format!("`{}` is no path", ask.path)))?,
        };
        // An upload may go to a storage that knows nothing of our credentials.
        let ours = url.origin() == base.origin();
        let mut request = Request {
            method: ask.method.clone(),
            url,
            authorization: self.auth.known(&ask.subject).filter(|_| ours),
            accept: ask.accept,
            from: ask.from,
            body: ask.body.clone(),
            unverified: ask.subject.insecure,
        };
        let mut response = self.http.exchange(&request).await?;
        // Where it redirects to knows nothing of our credentials, so its challenges are not ours to answer.
        if response.status() == StatusCode::UNAUTHORIZED && response.url().origin() == base.origin() {
            self.http.discard(&mut response).await;
            let refused = request.authorization.take();
            let answer = self.auth.answer(&self.http, &ask.subject, refused.as_ref(), &response).await?;
            request.authorization = Some(answer);
            response = self.http.exchange(&request).await?;
        }
        Ok(response)
    }

    /// What an answer without success means.
    pub(super) async fn refused(&self, ask: &Ask, response: Response) -> Failure {
        let has_credentials = self.auth.has_credentials(&ask.subject).await;
        refusal::read(&self.http, response, &ask.subject, &ask.what, has_credentials).await
    }

    /// HTTPS, except where nobody can listen or the user said so. A registry on a loopback address
    /// is asked once whether it wants TLS after all.
    async fn base(&self, subject: &Subject) -> Result<Url, Failure> {
        let registry = &*subject.registry;
        let plain = endpoint::base(registry, false)?;
        if self.options.insecure.iter().any(|insecure| insecure == registry) {
            return Ok(plain);
        }
        let loopback = endpoint::is_loopback(&plain);
        if !loopback && !subject.insecure {
            return Ok(endpoint::base(registry, true)?);
        }
        let known = self.loopback().get(registry).copied();
        let tls = if let Some(tls) = known {
            tls
        } else {
            let tls = if loopback { self.wants_tls(&plain).await? } else { self.has_tls(registry).await? };
            self.loopback().insert(registry.to_owned(), tls);
            tls
        };
        Ok(endpoint::base(registry, tls)?)
    }

    /// Whether a registry that may do without TLS has it: it is better than nothing.
    async fn has_tls(&self, registry: &str) -> Result<bool, Failure> {
        let url = endpoint::base(registry, true)?.join("v2/").map_err(|_| Error::invalid("no address"))?;
        match self.http.exchange(&Request { unverified: true, ..Request::get(url) }).await {
            Ok(mut response) => {
                self.http.discard(&mut response).await;
                Ok(true)
            }
            Err(Failure::Stalled(error)) => Err(Failure::Stalled(error)),
            Err(_) => Ok(false),
        }
    }

    /// TLS servers answer plain HTTP with 400 (Go's, and so `docker-registry`; nginx).
    async fn wants_tls(&self, plain: &Url) -> Result<bool, Failure> {
        let ping = plain.join("v2/").map_err(|_| Error::invalid(format!("`{plain}` is no address")))?;
        let mut response = self.http.exchange(&Request::get(ping)).await?;
        self.http.discard(&mut response).await;
        Ok(response.status() == StatusCode::BAD_REQUEST)
    }

    fn loopback(&self) -> std::sync::MutexGuard<'_, HashMap<String, bool>> {
        self.loopback.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
