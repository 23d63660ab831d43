//! Feeds the codec whatever the fuzzer makes up: as a gzip stream, as plain bytes with side data,
//! as a base with a patch, and as both sides of one.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The last byte says which model, so that a vector with one byte more is a good seed.
    let Some((which, data)) = data.split_last() else { return };
    let all = exact::Encoder::all();
    let encoder = all[usize::from(*which) % all.len()];
    let (mut plain, mut side, mut back) = (Vec::new(), Vec::new(), Vec::new());
    if exact::record_as(encoder, data, &mut plain, &mut side).is_ok() {
        exact::rebuild(&plain[..], &side[..], &mut back).expect("what was recorded is rebuilt");
        assert!(back == data, "what was recorded comes back");
    }
    let cut = (usize::from(*which) * 4).min(data.len());
    let _ = exact::rebuild(&data[..cut], &data[cut..], std::io::sink());
    let _ = exact::patch::apply(&data[..cut], &data[cut..], u64::from(*which), std::io::sink());
    let (mut patch, mut back) = (Vec::new(), Vec::new());
    exact::differ::make(&data[..cut], cut / 2, &data[cut..], &mut patch).expect("a small base");
    exact::patch::apply(&data[..cut], &patch, (data.len() - cut) as u64, &mut back).expect("a sound patch");
    assert!(back == data[cut..], "what a patch was made of comes back");
});
