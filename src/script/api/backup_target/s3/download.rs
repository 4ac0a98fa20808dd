//! Reading an object as it comes.

use super::failure::unreachable;
use super::{Bucket, SIGNED_FOR};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::async_runtime::block_on;
use bytes::{Buf, Bytes};
use reqwest::{Method, Response};
use rusty_s3::S3Action;
use std::io::{self, Read};
use std::time::Duration;

/// A server that says nothing for so long is not there.
const SILENCE: Duration = Duration::from_secs(120);

/// An object that is being read.
pub struct Download {
    bucket: Bucket,
    url: String,
    answer: Response,
    chunk: Bytes,
}

impl Download {
    /// Asks for it.
    pub fn start(bucket: Bucket, key: &str) -> Result<Self> {
        let url = bucket.url(key);
        let answer = bucket.send(&Method::GET, &Bytes::new(), &|| format!("cannot read `{url}`"), &|| {
            bucket.signer.get_object(Some(&bucket.credentials), key).sign(SIGNED_FOR)
        })?;
        Ok(Self { bucket, url, answer, chunk: Bytes::new() })
    }

    /// The next bytes; none at the end. An answer that is shorter than it said it would be is an error.
    fn next(&mut self) -> Result<Option<Bytes>> {
        let doing = || format!("cannot read `{}`", self.url);
        block_on(&self.bucket.cx.cancel, async {
            match tokio::time::timeout(SILENCE, self.answer.chunk()).await {
                Ok(chunk) => chunk.map_err(|error| unreachable(&doing(), &error)),
                Err(_) => Err(Error::new(ErrorKind::Timeout, format!("{}: nothing comes any more", doing()))),
            }
        })
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.next().map_err(io::Error::other)? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
