//! The tags of a repository.

use super::resolve::subject;
use super::transport::{Ask, Transport};
use crate::error::{Error, Result};
use crate::model::Reference;
use reqwest::Response;
use reqwest::header::LINK;
use serde::Deserialize;

/// So many at once; registries may give fewer.
const PAGE: usize = 1000;
/// A page of tags of 128 characters each, with room.
const MAX_PAGE_BODY: usize = 4 << 20;
/// A registry that always has one more page is stopped here.
const MAX_PAGES: usize = 500;

/// All tags, in the registry's order.
pub(super) async fn list(transport: &Transport, reference: &Reference) -> Result<Vec<String>> {
    let mut all = Vec::new();
    let mut next = Some(first(reference));
    for _ in 0..MAX_PAGES {
        let Some(path) = next else { return Ok(all) };
        let (tags, following) = page(transport, reference, path).await?;
        all.extend(tags);
        next = following;
    }
    Err(Error::corrupt(format!("registry `{}` has more than {MAX_PAGES} pages of tags", reference.registry())))
}

/// Some tags, for a hint: asked once, without trying again.
pub(super) async fn first_page(transport: &Transport, reference: &Reference) -> Result<Vec<String>> {
    Ok(page(transport, reference, first(reference)).await?.0)
}

fn first(reference: &Reference) -> String {
    format!("v2/{}/tags/list?n={PAGE}", reference.repository())
}

async fn page(transport: &Transport, reference: &Reference, path: String) -> Result<(Vec<String>, Option<String>)> {
    #[derive(Deserialize)]
    struct Body {
        // `null` for a repository whose tags are all deleted.
        tags: Option<Vec<String>>,
    }
    let what = format!("tags of `{}`", reference.familiar_name());
    let ask = Ask::get(&subject(reference), path, what);
    let (response, body) = transport.ask_document(&ask, MAX_PAGE_BODY).await?;
    let body: Body = serde_json::from_slice(&body).map_err(|error| super::manifest::broken("list of tags", &error))?;
    let tags = body.tags.unwrap_or_default();
    // What is no tag cannot be asked for, and must not reach a terminal.
    let tags = tags.into_iter().filter(|tag| Reference::is_tag(tag)).collect();
    Ok((tags, next_page(&response)))
}

/// `Link: </v2/name/tags/list?n=100&last=x>; rel="next"` (RFC 8288). Only the path and query are
/// used, so that a page cannot lead our credentials elsewhere.
fn next_page(response: &Response) -> Option<String> {
    let link = response.headers().get(LINK)?.to_str().ok()?;
    let (target, parameters) = link.trim_start().strip_prefix('<')?.split_once('>')?;
    if !parameters.replace(['"', ' '], "").contains("rel=next") {
        return None;
    }
    let url = response.url().join(target).ok()?;
    Some(format!("{}?{}", url.path().trim_start_matches('/'), url.query().unwrap_or_default()))
}
