//! A tree of cancellation tokens, each with an optional deadline and a descriptor to poll.

use crate::error::{Error, ErrorKind, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Why an operation has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// Ctrl-C, the end of a scope, or a sibling's failure.
    Cancelled,
    /// The deadline passed.
    Timeout,
}

impl CancelReason {
    /// The error that an operation which stopped for this reason returns.
    pub fn error(self) -> Error {
        match self {
            Self::Cancelled => Error::new(ErrorKind::Cancelled, "cancelled"),
            Self::Timeout => Error::new(ErrorKind::Timeout, "timed out"),
        }
    }
}

/// Tells operations to stop. Clones are the same token; children stop with their parent, not the
/// other way round.
#[derive(Clone)]
pub struct CancelToken(Arc<Node>);

struct Node {
    cancelled: AtomicU8,
    deadline: Option<Instant>,
    event: OnceLock<Option<EventFd>>,
    children: Mutex<Vec<Weak<Node>>>,
}

impl CancelToken {
    /// A token of its own, without a deadline.
    pub fn new() -> Self {
        Self::node(None)
    }

    fn node(deadline: Option<Instant>) -> Self {
        Self(Arc::new(Node {
            cancelled: AtomicU8::new(0),
            deadline,
            event: OnceLock::new(),
            children: Mutex::new(Vec::new()),
        }))
    }

    /// A token that stops when this one does, and can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        self.child_until(self.0.deadline)
    }

    /// A child that also stops when `timeout` has passed.
    #[must_use]
    pub fn child_with_timeout(&self, timeout: Duration) -> Self {
        let own = Instant::now().checked_add(timeout);
        let deadline = match (own, self.0.deadline) {
            (Some(own), Some(parent)) => Some(own.min(parent)),
            (own, parent) => own.or(parent),
        };
        self.child_until(deadline)
    }

    fn child_until(&self, deadline: Option<Instant>) -> Self {
        let child = Self::node(deadline);
        let mut children = self.children();
        children.retain(|child| child.strong_count() > 0);
        children.push(Arc::downgrade(&child.0));
        // Under the lock, so that a `cancel` running at the same time sees either the child or us.
        if self.0.cancelled.load(Ordering::SeqCst) != 0 {
            child.0.cancelled.store(1, Ordering::SeqCst);
        }
        drop(children);
        child
    }

    fn children(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Node>>> {
        self.0.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops this token and everything below it.
    pub fn cancel(&self) {
        let children = self.children();
        self.0.cancelled.store(1, Ordering::SeqCst);
        if let Some(Some(event)) = self.0.event.get() {
            // Fails only when the counter is full, and then it is readable already.
            let _ = event.write(1);
        }
        for child in children.iter().filter_map(Weak::upgrade) {
            Self(child).cancel();
        }
    }

    /// Why to stop, once there is a reason.
    pub fn reason(&self) -> Option<CancelReason> {
        if self.0.cancelled.load(Ordering::SeqCst) != 0 {
            Some(CancelReason::Cancelled)
        } else if self.0.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(CancelReason::Timeout)
        } else {
            None
        }
    }

    /// Fails with `cancelled` or `timeout` once there is a reason to stop.
    pub fn check(&self) -> Result<()> {
        match self.reason() {
            Some(reason) => Err(reason.error()),
            None => Ok(()),
        }
    }

    /// When the time is up, if it ever is.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// Time left until the deadline; `None` without one.
    pub fn remaining(&self) -> Option<Duration> {
        self.0.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// A descriptor that becomes readable on `cancel` (not at the deadline: use [`Self::remaining`]).
    /// `None` when the process has run out of descriptors; then poll with short timeouts.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        let event =
            self.0.event.get_or_init(|| EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).ok());
        let event = event.as_ref()?;
        // A cancel that came before the descriptor existed could not write to it.
        if self.0.cancelled.load(Ordering::SeqCst) != 0 {
            let _ = event.write(1);
        }
        Some(event.as_fd())
    }

    /// Waits this long, or until there is a reason to stop.
    pub fn sleep(&self, duration: Duration) -> Result<()> {
        let until = Instant::now() + duration;
        loop {
            self.check()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.wait_readable(None, Some(left))?;
        }
    }

    /// Waits until `fd` is readable or hung up (`true`), or `at_most` has passed (`false`).
    /// Fails once there is a reason to stop.
    pub fn wait_readable(&self, fd: Option<BorrowedFd<'_>>, at_most: Option<Duration>) -> Result<bool> {
        let until = at_most.map(|at_most| Instant::now() + at_most);
        loop {
            self.check()?;
            let cancel = self.fd();
            // Without a descriptor to poll, look for a cancel often enough for a person.
            let tick = if cancel.is_none() { Some(Duration::from_millis(50)) } else { None };
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let wait = [left, self.remaining(), tick].into_iter().flatten().min();
            // Rounded up: rounding down would spin for the last millisecond.
            let wait = wait.map_or(PollTimeout::NONE, |wait| {
                PollTimeout::try_from(wait + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
            });
            let mut fds: Vec<PollFd<'_>> =
                fd.iter().chain(cancel.iter()).map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
            match poll(&mut fds, wait) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => {
                    return Err(Error::new(ErrorKind::Io, format!("cannot wait: {}", errno.desc())));
                }
            }
            if fd.is_some() && fds[0].any() == Some(true) {
                return Ok(true);
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                self.check()?;
                return Ok(false);
            }
        }
    }

    /// Resolves with the reason once there is one; for tokio tasks.
    pub async fn cancelled(&self) -> CancelReason {
        loop {
            if let Some(reason) = self.reason() {
                return reason;
            }
            // A timer, not the descriptor: it needs no registration with the reactor, and 20 ms
            // is far below what a person notices.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_stop_with_their_parent_only() {
        let parent = CancelToken::new();
        let child = parent.child();
        let sibling = parent.child();
        child.cancel();
        assert!(parent.check().is_ok() && sibling.check().is_ok());
        parent.cancel();
        assert_eq!(sibling.reason(), Some(CancelReason::Cancelled));
        assert_eq!(parent.child().reason(), Some(CancelReason::Cancelled));
    }

    #[test]
    fn sleep_ends_with_a_cancel_from_another_thread() {
        let token = CancelToken::new();
        let other = token.clone();
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(move || other.cancel());
            let error = token.sleep(Duration::from_secs(30)).expect_err("it is cancelled");
            assert!(error.is(ErrorKind::Cancelled));
        });
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_deadline_is_a_timeout_and_never_later_than_the_parents() {
        let parent = CancelToken::new().child_with_timeout(Duration::from_millis(5));
        let child = parent.child_with_timeout(Duration::from_secs(60));
        let error = child.sleep(Duration::from_secs(30)).expect_err("the parent's deadline");
        assert!(error.is(ErrorKind::Timeout));
    }
}
