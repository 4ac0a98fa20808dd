//! Which images nobody needs, and taking exactly those away.

use super::holdings::{Held, Holdings, mark};
use super::remove::{Removing, has_children, names, users};
use super::summary::Summary;
use crate::context::Context;
use crate::error::Result;
use crate::events;
use crate::model::{Digest, ImagePruneSpec, ImageRemoval, PruneItem, PruneKind, PrunePlan, PruneSkip, PruneSpec};
use crate::store::Store;
use crate::store::rusqlite::{OptionalExtension, Transaction};
use crate::sys::process::ProcessIdentity;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// What another process, which still runs, has pulled or built so lately is left to it: it may be about to make a
/// container from it.
const GRACE: Duration = Duration::from_secs(60 * 60);
/// Images that go in one transaction: it waits for the disk once, and keeps others out for its time only.
const BATCH: usize = 100;

/// Plans which images go when these containers are gone.
pub fn plan(store: &Store, spec: &PruneSpec, images: &ImagePruneSpec, gone: &BTreeSet<String>) -> Result<PrunePlan> {
    let mut planning = Planning {
        kept: HashSet::new(),
        skipped: HashMap::new(),
        alive: HashMap::new(),
        now: jiff::Timestamp::now(),
        spec,
        images,
        gone,
        holdings: Holdings::read(store)?,
    };
    planning.keep_newest();
    Ok(planning.plan())
}

struct Planning<'a> {
    spec: &'a PruneSpec,
    images: &'a ImagePruneSpec,
    gone: &'a BTreeSet<String>,
    holdings: Holdings,
    kept: HashSet<usize>,
    skipped: HashMap<usize, PruneSkip>,
    /// Processes that touched images, and whether they are others that run.
    alive: HashMap<String, bool>,
    now: jiff::Timestamp,
}

impl Planning<'_> {
    fn keep_newest(&mut self) {
        let Some(keep) = self.images.keep else { return };
        let mut repositories: HashMap<String, Vec<(jiff::Timestamp, i64, usize)>> = HashMap::new();
        for (index, image) in self.holdings.images.iter().enumerate() {
            for repository in image.repositories() {
                repositories.entry(repository).or_default().push((image.created, image.touched, index));
            }
        }
        for mut images in repositories.into_values() {
            images.sort_unstable_by(|a, b| b.cmp(a));
            self.kept.extend(images.into_iter().take(keep).map(|(.., index)| index));
        }
    }

    fn plan(mut self) -> PrunePlan {
        let mut order: Vec<usize> = (0..self.holdings.images.len()).collect();
        // What was needed longest ago goes first; without a name before that.
        order.sort_by_key(|index| {
            let image = &self.holdings.images[*index];
            (!image.tags.is_empty(), image.touched)
        });
        let mut left = self.holdings.layer_bytes() + self.holdings.blob_bytes();
        let mut plan = PrunePlan::default();
        let had_children: HashSet<usize> =
            order.iter().copied().filter(|index| self.holdings.images[*index].children > 0).collect();
        // Each round reaches the parents of what went in the one before.
        loop {
            let before = plan.items.len();
            for index in &order {
                if self.images.down_to.is_some_and(|target| left <= target) {
                    break;
                }
                if !self.goes(*index, had_children.contains(index)) {
                    continue;
                }
                let bytes = self.holdings.take(*index);
                left -= bytes;
                plan.freed += bytes;
                let image = &self.holdings.images[*index];
                plan.untagged.extend(image.names());
                plan.deleted.push(image.id.to_string());
                plan.items.push(item(image, bytes));
            }
            if plan.items.len() == before {
                break;
            }
        }
        plan.skipped = self.skipped.into_values().collect();
        plan.skipped.sort_by(|a, b| a.id.cmp(&b.id));
        plan
    }

    fn goes(&mut self, index: usize, had_children: bool) -> bool {
        let image = &self.holdings.images[index];
        if image.gone || image.children > 0 || image.containers.iter().any(|id| !self.gone.contains(id)) {
            return false;
        }
        // Nobody would see what only images that are gone were made from: it goes with them.
        let is_left_over = had_children && image.tags.is_empty() && image.digests.is_empty();
        if !is_left_over && !self.is_wanted(index) {
            return false;
        }
        let Some(process) = self.touched_by_other(index) else { return true };
        let reason = format!("process {process} has just pulled, built or named it");
        self.skipped.insert(index, item(&self.holdings.images[index], 0).skip(reason));
        false
    }

    fn is_wanted(&self, index: usize) -> bool {
        let image = &self.holdings.images[index];
        let named = self.images.all || self.images.keep.is_some() || self.images.down_to.is_some();
        if (!image.tags.is_empty() && !named) || self.kept.contains(&index) {
            return false;
        }
        if self.spec.older_than.is_some_and(|time| image.created >= time) {
            return false;
        }
        if self.spec.labels.is_empty() && self.spec.not_labels.is_empty() {
            return true;
        }
        let labels = Summary::from_json(image.summary.as_deref()).map(|summary| summary.labels).unwrap_or_default();
        self.spec.labels_match(&labels)
    }

    /// The pid of another process, which runs, that has it in its hands.
    fn touched_by_other(&mut self, index: usize) -> Option<String> {
        let image = &self.holdings.images[index];
        let owner = image.touched_by.as_ref()?;
        let touched = jiff::Timestamp::from_nanosecond(image.touched.into()).ok()?;
        if self.now.duration_since(touched) > jiff::SignedDuration::try_from(GRACE).ok()? {
            return None;
        }
        let alive = *self.alive.entry(owner.clone()).or_insert_with(|| is_other_that_runs(owner));
        alive.then(|| owner.split(' ').nth(1).unwrap_or_default().to_owned())
    }
}

