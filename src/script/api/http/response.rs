//! `HttpResponse`: what a server answered.

use crate::error::{Error, Result};
use crate::script::binding::{Bytes, Object, api};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a server answered to a request of `http::`.
#[derive(Clone, Object)]
#[object(name = "HttpResponse")]
pub struct Response(pub Arc<Answer>);

/// The answer, read to its end.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

#[api]
impl Response {
    /// Status code: 200, 404 and so on.
    #[get(column)]
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// Whether the status is from 200 to 299.
    #[get]
    pub fn ok(&self) -> bool {
        (200..300).contains(&self.0.status)
    }

    /// Where it came from, after redirects.
    #[get(column)]
    pub fn url(&self) -> String {
        self.0.url.clone()
    }

    /// Headers, names in lower case.
    #[get]
    pub fn headers(&self) -> BTreeMap<String, String> {
        self.0.headers.clone()
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    #[get]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.body).into_owned()
    }

    /// The body as a blob.
    #[get(lazy)]
    pub fn bytes(&self) -> Bytes {
        Bytes(self.0.body.clone())
    }

    /// The value of a JSON body.
    ///
    /// # Example (engine)
    /// print(http::get("http://127.0.0.1:8080/status").json().version);
    ///
    /// # Errors
    /// `invalid` when it is not JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.0.body)
            .map_err(|error| Error::invalid(format!("the answer of `{}` is not JSON: {error}", self.0.url)))
    }
}
