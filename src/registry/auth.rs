//! Answers to challenges: basic credentials, and tokens that are fetched, kept and renewed.

use super::body::Body;
use super::challenge::{self, Challenge};
use super::credentials::{Credential, CredentialProvider, Secret};
use super::endpoint::{authority, is_loopback};
use super::failure::Failure;
use super::http::{Http, Request};
use super::subject::Subject;
use crate::error::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Response;
use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use url::Url;

/// The distribution specification's lifetime of a token that does not say.
const DEFAULT_LIFETIME: u64 = 60;
/// A token is not used in its last seconds: it has to last for the way to the registry.
const MARGIN: Duration = Duration::from_secs(5);
/// Tokens have been seen with some 10 KiB.
const MAX_TOKEN_BODY: usize = 1 << 20;
/// The name under which token servers log what they gave out (OAuth 2 requires one).
const CLIENT_ID: &str = "shanty";

/// What is known about how registries want to be asked.
pub(super) struct Auth {
    credentials: Arc<dyn CredentialProvider>,
    known: Mutex<HashMap<Subject, Authorization>>,
    /// One at a time, so that parallel layers do not each fetch the same token.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Authorization {
    header: HeaderValue,
    expires: Option<Instant>,
}

impl Auth {
    pub(super) fn new(credentials: Arc<dyn CredentialProvider>) -> Self {
        Self { credentials, known: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// What the subject accepted before, unless it has expired.
    pub(super) fn known(&self, subject: &Subject) -> Option<HeaderValue> {
        let known = self.lock();
        let authorization = known.get(subject)?;
        let fresh = authorization.expires.is_none_or(|expires| Instant::now() < expires);
        fresh.then(|| authorization.header.clone())
    }

    /// What to send instead of `refused`, which got this 401 answer.
    pub(super) async fn answer(
        &self,
        http: &Http,
        subject: &Subject,
        refused: Option<&HeaderValue>,
        response: &Response,
    ) -> Result<HeaderValue, Failure> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let challenges = challenge::parse(headers.iter().filter_map(|header| header.to_str().ok()));
        let _one_at_a_time = self.fetching.lock().await;
        if let Some(header) = self.known(subject).filter(|header| Some(header) != refused) {
            return Ok(header);
        }
        let credential = self.credential(subject).await?;
        let authorization = match preferred(&challenges) {
            Some(Challenge::Bearer { realm, service, scope }) => {
                let realm = realm_url(realm, response.url())?;
                let scope = subject.scope(scope.as_deref());
                fetch_token(http, subject, credential.as_ref(), realm, service.as_deref(), scope.as_deref()).await?
            }
            Some(Challenge::Basic) => match &credential {
                Some(Credential::Basic { user, password }) => {
                    Authorization { header: basic(user, password)?, expires: None }
                }
                _ => return Err(needs_login(subject).into()),
            },
            None => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("registry `{}` asks for a kind of login that is not supported", subject.registry),
                )
                .hint("basic and bearer (token) authentication are")
                .into());
            }
        };
        self.lock().insert(subject.clone(), authorization.clone());
        Ok(authorization.header)
    }

    /// Whether there are credentials for the subject, which decides what a refusal means.
    pub(super) async fn has_credentials(&self, subject: &Subject) -> bool {
        matches!(self.credential(subject).await, Ok(Some(_)))
    }

    /// Forgets what a registry accepted, because a login or logout changes it.
    pub(super) fn forget(&self, registry: &str) {
        self.lock().retain(|subject, _| subject.registry != registry);
    }

    /// Looked up beside the network threads: a helper is a program that may take its time.
    async fn credential(&self, subject: &Subject) -> Result<Option<Credential>> {
        let (provider, subject) = (self.credentials.clone(), subject.clone());
        let look_up = move || provider.credential(&subject.registry, &subject.repository);
        let died = |_| Error::new(ErrorKind::Io, "the thread that looks for credentials died");
        tokio::task::spawn_blocking(look_up).await.map_err(died)?
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Subject, Authorization>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A registry that offers both means the token for its API.
fn preferred(challenges: &[Challenge]) -> Option<&Challenge> {
    let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or_else(|| challenges.first())
}

fn needs_login(subject: &Subject) -> Error {
    Error::new(ErrorKind::Unauthorized, format!("registry `{}` wants a login", subject.registry))
        .hint(login_hint(&subject.registry))
}

/// What a person can type to give credentials.
pub(super) fn login_hint(registry: &str) -> String {
    format!("log in with `registry(\"{registry}\").login(USER, PASSWORD)`, or with `docker login {registry}`")
}

/// The token server named by a registry: hostile input that is about to be shown credentials.
fn realm_url(realm: &str, registry: &Url) -> Result<Url> {
    let host = authority(registry);
    let bad = |why: &str| Error::new(ErrorKind::Unauthorized, format!("`{host}` names a token server {why}"));
    let url = Url::parse(realm).map_err(|_| bad("that is no address"))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if registry.scheme() == "http" || is_loopback(&url) => Ok(url),
        "http" => Err(bad("without TLS")),
        _ => Err(bad("that is no web address")),
    }
}

