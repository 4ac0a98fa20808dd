//! Buckets that speak S3: Amazon's, and those of MinIO, Ceph, Garage and others.

mod download;
mod failure;
mod upload;

pub use download::Download;
pub use upload::Upload;

use super::TargetOptions;
use super::item::Item;
use crate::context::{CancelToken, Context};
use crate::error::{Error, ErrorKind, Result};
use crate::script::api::http::client;
use crate::script::api::values::host_value;
use crate::sys::async_runtime::block_on;
use bytes::Bytes;
use failure::{Failed, refused, unreachable};
use reqwest::{Method, Response};
use rusty_s3::{Bucket as Signer, Credentials, S3Action, UrlStyle, actions};
use std::time::Duration;
use url::Url;

/// How long a signed request is good for: it is made anew for every attempt.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);
/// A part of 64 MiB over a slow line.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// What failed on the way, or because the server was busy, is tried again after these.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(8)];
/// Pages of a list, of a thousand each: a server that goes on for ever is wrong.
const MOST_PAGES: usize = 10_000;

/// A bucket, and who we are there.
#[derive(Clone)]
pub struct Bucket {
    signer: Signer,
    credentials: Credentials,
    cx: Context,
}

impl Bucket {
    /// By the options and the environment; nothing is asked of it yet.
    pub fn open(name: &str, options: &TargetOptions, cx: Context) -> Result<Self> {
        let of = |given: &Option<String>, names: &[&str]| {
            given.clone().or_else(|| names.iter().find_map(|name| host_value(name)).filter(|value| !value.is_empty()))
        };
        let region =
            of(&options.region, &["AWS_REGION", "AWS_DEFAULT_REGION"]).unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = of(&options.endpoint, &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]);
        let path_style = options.path_style.unwrap_or(endpoint.is_some());
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let url: Url = endpoint.parse().map_err(|error| {
            Error::invalid(format!("the endpoint `{endpoint}` is no URL: {error}"))
                .hint("write it as `http://host:port`")
        })?;
        let style = if path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let signer = Signer::new(url, style, name.to_owned(), region)
            .map_err(|error| Error::invalid(format!("cannot use the bucket `{name}` at `{endpoint}`: {error}")))?;
        let key = of(&options.access_key, &["AWS_ACCESS_KEY_ID"]);
        let secret = of(&options.secret_key, &["AWS_SECRET_ACCESS_KEY"]);
        let (Some(key), Some(secret)) = (key, secret) else {
            return Err(Error::new(ErrorKind::Unauthorized, format!("there are no keys for the bucket `{name}`"))
                .hint("give `access_key` and `secret_key`, or set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"));
        };
        let credentials = match of(&options.session_token, &["AWS_SESSION_TOKEN"]) {
            // That of the environment belongs to the keys of the environment.
            Some(token) if options.session_token.is_some() || options.access_key.is_none() => {
                Credentials::new_with_token(key, secret, token)
            }
            _ => Credentials::new(key, secret),
        };
        Ok(Self { signer, credentials, cx })
    }

    /// The files below a prefix, without those of folders in it.
    pub fn list(&self, prefix: &str) -> Result<Vec<Item>> {
        let prefix = match prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let doing = || format!("cannot list `{}`", self.url(&prefix));
        let (mut items, mut token) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let answer = self.text(&Method::GET, &Bytes::new(), &doing, &|| {
                let mut action = self.signer.list_objects_v2(Some(&self.credentials));
                action.with_prefix(prefix.as_str());
                action.with_delimiter("/");
                if let Some(token) = &token {
                    action.with_continuation_token(token.as_str());
                }
                action.sign(SIGNED_FOR)
            })?;
            let page = actions::ListObjectsV2::parse_response(&answer)
                .map_err(|error| Error::new(ErrorKind::Network, format!("{}: {error}", doing())))?;
            for object in page.contents {
                let Some(name) = object.key.strip_prefix(&prefix).filter(|name| !name.is_empty()) else { continue };
                let modified = object.last_modified.and_then(|time| time.parse().ok());
                items.push(Item { name: name.to_owned(), size: object.size.unwrap_or(0), modified });
            }
            match page.next_continuation_token {
                Some(next) => token = Some(next),
                None => return Ok(items),
            }
        }
        Err(Error::new(ErrorKind::Network, format!("{}: it has no end", doing())))
    }

    /// Removes an object; fine when there is none.
    pub fn remove(&self, key: &str) -> Result<()> {
        let doing = || format!("cannot remove `{}`", self.url(key));
        let removed = self.text(&Method::DELETE, &Bytes::new(), &doing, &|| {
            self.signer.delete_object(Some(&self.credentials), key).sign(SIGNED_FOR)
        });
        match removed {
            Err(error) if error.is(ErrorKind::NotFound) => Ok(()),
            other => other.map(drop),
        }
    }

    /// The same, for what goes on when the script has to end, for so long.
    fn within(&self, limit: Duration) -> Self {
        let cancel = CancelToken::new().child_with_timeout(limit);
        Self { cx: Context { cancel, ..Context::background() }, ..self.clone() }
    }

    /// What a key is called in errors.
    fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.signer.name())
    }

    /// Sends a request and reads the answer, which is short.
    fn text(
        &self,
        method: &Method,
        body: &Bytes,
        doing: &dyn Fn() -> String,
        sign: &dyn Fn() -> Url,
    ) -> Result<String> {
        let answer = self.send(method, body, doing, sign)?;
        let text =
            block_on(&self.cx.cancel, async { answer.text().await.map_err(|error| unreachable(&doing(), &error)) })?;
        Ok(in_namespace(text))
    }

    /// Sends a request, again where that may help; gives an answer that is none of failure.
    fn send(
        &self,
        method: &Method,
        body: &Bytes,
        doing: &dyn Fn() -> String,
        sign: &dyn Fn() -> Url,
    ) -> Result<Response> {
        let mut pauses = PAUSES.iter();
        loop {
            let request = client()?.request(method.clone(), sign()).timeout(TIMEOUT).body(body.clone());
            let sent = block_on(&self.cx.cancel, async {
                let answer = match request.send().await {
                    Ok(answer) => answer,
                    Err(error) => return Ok(Err(Failed { error: unreachable(&doing(), &error), again: true })),
                };
                if answer.status().is_success() {
                    return Ok(Ok(answer));
                }
                Ok(Err(refused(&doing(), answer).await))
            })?;
            match sent {
                Ok(answer) => return Ok(answer),
                Err(failed) => match pauses.next() {
                    Some(pause) if failed.again => self.cx.cancel.sleep(*pause)?,
                    _ => return Err(failed.error),
                },
            }
        }
    }
}

