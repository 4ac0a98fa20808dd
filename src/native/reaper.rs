//! Clean-up that nobody waits for: a thread removes what is to go while the script goes on, and the process
//! ends when it has finished.

use super::clean_up;
use super::recover::Recovery;
use crate::build::secrets;
use crate::container::{self, Remains};
use crate::context::Context;
use crate::error::Result;
use crate::store::Store;
use crate::sys::niceness;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A script that asks for nothing so long is not in a hurry.
const PAUSE: Duration = Duration::from_secs(1);

/// The thread, started with the engine.
pub struct Reaper {
    running: Mutex<Option<(Sender<Job>, JoinHandle<bool>)>>,
}

enum Job {
    /// What is left of a container whose command has been answered for.
    Remains(Box<Remains>),
    /// A container ended or was removed: its folder may be in the trash, its network unused.
    Container,
    /// An image was removed: some of its content may belong to nobody now.
    Image,
    /// Somebody waits until all before it are done.
    Settle(Sender<()>),
}

impl Reaper {
    /// Starts the thread; it sweeps the root first.
    pub fn start(store: Arc<Store>, recovery: Arc<Recovery>) -> Self {
        let (jobs, receiver) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name("reaper".into()).spawn(move || work(&store, &recovery, &receiver));
        // Without a thread the next command sweeps.
        Self { running: Mutex::new(thread.ok().map(|thread| (jobs, thread))) }
    }

    /// Removes the container when its monitor has let go of it.
    pub fn take(&self, remains: Remains) {
        self.send(Job::Remains(Box::new(remains)));
    }

    /// Deletes the folders of removed containers, and what the ended ones no longer need.
    pub fn container_ended(&self) {
        self.send(Job::Container);
    }

    /// Waits until what was handed over so far is done: a container whose command has been answered for does not use its
    /// image any more.
    pub fn settle(&self) {
        let (done, wait) = mpsc::channel();
        self.send(Job::Settle(done));
        // It ends when the sender is dropped, too.
        let _ = wait.recv();
    }

    /// Deletes what belongs to no image any more.
    pub fn image_removed(&self) {
        self.send(Job::Image);
    }

    /// Waits until everything that was handed over is done, and leaves to a process of its own what may take longer.
    pub fn finish(&self, store: &Store) {
        let Some((jobs, thread)) = self.running().take() else { return };
        drop(jobs);
        // A thread that panicked did not finish.
        let worked = thread.join().unwrap_or(true);
        if worked
            || store.log_is_large()
            || container::has_idle_layers(store)
            || store.sweep_is_due().unwrap_or_default()
        {
            report("the clean-up of the root", clean_up::start(store.root()));
        }
    }

    fn send(&self, job: Job) {
        if let Some((jobs, _)) = &*self.running() {
            // The thread is gone only when it has panicked: then the next command sweeps.
            let _ = jobs.send(job);
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<(Sender<Job>, JoinHandle<bool>)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until no more jobs can come; whether there was any.
fn work(store: &Store, recovery: &Recovery, jobs: &Receiver<Job>) -> bool {
    let cx = Context::background();
    // At this priority: containers inherit it.
    report("containers that should run", recovery.unasked(store, &cx));
    niceness::lowest();
    report("what was left behind", container::sweep(store, &cx));
    secrets::sweep(store);
    if store.has_partial_content() {
        report("half-made content", store.sweep().map(drop));
    }
    report("what images let go of", store.take_out_garbage().map(drop));
    let mut worked = false;
    while let Some(job) = next(store, jobs) {
        worked = true;
        match job {
            Job::Remains(remains) => report("a container", container::finish(store, &cx, *remains)),
            Job::Container | Job::Image => {}
            Job::Settle(done) => drop(done.send(())),
        }
        report("what images let go of", store.take_out_garbage().map(drop));
        store.empty_trash();
    }
    store.empty_trash();
    worked
}

/// The next job. A long script's database log is moved into the database in its pauses.
fn next(store: &Store, jobs: &Receiver<Job>) -> Option<Job> {
    if store.log_is_large() {
        match jobs.recv_timeout(PAUSE) {
            Err(RecvTimeoutError::Timeout) => report("the database", store.checkpoint_if_large()),
            job => return job.ok(),
        }
    }
    jobs.recv().ok()
}

fn report(what: &str, done: Result<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, what, "clean-up failed; the next command tries again");
    }
}
