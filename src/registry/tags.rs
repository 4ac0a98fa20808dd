//! The tags of a repository, and the repositories of a registry.

use super::failure::Failure;
use super::manifest::broken;
use super::subject::{Access, Subject};
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
    let subject = transport.options.configuration.origin(reference)?;
    pages(transport, ask(&subject, reference), parse).await
}

/// All repositories of a registry, in its order.
pub(super) async fn repositories(transport: &Transport, registry: &str) -> Result<Vec<String>> {
    let subject = transport.options.configuration.registry(registry, Access::Catalog)?;
    let first = Ask::get(&subject, format!("v2/_catalog?n={PAGE}"), "its repositories".to_owned());
    pages(transport, first, parse_repositories).await
}

async fn pages(transport: &Transport, mut ask: Ask, parse: fn(&[u8]) -> Result<Vec<String>>) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for _ in 0..MAX_PAGES {
        let (response, body) = transport.ask_document(&ask, MAX_PAGE_BODY).await?;
        all.extend(parse(&body)?);
        match next_page(&response) {
            Some(path) => ask.path = path,
            None => return Ok(all),
        }
    }
    Err(Error::corrupt(format!("registry `{}` has more than {MAX_PAGES} pages of {}", ask.subject.registry, ask.what)))
}

fn parse_repositories(body: &[u8]) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Body {
        repositories: Option<Vec<String>>,
    }
    let body: Body = serde_json::from_slice(body).map_err(|error| broken("list of repositories", &error))?;
    let mut all = body.repositories.unwrap_or_default();
    // What is no name cannot be asked for, and must not reach a terminal.
    all.retain(|name| format!("host.example/{name}").parse::<Reference>().is_ok());
    Ok(all)
}

/// Some tags, for a hint: asked for without trying again.
pub(super) async fn first_page(transport: &Transport, subject: &Subject, reference: &Reference) -> Result<Vec<String>> {
    let got = transport.ask_document_once(&ask(subject, reference), MAX_PAGE_BODY).await;
    let (_, body) = got.map_err(Failure::into_error)?;
    parse(&body)
}

fn ask(subject: &Subject, reference: &Reference) -> Ask {
    let path = format!("v2/{}/tags/list?n={PAGE}", subject.repository);
    Ask::get(subject, path, format!("tags of `{}`", reference.familiar_name()))
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
