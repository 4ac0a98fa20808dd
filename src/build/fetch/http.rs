//! Files by HTTP.

use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::Digest;
use crate::sys::async_runtime::{block_on, handle};
use futures_util::StreamExt;
use reqwest::header::{CONTENT_DISPOSITION, LAST_MODIFIED};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A transfer that stands still for so long has failed.
const STALLED: Duration = Duration::from_secs(30);

/// Whether a source is an address that is fetched by HTTP.
pub fn is_http(source: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| source.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme)))
}

/// Fetches a file into a folder, under the name that its address ends with; as old as the server says. Redirects are followed to
/// other addresses of HTTP only.
///
/// # Errors
/// `corrupt` when its digest is not `checksum`; `not_found`, `denied` or `network` as the server answers.
pub fn download(address: &str, folder: &Path, checksum: Option<&str>, cx: &Context) -> Result<PathBuf> {
    let expected: Option<Digest> = checksum.map(str::parse).transpose()?;
    let url: url::Url =
        address.parse().map_err(|error| Error::invalid(format!("`{address}` is not an address: {error}")))?;
    let shown = shown(&url);
    let _runtime = handle()?.enter();
    let client = reqwest::Client::builder()
        .user_agent(concat!("shanty/", env!("CARGO_PKG_VERSION")))
        .read_timeout(STALLED)
        .connect_timeout(STALLED)
        .build()
        .map_err(|error| failed(&shown, &error))?;
    let progress = cx.progress.start(&shown, None);
    let (path, digest) = block_on(&cx.cancel, async {
        let response = client.get(url.clone()).send().await.map_err(|error| failed(&shown, &error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(refused(&shown, status));
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let name = name(&url, header(CONTENT_DISPOSITION).as_deref())?;
        let modified = header(LAST_MODIFIED).and_then(|text| jiff::fmt::rfc2822::parse(&text).ok());
        let path = folder.join(name);
        let doing = || format!("cannot store what `{shown}` gives");
        let mut file = File::create(&path).doing(doing)?;
        let (mut hasher, mut body) = (Sha256::new(), response.bytes_stream());
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| failed(&shown, &error))?;
            file.write_all(&bytes).doing(doing)?;
            hasher.update(&bytes);
            progress.advance(bytes.len() as u64);
        }
        if let Some(time) = modified {
            file.set_modified(time.timestamp().into()).doing(doing)?;
        }
        Ok((path, Digest::from_sha256(&hasher.finalize())))
    })?;
    match expected {
        Some(expected) if expected != digest => {
            Err(Error::corrupt(format!("`{shown}` gives the digest `{digest}`, not `{expected}`"))
                .hint("it was changed since: look at it, and then write its digest into `--checksum`"))
        }
        _ => Ok(path),
    }
}

/// The file's name: the last part of the address.
fn name(url: &url::Url, disposition: Option<&str>) -> Result<String> {
    let of_path = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let of_header =
        disposition.and_then(|text| text.split("filename=").nth(1)).map(|name| name.trim_matches(['"', ' ']));
    let name = if of_path.is_empty() { of_header.unwrap_or_default() } else { of_path };
    if name.is_empty() || matches!(name, "." | "..") || name.contains(['/', '\0']) {
        return Err(Error::invalid(format!("`{}` does not say what its file is called", shown(url))));
    }
    Ok(name.to_owned())
}

/// The address without a password.
fn shown(url: &url::Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        let _ = url.set_password(Some("***"));
    }
    url.to_string()
}

fn refused(shown: &str, status: reqwest::StatusCode) -> Error {
    let kind = match status.as_u16() {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Denied,
        404 | 410 => ErrorKind::NotFound,
        _ => ErrorKind::Network,
    };
    Error::new(kind, format!("cannot fetch `{shown}`: the server answers {status}"))
}

fn failed(shown: &str, error: &reqwest::Error) -> Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Error::new(ErrorKind::Network, format!("cannot fetch `{shown}`: {cause}"))
}
