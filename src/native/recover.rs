//! Starting what should run and does not: by the first command after a reboot, by each command when a monitor was
//! killed, and when it is asked for.

use crate::container;
use crate::context::Context;
use crate::error::Result;
use crate::model::Recovered;
use crate::store::Store;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What this process has started, and nobody has asked for yet.
#[derive(Default)]
pub struct Recovery(Mutex<Vec<Recovered>>);

impl Recovery {
    /// Starts what should run when the machine was started anew since the last command. Otherwise it costs one look into
    /// the database.
    pub fn after_a_reboot(&self, store: &Store) -> Result<()> {
        if !store.is_new_boot()? {
            return Ok(());
        }
        self.unasked(store, &Context::background())?;
        // Last: should this process be killed before, the next one does it.
        store.note_boot()
    }

    /// Starts what should run; what failed is no concern of the command at hand.
    pub fn unasked(&self, store: &Store, cx: &Context) -> Result<()> {
        // Held meanwhile: who asks waits for what is on its way.
        let mut before = self.lock();
        let recovered = container::recover(store, cx)?;
        for failed in recovered.iter().filter(|container| container.error.is_some()) {
            tracing::warn!(name = failed.name, error = failed.error, "a container was not started again");
        }
        before.extend(recovered);
        Ok(())
    }

    /// Starts what should run; also tells what was started before.
    pub fn asked(&self, store: &Store, cx: &Context) -> Result<Vec<Recovered>> {
        let mut before = self.lock();
        let now = container::recover(store, cx)?;
        let mut all = std::mem::take(&mut *before);
        all.retain(|before| now.iter().all(|after| after.id != before.id));
        all.extend(now);
        Ok(all)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Recovered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