fn is_other_that_runs(owner: &str) -> bool {
    let mut words = owner.split(' ');
    let identity = (|| {
        let boot_id = words.next()?.to_owned();
        Some(ProcessIdentity { boot_id, pid: words.next()?.parse().ok()?, start_time: words.next()?.parse().ok()? })
    })();
    identity.is_some_and(|identity| {
        ProcessIdentity::current().is_ok_and(|own| (own.pid, own.start_time) != (identity.pid, identity.start_time))
            && identity.is_alive()
    })
}

fn item(image: &Held, bytes: u64) -> PruneItem {
    PruneItem {
        kind: PruneKind::Image,
        id: image.id.to_string(),
        names: image.names(),
        created: Some(image.created),
        bytes,
        mark: image.mark(),
    }
}

/// Takes the images of a plan away. What has changed since is left alone, and told.
pub fn carry_out(store: &Store, cx: &Context, items: &[&PruneItem], done: &mut PrunePlan) -> Result<()> {
    for batch in items.chunks(BATCH) {
        cx.check()?;
        let (happened, outcomes) = store.write_durable(|tx| {
            let mut removing = Removing { store, tx, removal: ImageRemoval::default(), happened: Vec::new() };
            let mut outcomes = Vec::with_capacity(batch.len());
            for item in batch {
                if let Some(reason) = why_not(tx, item)? {
                    outcomes.push(Err(reason));
                    continue;
                }
                removing.delete_one(&item.id.parse()?)?;
                outcomes.push(Ok(std::mem::take(&mut removing.removal)));
            }
            Ok((removing.happened, outcomes))
        })?;
        events::record(store.root(), &happened);
        store.take_out_garbage()?;
        for (item, outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Err(reason) => done.skipped.push(item.skip(reason)),
                Ok(removal) => {
                    done.items.push(PruneItem { bytes: removal.freed, ..(*item).clone() });
                    done.freed += removal.freed;
                    done.untagged.extend(removal.untagged);
                    done.deleted.extend(removal.deleted);
                }
            }
        }
    }
    Ok(())
}

/// What has come between plan and removal.
fn why_not(tx: &Transaction<'_>, item: &PruneItem) -> Result<Option<String>> {
    let id: Digest = item.id.parse()?;
    let touched: Option<i64> = tx
        .prepare_cached("SELECT ifnull(touched, added) FROM images WHERE id = ?1")?
        .query_row([&item.id], |row| row.get(0))
        .optional()?;
    let Some(touched) = touched else { return Ok(Some("it was removed meanwhile".to_owned())) };
    if let Some(user) = users(tx, &id)?.first() {
        return Ok(Some(format!("container `{}` uses it", user.name)));
    }
    if has_children(tx, &id)? {
        return Ok(Some("an image was made from it".to_owned()));
    }
    let names: Vec<String> = names(tx, &id)?.into_iter().map(|name| name.canonical).collect();
    let unchanged = mark(touched, names.iter()) == item.mark;
    Ok((!unchanged).then(|| "it was pulled, built or named again meanwhile".to_owned()))
}
