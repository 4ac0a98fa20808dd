//! Giving memory back: what a monitor needed for its start it never needs again.
#![allow(unsafe_code)]

/// Returns free heap pages to the kernel, where the C library can (malloc_trim(3), glibc).
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number only, and may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
