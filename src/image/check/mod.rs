//! Whether a store is whole, and repairing what is not. It runs beside everything else: what is found is looked at again
//! before it is told, and what a living process has not finished is no damage.

mod blobs;
mod layers;
mod mapped;
mod rows;

use crate::context::Context;
use crate::error::Result;
use crate::model::{Damage, Digest, Finding, Platform, StoreCheck};
use crate::store::Store;

/// Pulls `repository@digest` for a platform.
pub type Pull<'a> = &'a dyn Fn(&str, &Platform) -> Result<()>;

/// Reads every blob, compares every layer with its blob, and looks for rows and files without each other. With `repair`, what
/// can be is repaired: layers from their blobs, blobs from where they were pulled.
pub fn check_store(store: &Store, repair: bool, pull: Pull<'_>, cx: &Context) -> Result<StoreCheck> {
    store.take_out_garbage()?;
    let mut check = Check { store, cx, repair, pull, result: StoreCheck::default() };
    check.rows()?;
    check.blobs()?;
    check.layers()?;
    check.mapped_layers()?;
    check.orphans()?;
    Ok(check.result)
}

struct Check<'a> {
    store: &'a Store,
    cx: &'a Context,
    repair: bool,
    pull: Pull<'a>,
    result: StoreCheck,
}

impl Check<'_> {
    /// Tells what is wrong, and repairs it: `repair` says in the infinitive what that is.
    fn found(
        &mut self,
        kind: Damage,
        what: impl ToString,
        detail: impl Into<String>,
        repair: &str,
        mend: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        let mut finding =
            Finding { kind, what: what.to_string(), detail: detail.into(), repair: repair.to_owned(), repaired: false };
        if self.repair {
            match mend(self) {
                Ok(()) => finding.repaired = true,
                Err(error) => {
                    self.cx.check()?;
                    finding.repair = format!("could not {repair}: {}", error.message());
                }
            }
        }
        self.result.findings.push(finding);
        Ok(())
    }

    /// Files without rows.
    fn orphans(&mut self) -> Result<()> {
        let Some(orphans) = self.store.orphans()? else {
            self.result.busy = true;
            return Ok(());
        };
        let swept = self.repair && !orphans.is_empty() && !self.store.sweep()?.busy;
        for orphan in orphans {
            let what = if orphan.is_layer { "layer" } else { "blob" };
            self.result.findings.push(Finding {
                kind: Damage::Orphan,
                what: format!("sha256:{}", orphan.name),
                detail: format!("the {what} belongs to no image"),
                repair: "delete it".to_owned(),
                repaired: swept,
            });
        }
        Ok(())
    }

    /// Fetches what is missing of an image from where it was pulled.
    fn pull_again(&self, image: &Digest) -> Result<()> {
        let info = super::info::info(self.store, image)?;
        let mut last = crate::error::Error::not_found("no registry is known to have it");
        for reference in &info.repo_digests {
            match (self.pull)(reference, &info.platform) {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
