//! Giving memory back: what a monitor needed for its start it never needs again.
#![allow(unsafe_code)]

use nix::unistd::{SysconfVar, sysconf};
use std::ffi::c_void;
use std::ops::Range;

/// What is left of the stack below the caller's frame, bytes: more than the functions here need for their own frames.
const MARGIN: usize = 4 << 10;

/// Returns free heap pages to the kernel, where the C library can (malloc_trim(3), glibc), and the pages of the stack that
/// an earlier, deeper call has used.
pub fn trim() {
    trim_stack();
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number only, and may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn trim_stack() {
    // Of the first thread alone: stacks of others are given back when they end.
    let Some(stack) = std::fs::read_to_string("/proc/self/maps").ok().and_then(|maps| find_stack(&maps)) else {
        return;
    };
    let Ok(Some(page)) = sysconf(SysconfVar::PAGE_SIZE) else { return };
    give_back_below_here(&stack, page as usize);
}

/// The addresses of the first thread's stack, of `/proc/self/maps`: `7ffd0000-7ffd2000 rw-p … [stack]`.
fn find_stack(maps: &str) -> Option<Range<usize>> {
    let line = maps.lines().find(|line| line.ends_with(" [stack]"))?;
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

/// A function of its own, so that its frame is the lowest one, and small.
#[inline(never)]
fn give_back_below_here(stack: &Range<usize>, page: usize) {
    let here = 0_u8;
    let here = std::hint::black_box(&raw const here) as usize;
    let end = here.saturating_sub(MARGIN) / page * page;
    if !stack.contains(&here) || end <= stack.start {
        return;
    }
    // SAFETY: the pages are of this thread's stack (it contains the address of our local variable), which grows down, and
    // end `MARGIN` below our frame: nothing that lives is there. The next deeper call finds zeros, as on a fresh stack.
    unsafe {
        libc::madvise(stack.start as *mut c_void, end - stack.start, libc::MADV_DONTNEED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_is_found_by_its_name() {
        let maps = "00400000-00452000 r-xp 00000000 08:02 173521 /bin/[stack]x\n\
                    7f8a2000-7f8a4000 rw-p 00000000 00:00 0 \n\
                    7ffd0000-7ffd2000 rw-p 00000000 00:00 0                          [stack]\n";
        assert_eq!(find_stack(maps), Some(0x7ffd_0000..0x7ffd_2000));
        assert_eq!(find_stack("7ffd0000-7ffd2000 rw-p 00000000 00:00 0 [vdso]\n"), None);
    }
}
