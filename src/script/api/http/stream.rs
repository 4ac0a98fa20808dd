//! The body of an answer as it comes, of any length.

use super::request::{client, failure};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::script::binding::Call;
use crate::sys::async_runtime::block_on;
use bytes::{Buf, Bytes};
use reqwest::Method;
use std::io::{self, Read};

/// Asks for a URL, and gives the body.
///
/// # Errors
/// `not_found` when there is nothing at the URL, `network` otherwise.
pub fn stream(call: &Call, url: &str) -> Result<Box<dyn Read + Send>> {
    let target: url::Url = url.parse().map_err(|error| Error::invalid(format!("`{url}` is not a URL: {error}")))?;
    let cx = call.context();
    let request = client()?.get(target);
    let response =
        block_on(&cx.cancel, async { request.send().await.map_err(|error| failure(&Method::GET, url, &error)) })?;
    let status = response.status();
    if !status.is_success() {
        let kind = if status == 404 || status == 410 { ErrorKind::NotFound } else { ErrorKind::Network };
        return Err(Error::new(kind, format!("GET {url}: the answer is {status}")));
    }
    Ok(Box::new(Body { response, url: url.to_owned(), cx, chunk: Bytes::new() }))
}

struct Body {
    response: reqwest::Response,
    url: String,
    cx: Context,
    chunk: Bytes,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            let next = block_on(&self.cx.cancel, async {
                self.response.chunk().await.map_err(|error| failure(&Method::GET, &self.url, &error))
            });
            self.chunk = next.map_err(io::Error::other)?.unwrap_or_default();
        }
        let count = self.chunk.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.chunk[..count]);
        self.chunk.advance(count);
        Ok(count)
    }
}
