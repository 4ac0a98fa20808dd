//! The asynchronous edge: one tokio runtime for the process, started by the first who needs it.
//!
//! Everything else is synchronous. Network clients hand their futures to [`block_on`]; what has to
//! go on while the caller does something else is put on [`handle`].

use crate::context::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::{elsewhere, netns};
use std::future::Future;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::{Mutex, OnceLock, PoisonError};
use tokio::runtime::{Builder, Handle, Runtime};

/// Two: one may inflate TLS records while the other serves the remaining connections. The heavy
/// work (hashing, unpacking) is done by the threads that block on the results.
const WORKERS: usize = 2;

/// Runs `future` to its end on the calling thread, or drops it as soon as there is a reason to
/// stop. Never call it from a thread of the runtime itself: tokio panics on that.
///
/// Fails with `cancelled` or `timeout`, or as the future does.
pub fn block_on<T>(cancel: &CancelToken, future: impl Future<Output = Result<T>>) -> Result<T> {
    cancel.check()?;
    handle()?.block_on(stoppable(cancel, future))
}

/// The same for a future that connects to an address, which may be reached from another network namespace
/// ([`elsewhere`]): then it runs there, on a thread and a runtime of its own. `None`: a name.
pub fn block_on_to<T: Send, F: Future<Output = Result<T>>>(
    address: Option<IpAddr>,
    cancel: &CancelToken,
    future: impl FnOnce() -> F + Send,
) -> Result<T> {
    let Some(there) = address.and_then(elsewhere::namespace_of) else { return block_on(cancel, future()) };
    cancel.check()?;
    netns::alone(|| {
        netns::enter(there.as_fd())?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::new(ErrorKind::Io, format!("cannot start a runtime: {error}")))?;
        runtime.block_on(stoppable(cancel, future()))
    })
}

async fn stoppable<T>(cancel: &CancelToken, future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        result = future => result,
        reason = cancel.cancelled() => Err(reason.error()),
    }
}

/// The process's runtime, started now if nobody did before. Afterwards TLS clients can be built.
///
/// Fails with `io` when the process may not start threads.
pub fn handle() -> Result<&'static Handle> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle());
    }
    let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle());
    }
    // reqwest is built without a cryptography provider; ring needs no cmake. It fails only when one
    // is installed already, which then serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).thread_name("shanty-net").enable_all().build();
    let runtime =
        runtime.map_err(|error| Error::new(ErrorKind::Io, format!("cannot start the network threads: {error}")))?;
    Ok(RUNTIME.get_or_init(|| runtime).handle())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn block_on_gives_the_result_of_the_future() {
        let answer = block_on(&CancelToken::new(), async { Ok(tokio::spawn(async { 42 }).await.unwrap()) });
        assert_eq!(answer.unwrap(), 42);
    }

    #[test]
    fn a_cancel_from_another_thread_ends_a_future_that_never_would() {
        let token = CancelToken::new();
        let other = token.clone();
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(move || other.cancel());
            let error = block_on(&token, std::future::pending::<Result<()>>()).expect_err("it is cancelled");
            assert!(error.is(ErrorKind::Cancelled));
        });
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_deadline_ends_it_as_timeout() {
        let token = CancelToken::new().child_with_timeout(Duration::from_millis(5));
        let error = block_on(&token, std::future::pending::<Result<()>>()).expect_err("time is up");
        assert!(error.is(ErrorKind::Timeout));
    }
}
