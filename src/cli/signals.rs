//! Ctrl-C and SIGTERM: the first ends the script, the second its clean-up, the third the process.

use crate::script::Session;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// Signals this close to each other are one: timeout(1) signals its child, then the child's group.
const SAME: Duration = Duration::from_millis(100);

static FIRST: AtomicI32 = AtomicI32::new(0);

/// Has signals interrupt this session from now on. A process that cannot have a thread for it is
/// ended by them as any program is.
pub fn interrupt(session: &Arc<Session>) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    let session = session.clone();
    // The thread ends with the process.
    let _ = std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut last: Option<Instant> = None;
        for signal in signals.forever() {
            // A new line of the prompt is interrupted by itself, however soon it comes.
            let interrupted = session.root_context().cancel.reason().is_some();
            if interrupted && last.is_some_and(|last| last.elapsed() < SAME) {
                continue;
            }
            last = Some(Instant::now());
            // Fails when it was not the first.
            let _ = FIRST.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
            if session.interrupt() > 2 {
                std::process::exit(exit_code());
            }
        }
    });
}

/// The exit code of a process that was interrupted: 128 + the signal, as a shell gives it.
pub fn exit_code() -> i32 {
    match FIRST.load(Ordering::SeqCst) {
        0 => 128 + SIGINT,
        signal => 128 + signal,
    }
}
