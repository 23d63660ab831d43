//! Feeds the codec whatever the fuzzer makes up: as a gzip stream, and as plain bytes with side data.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (mut plain, mut side, mut back) = (Vec::new(), Vec::new(), Vec::new());
    if exact::record(data, &mut plain, &mut side).is_ok() {
        exact::rebuild(&plain[..], &side[..], &mut back).expect("what was recorded is rebuilt");
        assert!(back == data, "what was recorded comes back");
    }
    let cut = data.first().map_or(0, |first| usize::from(*first) * 4).min(data.len());
    let _ = exact::rebuild(&data[..cut], &data[cut..], std::io::sink());
});
