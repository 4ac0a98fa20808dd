//! Writing an object: in one request when it is small, else in parts that become an object at the end.

use super::{Bucket, SIGNED_FOR};
use crate::error::{Error, ErrorKind, Result};
use crate::script::api::backup_target::Destination;
use bytes::Bytes;
use reqwest::{Method, StatusCode};
use rusty_s3::{S3Action, actions};
use std::io::{self, Write};
use std::time::Duration;

/// Parts are kept in memory until they are sent. A server takes 10,000 of 5 MiB at least: nobody knows how much will come,
/// so the first ones are small and the others larger, and all together hold 512 GB.
const SMALL: usize = 8 << 20;
const SMALL_PARTS: usize = 2000;
const LARGE: usize = 64 << 20;
/// How long a server may take to begin an upload, and to forget one that failed.
const SHORT: Duration = Duration::from_secs(10);

/// An object that is being written.
pub struct Upload {
    bucket: Bucket,
    key: String,
    buffer: Vec<u8>,
    parts: Option<Parts>,
}

/// What was sent of it: the upload's name, and what the server calls the parts.
struct Parts {
    id: String,
    tags: Vec<String>,
}

impl Upload {
    /// Of a key; nothing is sent yet.
    pub fn new(bucket: Bucket, key: String) -> Result<Self> {
        if key.is_empty() || key.ends_with('/') {
            return Err(Error::invalid(format!("`{}` has no name of a file", bucket.url(&key)))
                .hint("write it as `s3://bucket/folder/name`"));
        }
        Ok(Self { bucket, key, buffer: Vec::new(), parts: None })
    }

    fn doing(&self) -> String {
        format!("cannot write `{}`", self.bucket.url(&self.key))
    }

    /// How large the part has to be that is filled now.
    fn part_size(&self) -> usize {
        if self.parts.as_ref().is_some_and(|parts| parts.tags.len() >= SMALL_PARTS) { LARGE } else { SMALL }
    }

    fn send_part(&mut self) -> Result<()> {
        let doing = || self.doing();
        let (bucket, credentials) = (&self.bucket.signer, Some(&self.bucket.credentials));
        if self.parts.is_none() {
            self.bucket.cx.check()?;
            // To its end also when the script has to end: an upload whose id nobody has heard cannot be aborted.
            let answer = self.bucket.within(SHORT).text(&Method::POST, &Bytes::new(), &doing, &|| {
                bucket.create_multipart_upload(credentials, &self.key).sign(SIGNED_FOR)
            })?;
            let started = actions::CreateMultipartUpload::parse_response(&answer)
                .map_err(|error| Error::new(ErrorKind::Network, format!("{}: {error}", self.doing())))?;
            self.parts = Some(Parts { id: started.upload_id().to_owned(), tags: Vec::new() });
        }
        let Some(parts) = &self.parts else { return Ok(()) };
        let number = u16::try_from(parts.tags.len() + 1).ok().filter(|number| *number <= 10_000);
        let number = number.ok_or_else(|| Error::invalid(format!("{}: it is larger than 512 GB", self.doing())))?;
        let body = Bytes::from(std::mem::take(&mut self.buffer));
        let doing = || self.doing();
        let answer = self.bucket.send(&Method::PUT, &body, &doing, &|| {
            bucket.upload_part(credentials, &self.key, number, &parts.id).sign(SIGNED_FOR)
        })?;
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let tag = tag.ok_or_else(|| Error::new(ErrorKind::Network, format!("{}: a part has no name", self.doing())))?;
        if let Some(parts) = &mut self.parts {
            parts.tags.push(tag);
        }
        // The memory of the part, where nobody else has it any more.
        self.buffer = body.try_into_mut().map(|body| Vec::from(body.freeze())).unwrap_or_default();
        self.buffer.clear();
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let credentials = Some(&self.bucket.credentials.clone());
        if self.parts.is_none() {
            let body = Bytes::from(std::mem::take(&mut self.buffer));
            let doing = || self.doing();
            return self
                .bucket
                .send(&Method::PUT, &body, &doing, &|| {
                    self.bucket.signer.put_object(credentials, &self.key).sign(SIGNED_FOR)
                })
                .map(drop);
        }
        if !self.buffer.is_empty() {
            self.send_part()?;
        }
        let Some(parts) = &self.parts else { return Ok(()) };
        let complete = || {
            let tags = parts.tags.iter().map(String::as_str);
            self.bucket.signer.complete_multipart_upload(credentials, &self.key, &parts.id, tags)
        };
        let body = Bytes::from(complete().body());
        let doing = || self.doing();
        let answer = self.bucket.text(&Method::POST, &body, &doing, &|| complete().sign(SIGNED_FOR))?;
        // It answers 200 before it has joined the parts, and says later that it could not.
        if answer.contains("<Error>") {
            return Err(super::failure::refusal(&self.doing(), StatusCode::OK, &answer).error);
        }
        self.parts = None;
        Ok(())
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.part_size().saturating_sub(self.buffer.len());
        let taken = bytes.len().min(room);
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() >= self.part_size() {
            self.send_part().map_err(io::Error::other)?;
        }
        Ok(taken)
    }

    /// Parts go when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Destination for Upload {
    fn commit(mut self: Box<Self>) -> Result<()> {
        self.finish()
    }
}

impl Drop for Upload {
    /// Has the server forget the parts, which it would keep, and charge for, without showing them.
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        // What ended the upload may have been the end of the script.
        let bucket = self.bucket.within(SHORT);
        let _ = bucket.text(&Method::DELETE, &Bytes::new(), &|| self.doing(), &|| {
            bucket.signer.abort_multipart_upload(Some(&bucket.credentials), &self.key, &parts.id).sign(SIGNED_FOR)
        });
    }
}
