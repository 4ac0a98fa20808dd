//! Clean-up that nobody waits for: a thread removes what is to go while the script goes on, and the process
//! ends when it has finished.

use crate::container::{self, Remains};
use crate::context::Context;
use crate::error::Result;
use crate::network;
use crate::store::Store;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

/// The thread, started with the engine.
pub struct Reaper {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

enum Job {
    /// What is left of a container whose command has been answered for.
    Remains(Box<Remains>),
    /// A container was removed: its folder is in the trash.
    Container,
    /// An image was removed: some of its content may belong to nobody now.
    Image,
}

impl Reaper {
    /// Starts the thread; it sweeps the root first.
    pub fn start(store: Arc<Store>) -> Self {
        let (jobs, receiver) = mpsc::channel();
        let thread = std::thread::Builder::new().name("reaper".into()).spawn(move || work(&store, &receiver)).ok();
        Self { jobs: Some(jobs), thread }
    }

    /// Removes the container when its monitor has let go of it.
    pub fn take(&self, remains: Remains) {
        self.send(Job::Remains(Box::new(remains)));
    }

    /// Deletes the folders of removed containers.
    pub fn container_removed(&self) {
        self.send(Job::Container);
    }

    /// Deletes what belongs to no image any more.
    pub fn image_removed(&self) {
        self.send(Job::Image);
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread is gone only when it has panicked: then the next command sweeps.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(store: &Store, jobs: &Receiver<Job>) {
    let cx = Context::background();
    report("what was left behind", container::sweep(store, &cx));
    if store.has_partial_content() {
        report("half-made content", store.sweep().map(drop));
    }
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Remains(remains) => report("a container", container::finish(store, &cx, *remains)),
            Job::Container => {}
            Job::Image => report("an image", store.sweep().map(drop)),
        }
        store.empty_trash();
    }
    store.empty_trash();
    // Not before: the next container would have to make the network again.
    report("the network", network::teardown_if_unused(store).map(drop));
    report("the database", store.checkpoint_if_large());
}

fn report(what: &str, done: Result<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, what, "clean-up failed; the next command tries again");
    }
}