/// An answer in the namespace of Amazon's documentation, which the parser wants: other servers have others, or none.
fn in_namespace(answer: String) -> String {
    const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
    let head = answer.find("?>").filter(|_| answer.starts_with("<?xml")).map_or(0, |end| end + 2);
    let Some(open) = answer[head..].find('<').map(|at| head + at) else { return answer };
    let root = answer[open..].split('>').next().unwrap_or_default();
    let attribute = "xmlns=\"";
    let Some(value) = root.find(attribute).map(|at| at + attribute.len()) else {
        let name = root.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(root.len());
        let (before, after) = answer.split_at(open + name);
        return format!("{before} {attribute}{NAMESPACE}\"{after}");
    };
    let end = root[value..].find('"').map_or(root.len(), |length| value + length);
    let (before, after) = (&answer[..open + value], &answer[open + end..]);
    format!("{before}{NAMESPACE}{after}")
}

#[cfg(test)]
mod tests {
    use super::in_namespace;

    #[test]
    fn answers_of_other_servers_get_the_namespace_that_is_known() {
        const WANTED: &str = "<R xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><A>x</A></R>";
        for answer in [WANTED, "<R xmlns=\"http://doc.s3.amazonaws.com/2006-03-01/\"><A>x</A></R>", "<R><A>x</A></R>"] {
            assert_eq!(in_namespace(answer.to_owned()), WANTED);
            let with_head = format!("<?xml version=\"1.0\"?>\n{answer}");
            assert_eq!(in_namespace(with_head), format!("<?xml version=\"1.0\"?>\n{WANTED}"));
        }
        for odd in ["", "no XML", "<", "<?xml", "<R", "<R/>", "<R xmlns=\"", "<é>"] {
            in_namespace(odd.to_owned());
        }
    }
}
