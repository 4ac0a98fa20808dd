//! What servers and the network say when something fails.

use crate::error::{Error, ErrorKind};
use reqwest::{Response, StatusCode};

/// A failure, and whether trying again may help.
pub struct Failed {
    /// What it is.
    pub error: Error,
    /// Whether it may pass.
    pub again: bool,
}

/// No answer at all. The URL is left out: it is signed, and a signature is as good as a key for a while.
pub fn unreachable(doing: &str, error: &reqwest::Error) -> Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let why = cause.to_string();
    let why = why.split(" (os error").next().unwrap_or(&why).to_lowercase();
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Network };
    Error::new(kind, format!("{doing}: {why}"))
}

/// An answer of failure: a status, and mostly an `<Error>` with a code and a message.
pub async fn refused(doing: &str, answer: Response) -> Failed {
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    refusal(doing, status, &body)
}

/// The failure that a body says.
pub fn refusal(doing: &str, status: StatusCode, body: &str) -> Failed {
    let code = element(body, "Code").unwrap_or_default();
    let message = element(body, "Message").unwrap_or_default();
    let kind = match (status.as_u16(), code) {
        (401, _) | (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "RequestTimeTooSkewed") => {
            ErrorKind::Unauthorized
        }
        (403, _) => ErrorKind::Denied,
        (404, _) => ErrorKind::NotFound,
        _ => ErrorKind::Network,
    };
    let said = match (code, message) {
        ("", "") => status.to_string(),
        ("", said) | (said, "") => said.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    let error = Error::new(kind, format!("{doing}: {said}"));
    let error = match code {
        "NoSuchBucket" => error.hint("make the bucket first"),
        "RequestTimeTooSkewed" => error.hint("set the clock of this machine"),
        "PermanentRedirect" | "AuthorizationHeaderMalformed" => error.hint("give the `region` of the bucket"),
        _ => error,
    };
    Failed { error, again: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS }
}

/// The text of the first element of a name.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_becomes_a_kind_and_words() {
        let body = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>It is not there</Message></Error>";
        let failed = refusal("cannot write `s3://b/k`", StatusCode::NOT_FOUND, body);
        assert!(failed.error.is(ErrorKind::NotFound) && !failed.again);
        assert_eq!(failed.error.message(), "cannot write `s3://b/k`: NoSuchBucket: It is not there");
        let failed = refusal("x", StatusCode::FORBIDDEN, "<Error><Code>SignatureDoesNotMatch</Code></Error>");
        assert!(failed.error.is(ErrorKind::Unauthorized));
        let failed = refusal("x", StatusCode::SERVICE_UNAVAILABLE, "no XML");
        assert!(failed.again && failed.error.message().ends_with("503 Service Unavailable"));
    }
}
