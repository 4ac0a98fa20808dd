//! What a registry's refusals mean: status and error codes of the distribution specification.

use super::auth::{login_hint, refused};
use super::endpoint::authority;
use super::failure::Failure;
use super::http::Http;
use super::subject::{Access, Subject};
use crate::error::{Error, ErrorKind};
use reqwest::Response;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;
use std::time::Duration;

/// Enough for any explanation; the rest of an error page is not read.
const MAX_ERROR_BODY: usize = 64 << 10;
/// Of a registry's own words, so many are passed on.
const MAX_QUOTE: usize = 200;

/// Reads why the registry did not do as asked. `what` names that: ``tag `18` of `node` ``.
pub(super) async fn read(
    http: &Http,
    mut response: Response,
    subject: &Subject,
    what: &str,
    has_credentials: bool,
) -> Failure {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(wait_asked);
    let host = authority(response.url());
    let body = http.body(&mut response, MAX_ERROR_BODY, "an error").await.unwrap_or_default();
    let told = Told::parse(&body);
    let registry = &subject.registry;
    match status.as_u16() {
        401 if has_credentials => refused(subject).into(),
        401 => Error::new(ErrorKind::Unauthorized, format!("registry `{registry}` does not give {what}{told}"))
            .hint(format!("check the name; if the repository is private, {}", login_hint(registry)))
            .into(),
        403 => Error::new(ErrorKind::Denied, format!("registry `{registry}` denies {what}{told}"))
            .hint(match subject.access {
                Access::Push | Access::Mount(_) if !has_credentials => login_hint(registry),
                Access::Push | Access::Mount(_) => "these credentials may not write there".to_owned(),
                Access::Pull | Access::Catalog => "these credentials, or an anonymous user, may not read it".to_owned(),
            })
            .into(),
        400 if told.code == "DIGEST_INVALID" => {
            Error::corrupt(format!("registry `{registry}` does not take {what}{told}"))
                .hint("what is in the store may be damaged: pull or build the image again")
                .into()
        }
        400 if told.code == "NAME_INVALID" => {
            Error::invalid(format!("registry `{registry}` does not take the name `{}`{told}", subject.repository))
                .hint("choose another one")
                .into()
        }
        404 if told.code == "NAME_UNKNOWN" => {
            Error::not_found(format!("registry `{registry}` has no repository `{}`", subject.repository))
                .hint("check the name")
                .into()
        }
        404 => Error::not_found(format!("registry `{registry}` has no {what}")).hint("check the name").into(),
        416 => Error::corrupt(format!("{what} is shorter than its manifest says")).into(),
        429 => Failure::Passing {
            error: Error::new(ErrorKind::Network, format!("registry `{registry}` is asked too often{told}"))
                .hint(format!("wait a while; a login may raise the limit: `docker login {registry}`")),
            retry_after,
        },
        408 | 500..=599 => Failure::Passing {
            error: Error::new(ErrorKind::Network, format!("`{host}` answered {status} for {what}{told}"))
                .hint("try again later"),
            retry_after,
        },
        _ => Error::new(ErrorKind::Network, format!("`{host}` answered {status} for {what}{told}")).into(),
    }
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn wait_asked(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    let wait = date.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(wait).unwrap_or_default())
}

/// The first error of the body, in the registry's own words.
#[derive(Default)]
struct Told {
    code: String,
    message: String,
}

impl Told {
    fn parse(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            errors: Vec<Item>,
        }
        #[derive(Deserialize)]
        #[serde(default)]
        #[derive(Default)]
        struct Item {
            code: String,
            message: String,
        }
        let first = serde_json::from_slice::<Body>(body).ok().and_then(|body| body.errors.into_iter().next());
        first.map(|item| Self { code: item.code, message: item.message }).unwrap_or_default()
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = if self.message.is_empty() { &self.code } else { &self.message };
        // A terminal must not act on what a registry says.
        let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_QUOTE).collect();
        if text.is_empty() { Ok(()) } else { write!(f, ": {text}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(wait_asked(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(wait_asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO), "a date that has passed");
        let future = wait_asked("Fri, 31 Dec 2399 23:59:59 GMT").unwrap();
        assert!(future > Duration::from_secs(3600));
        assert_eq!(wait_asked("soon"), None);
    }

    #[test]
    fn the_registrys_words_are_quoted_without_control_characters() {
        let told = Told::parse(br#"{"errors":[{"code":"DENIED","message":"no \u001b[31mway"}]}"#);
        assert_eq!((told.code.as_str(), told.to_string().as_str()), ("DENIED", ": no [31mway"));
        assert_eq!(Told::parse(b"<html>").to_string(), "");
    }
}