fn basic(user: &str, password: &Secret) -> Result<HeaderValue> {
    sensitive(&format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose()))))
}

fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Error::new(ErrorKind::Unauthorized, "the token server sent a token that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What a token server answers (distribution specification; OAuth 2 says `access_token`).
#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    expires_in: Option<u64>,
}

async fn fetch_token(
    http: &Http,
    subject: &Subject,
    credential: Option<&Credential>,
    realm: Url,
    service: Option<&str>,
    scope: Option<&str>,
) -> Result<Authorization, Failure> {
    let host = authority(&realm);
    let asked = Instant::now();
    let mut response = http.exchange(&token_request(realm, credential, service, scope)?).await?;
    let status = response.status();
    if status.is_server_error() || status.as_u16() == 429 {
        let error = Error::new(ErrorKind::Network, format!("token server `{host}` answered {status}"));
        return Err(Failure::passing(error));
    }
    if !status.is_success() {
        return Err(match credential {
            Some(_) => refused(subject),
            None => needs_login(subject),
        }
        .into());
    }
    let body = http.body(&mut response, MAX_TOKEN_BODY, "a token").await?;
    let answer: TokenAnswer = serde_json::from_slice(&body)
        .map_err(|_| Error::new(ErrorKind::Network, format!("token server `{host}` did not send a token")))?;
    let token = if answer.token.is_empty() { answer.access_token } else { answer.token };
    if token.is_empty() {
        return Err(Error::new(ErrorKind::Network, format!("token server `{host}` sent an empty token")).into());
    }
    let lifetime = Duration::from_secs(answer.expires_in.unwrap_or(DEFAULT_LIFETIME));
    let expires = asked.checked_add(lifetime.saturating_sub(MARGIN));
    Ok(Authorization { header: sensitive(&format!("Bearer {token}"))?, expires })
}

/// The registry or its token server does not accept the credentials we have.
pub(super) fn refused(subject: &Subject) -> Error {
    Error::new(ErrorKind::Unauthorized, format!("registry `{}` refused the credentials", subject.registry))
        .hint(login_hint(&subject.registry))
}

fn token_request(
    mut realm: Url,
    credential: Option<&Credential>,
    service: Option<&str>,
    scope: Option<&str>,
) -> Result<Request> {
    // One challenge may name several scopes, separated by spaces; each is a parameter of its own.
    let scopes = scope.into_iter().flat_map(str::split_ascii_whitespace);
    if let Some(Credential::IdentityToken(token)) = credential {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token").append_pair("client_id", CLIENT_ID);
        form.append_pair("refresh_token", token.expose());
        form.extend_pairs(service.map(|service| ("service", service)));
        form.extend_pairs(scope.map(|scope| ("scope", scope)));
        let body = Body::Form(form.finish());
        return Ok(Request { method: reqwest::Method::POST, body, ..Request::get(realm) });
    }
    realm
        .query_pairs_mut()
        .extend_pairs(service.map(|service| ("service", service)))
        .extend_pairs(scopes.map(|scope| ("scope", scope)));
    let authorization = match credential {
        Some(Credential::Basic { user, password }) => Some(basic(user, password)?),
        _ => None,
    };
    Ok(Request { authorization, ..Request::get(realm) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_go_to_a_token_server_without_tls() {
        let registry = Url::parse("https://registry.example/v2/").unwrap();
        assert!(realm_url("https://auth.example/token", &registry).is_ok());
        for realm in ["http://auth.example/token", "file:///etc/passwd", "nonsense"] {
            assert!(realm_url(realm, &registry).expect_err(realm).is(ErrorKind::Unauthorized));
        }
        let local = Url::parse("http://127.0.0.1:5000/v2/").unwrap();
        assert!(realm_url("http://127.0.0.1:5001/token", &local).is_ok());
    }

    #[test]
    fn token_requests_name_service_and_each_scope() {
        let realm = Url::parse("https://auth.example/token?account=x").unwrap();
        let request = token_request(realm.clone(), None, Some("reg"), Some("repository:a:pull repository:b:pull"));
        let url = request.unwrap().url;
        let expected = "account=x&service=reg&scope=repository%3Aa%3Apull&scope=repository%3Ab%3Apull";
        assert_eq!(url.query(), Some(expected));
        let identity = Credential::IdentityToken(Secret::new("r/t"));
        let request = token_request(realm, Some(&identity), Some("reg"), None).unwrap();
        let Body::Form(form) = request.body else { panic!("a form") };
        assert!(form.contains("refresh_token=r%2Ft"), "the secret goes into the body, not the URL");
    }
}
