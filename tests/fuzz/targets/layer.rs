#![no_main]

use shanty_fuzz::bodies::layer;

const BLOCK: usize = 512;

libfuzzer_sys::fuzz_target!(|data: &[u8]| layer(data));

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    if seed % 4 != 0 {
        with_right_sums(&mut data[..size]);
    }
    size
});

/// Gives every header that can be found its right sum: without it a change of a header is only ever a wrong sum.
fn with_right_sums(archive: &mut [u8]) {
    let mut at = 0;
    while at + BLOCK <= archive.len() {
        let header = &mut archive[at..at + BLOCK];
        if header.iter().all(|byte| *byte == 0) || header.starts_with(b"\x1f\x8b") {
            return;
        }
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = std::str::from_utf8(&header[124..135]).ok().and_then(|text| usize::from_str_radix(text, 8).ok());
        at += BLOCK + size.unwrap_or(0).next_multiple_of(BLOCK);
    }
}
