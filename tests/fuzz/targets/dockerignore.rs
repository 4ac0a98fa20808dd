#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shanty_fuzz::bodies::dockerignore(data));
