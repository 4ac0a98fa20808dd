//! The tags of a repository.

use super::failure::Failure;
use super::manifest::broken;
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
        let (response, body) = transport.ask_document(&ask(reference, path), MAX_PAGE_BODY).await?;
        all.extend(parse(&body)?);
        next = next_page(&response);
    }
    Err(Error::corrupt(format!("registry `{}` has more than {MAX_PAGES} pages of tags", reference.registry())))
}

/// Some tags, for a hint: asked for without trying again.
pub(super) async fn first_page(transport: &Transport, reference: &Reference) -> Result<Vec<String>> {
    let got = transport.ask_document_once(&ask(reference, first(reference)), MAX_PAGE_BODY).await;
    let (_, body) = got.map_err(Failure::into_error)?;
    parse(&body)
}

fn first(reference: &Reference) -> String {
    format!("v2/{}/tags/list?n={PAGE}", reference.repository())
}

fn ask(reference: &Reference, path: String) -> Ask {
    Ask::get(&subject(reference), path, format!("tags of `{}`", reference.familiar_name()))
}

fn parse(body: &[u8]) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Body {
        // `null` for a repository whose tags are all deleted.
        tags: Option<Vec<String>>,
    }
    let body: Body = serde_json::from_slice(body).map_err(|error| broken("list of tags", &error))?;
    // What is no tag cannot be asked for, and must not reach a terminal.
    Ok(body.tags.unwrap_or_default().into_iter().filter(|tag| Reference::is_tag(tag)).collect())
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
