#![no_main]

use shanty_fuzz::bodies::backup;

libfuzzer_sys::fuzz_target!(|data: &[u8]| backup(data));
