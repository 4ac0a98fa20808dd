//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

/// How many times longer everything may take than on a usual machine: `SHANTY_TEST_PATIENCE`, which an emulated one sets.
pub fn patience() -> u32 {
    std::env::var("SHANTY_TEST_PATIENCE").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Waits until the condition holds; fails the test when the limit passes first.
#[track_caller]
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(limit, || condition().then_some(()));
}

/// Waits until there is a value; fails the test when the limit passes first.
#[track_caller]
pub fn wait_for<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let (started, limit) = (Instant::now(), limit * patience());
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(started.elapsed() < limit, "what the test waited for did not happen within {limit:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
