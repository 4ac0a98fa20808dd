//! The steps of one stage, one after another: found in the cache or done, shown, reported, and put on the image.

use super::cache::Made;
use super::layer;
use super::session::Session;
use super::state::State;
use crate::context::{Context, StepProgress};
use crate::error::{Error, Result};
use crate::model::{BuiltStep, Digest, NoCache, Stream};
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Does the steps of a stage.
pub struct Worker<'s, 'a> {
    pub session: &'s Session<'a>,
    pub cx: Context,
    /// The stage, by name or number.
    stage: String,
    /// Its steps that make layers, and how many of them have begun.
    total: usize,
    begun: usize,
    no_cache: bool,
}

/// What a step is called.
pub struct Title<'t> {
    /// For people: `RUN npm install`.
    pub shown: &'t str,
    /// For the history of the image.
    pub created_by: &'t str,
}

/// One step at work.
pub struct Work<'w, 'a> {
    pub session: &'w Session<'a>,
    pub cx: &'w Context,
    /// The topmost layer so far.
    pub below: Option<Digest>,
    shown: &'w str,
    no_cache: bool,
    cached: bool,
    log: &'w Log,
}

/// What a step's command writes.
pub struct Log {
    progress: Box<dyn StepProgress>,
    bytes: Mutex<Vec<u8>>,
}

/// Most that is kept of the output of a step, bytes; it is shown in whole.
const MOST: usize = 16 << 20;

impl<'s, 'a> Worker<'s, 'a> {
    /// For a stage with so many steps that make layers.
    pub fn new(session: &'s Session<'a>, cx: Context, stage: String, total: usize) -> Self {
        let no_cache = match &session.spec.no_cache {
            NoCache::Never => false,
            NoCache::All => true,
            NoCache::Stages(stages) => stages.iter().any(|name| name.eq_ignore_ascii_case(&stage)),
        };
        Self { session, cx, stage, total, begun: 0, no_cache }
    }

    /// A step that has a part in the files: `work` finds or makes its layer.
    pub fn step(
        &mut self,
        state: &mut State,
        title: &Title<'_>,
        work: impl FnOnce(&mut Work<'_, '_>) -> Result<Made>,
    ) -> Result<()> {
        let below = state.chain().cloned();
        let made = self.show(title.shown, |work_on| {
            work_on.below = below;
            work(work_on)
        })?;
        state.push(made, title.created_by);
        Ok(())
    }

    /// Shows and reports what makes no layer of the stage: fetching its base.
    pub fn show<T>(&mut self, shown: &str, work: impl FnOnce(&mut Work<'_, '_>) -> Result<T>) -> Result<T> {
        self.cx.check()?;
        self.begun += 1;
        let name = if self.stage.is_empty() {
            format!("[{}/{}] {shown}", self.begun, self.total)
        } else {
            format!("[{} {}/{}] {shown}", self.stage, self.begun, self.total)
        };
        let log = Log { progress: self.cx.progress.step(&name), bytes: Mutex::default() };
        let started = Instant::now();
        let mut at_work = Work {
            session: self.session,
            cx: &self.cx,
            below: None,
            shown,
            no_cache: self.no_cache,
            cached: false,
            log: &log,
        };
        let done = work(&mut at_work);
        let cached = at_work.cached;
        match &done {
            Ok(_) if cached => log.progress.cached(),
            Ok(_) => log.progress.done(),
            Err(_) => log.progress.failed(),
        }
        self.session.report(BuiltStep {
            name,
            stage: self.stage.clone(),
            step: shown.to_owned(),
            cached,
            duration: started.elapsed(),
            log: log.bytes.into_inner().unwrap_or_else(PoisonError::into_inner),
        });
        done
    }
}

impl<'w> Work<'w, '_> {
    /// What the cache has for a key.
    pub fn find(&mut self, key: &str) -> Result<Option<Made>> {
        if self.no_cache {
            return Ok(None);
        }
        let found = self.session.cache.look_up(key, self.below.as_ref(), self.cx)?;
        self.cached |= found.is_some();
        Ok(found)
    }

    /// What the cache has for a key, or a layer of the tar that `write` writes; an empty one is none.
    pub fn find_or_make(&mut self, key: &str, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<Made> {
        let (content, below, cx) = (self.session.content, self.below.clone(), self.cx);
        self.find_or(key, || layer::from_tar(content, below.as_ref(), cx, write))
    }

    /// The same with a layer that is made otherwise.
    pub fn find_or(
        &mut self,
        key: &str,
        make: impl FnOnce() -> Result<Option<super::cache::BuiltLayer>>,
    ) -> Result<Made> {
        if let Some(found) = self.find(key)? {
            return Ok(found);
        }
        let _claim = self.session.content.claim(key, &self.cx.cancel)?;
        // Somebody else has made it meanwhile.
        if let Some(found) = self.find(key)? {
            return Ok(found);
        }
        let made = Made { layer: make()?, created: super::cache::now() };
        self.remember(key, &made)?;
        Ok(made)
    }

    /// Keeps what was made under one more key.
    pub fn remember(&self, key: &str, made: &Made) -> Result<()> {
        self.session.cache.remember(key, self.shown, made)
    }

    /// What is done was there already.
    pub fn mark_cached(&mut self) {
        self.cached = true;
    }

    /// Where output goes.
    pub fn log(&self) -> &'w Log {
        self.log
    }

    /// Fails for a step that asks for what has to be allowed.
    pub fn require(&self, entitlement: &str, what: &str) -> Result<()> {
        if self.session.spec.allow.iter().any(|allowed| allowed == entitlement) {
            return Ok(());
        }
        Err(Error::new(crate::error::ErrorKind::Denied, format!("{what} is not allowed in this build"))
            .hint(format!("allow it, if you trust what is built: `allow: [\"{entitlement}\"]`")))
    }
}

impl Log {
    /// Takes what a command wrote.
    pub fn write(&self, stream: Stream, bytes: &[u8]) {
        self.progress.output(stream, bytes);
        let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}
