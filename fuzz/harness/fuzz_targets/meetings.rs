#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lanparty_fuzz::meetings(data));
