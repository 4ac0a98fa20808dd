//! Whether a server answers: for `wait_for(#{ http })`.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::sys::async_runtime::{block_on_to, handle};
use std::sync::OnceLock;
use std::time::Duration;

/// One attempt; a server that takes longer is asked again.
const ATTEMPT: Duration = Duration::from_secs(5);

/// Whether a GET on `url` gives a code below 400. A server that cannot be reached does not answer; only a wrong URL,
/// Ctrl-C and the deadline are errors.
pub fn is_answered(cx: &Context, url: &str) -> Result<bool> {
    let url: url::Url = url.parse().map_err(|error| {
        Error::invalid(format!("`{url}` is not a URL: {error}"))
            .hint("write it as `/health` or `http://127.0.0.1:8080/health`")
    })?;
    let client = client()?;
    block_on_to(super::super::http::address(&url), &cx.cancel, || async {
        let response = client.get(url).timeout(ATTEMPT).send().await;
        Ok(response.is_ok_and(|response| response.status().as_u16() < 400))
    })
}

fn client() -> Result<&'static reqwest::Client> {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    // The runtime also brings the cryptography that the client wants, even for plain HTTP.
    handle()?;
    // No proxy: the container is asked, not what stands between us and the world.
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.map_err(|error| Error::unsupported(format!("cannot start an HTTP client: {error}")))?;
    Ok(CLIENT.get_or_init(|| client))
}
