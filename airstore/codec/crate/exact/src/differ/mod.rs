//! Makes a patch that `patch` applies: of HDiffPatch's format, but found by hashes of the old side in place of a suffix array.
//!
//! What is long and the same is found first and left out of the index, which knows the rest by 8 and 24 bytes. Then the new
//! side is walked: the last cover goes on until another place of the old side is clearly better (`walk`).

mod bytes;
mod index;
mod runs;
mod walk;
mod write;

use crate::error::{Error, Result};
use std::io::Write;

/// Bytes of a run that say where what is new came from; see `shared`.
const TELLING: usize = 16 << 10;

/// Bytes of the new side that are compared with as many of the old one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cover {
    old: usize,
    new: usize,
    size: usize,
}

/// Write a patch, without its magic: what of the old side is behind its `own` bytes is used near to what moved from there.
///
/// # Errors
/// `Unsupported` if the old side is too large for the index; `Io` if writing fails.
pub fn make(old: &[u8], own: usize, new: &[u8], out: impl Write) -> Result<()> {
    if old.len() > index::MOST {
        return Err(Error::Unsupported("a patch's base is too large"));
    }
    Ok(write::patch(old, new, &walk::covers(old, own, new), out)?)
}

/// How many bytes of the new side are in long runs that the old one has, and of them in runs that end behind its `own` bytes.
///
/// # Errors
/// `Unsupported` as for `make`.
pub fn shared(old: &[u8], own: usize, new: &[u8]) -> Result<[u64; 2]> {
    if old.len() > index::MOST {
        return Err(Error::Unsupported("a patch's base is too large"));
    }
    let found = runs::runs(old, new, TELLING);
    let sum = |from: usize| -> u64 {
        found.iter().filter(|run| run.old + run.size > from).map(|run| run.size as u64).sum()
    };
    Ok([sum(0), sum(own)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch;

    fn noise(seed: u64, size: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let step = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        };
        (0..size).map(step).collect()
    }

    /// A patch that was made, and that gives the new side back.
    fn made(old: &[u8], own: usize, new: &[u8]) -> Vec<u8> {
        let (mut made, mut back) = (Vec::new(), Vec::new());
        make(old, own, new, &mut made).expect("small enough");
        patch::apply(old, &made, new.len() as u64, &mut back).expect("a sound patch");
        assert!(back == new, "the new side comes back");
        made
    }

    #[test]
    fn sides_without_anything_are_sides() {
        for (old, new) in [(&b""[..], &b""[..]), (b"", b"new"), (b"old", b""), (b"a", b"a")] {
            made(old, old.len(), new);
        }
    }

    #[test]
    fn what_moved_and_was_put_in_costs_little() {
        let old = noise(1, 300_000);
        let new = [&old[200_000..], b"put in", &old[..100_000], &old[50_000..150_000]].concat();
        assert!(made(&old, old.len(), &new).len() < 100);
    }

    #[test]
    fn a_table_whose_entries_moved_by_as_much_is_covered_from_what_is_before_it() {
        let entry = |n: u64, by: u64| (0x7_0000_0000 + n * 40_009 + by).to_le_bytes();
        let table = |by| (0..4000).flat_map(move |n| entry(n, by));
        let old: Vec<u8> = noise(3, 40).into_iter().chain(table(0)).collect();
        let moved = table(0x40_4040_4040);
        let new: Vec<u8> = [noise(2, 77), noise(3, 40)].concat().into_iter().chain(moved).collect();
        let covers = walk::covers(&old, old.len(), &new);
        assert_eq!(covers, [Cover { old: 0, new: 77, size: old.len() }]);
    }

    #[test]
    fn of_places_that_have_the_same_the_one_is_taken_that_is_alike_further_on() {
        let (shared, place) = (noise(3, 20), noise(4, 400));
        let alike: Vec<u8> =
            place.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at % 7 == 0)).collect();
        let apart = [&noise(5, 300)[..], &shared, &noise(6, 300), &shared, &noise(7, 300)].concat();
        let old = [&apart[..], &shared, &place].concat();
        let new = [&noise(8, 50)[..], &shared, &alike].concat();
        let covers = walk::covers(&old, old.len(), &new);
        assert_eq!(covers, [Cover { old: apart.len(), new: 50, size: 419 }]);
    }

    #[test]
    fn what_differs_here_and_there_is_one_cover_however_large() {
        for size in [100_000, 3_000_000] {
            let mut new = noise(12, size);
            let old = [&noise(13, 777)[..], &new].concat();
            new.iter_mut().skip(13).step_by(29).for_each(|byte| *byte ^= 0x55);
            let covers = walk::covers(&old, old.len(), &new);
            assert_eq!(covers, [Cover { old: 777, new: 0, size }]);
            made(&old, old.len(), &new);
        }
    }

    #[test]
    fn what_is_beside_is_used_near_to_what_moved_alone() {
        let (own, beside) = (noise(9, 300_000), noise(10, 600_000));
        let old = [&own[..], &beside].concat();
        let near = [&beside[400_000..430_000], &noise(11, 30), &beside[450_000..453_000]].concat();
        assert!(made(&old, own.len(), &near).len() < 100);
        let far = [&beside[400_000..430_000], &noise(11, 30), &beside[50_000..53_000]].concat();
        assert!(made(&old, own.len(), &far).len() > 3000);
        assert_eq!(shared(&old, own.len(), &near).expect("small enough"), [30_000, 30_000]);
        assert_eq!(shared(&old, old.len(), &near).expect("small enough"), [30_000, 0]);
    }

    #[test]
    fn what_repeats_itself_is_made_in_time_and_given_back() {
        for period in [1, 2, 3, 7, 8, 16, 100] {
            let old: Vec<u8> = noise(period, period as usize).into_iter().cycle().take(200_000).collect();
            let mut new = old.clone();
            new.iter_mut().step_by(777).for_each(|byte| *byte ^= 1);
            made(&old, old.len(), &new);
            made(&new, new.len(), &old);
        }
    }

    #[test]
    fn a_base_that_is_too_large_is_refused() {
        let old = vec![0; index::MOST + 1];
        assert!(matches!(make(&old, 0, b"", std::io::sink()), Err(Error::Unsupported(_))));
        assert!(matches!(shared(&old, 0, b""), Err(Error::Unsupported(_))));
    }
}
