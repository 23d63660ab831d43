//! Long runs of bytes that both sides have: what need not be in the index.
//!
//! Blocks of the old side at some distance are known by a hash. The new side is asked for them at as many places in a row as
//! that distance has bytes, which finds any run that is there, and again a good way on. So what is not found costs little.

use super::bytes::{ahead, behind};
use super::index::{long_hash, scaled, LONG};
use super::Cover;

/// Bytes from a block of the old side to the next.
const EVERY: usize = 64;
/// Bytes of the new side from where places are asked for to where the next ones are.
const STEP: usize = 1024;
const NONE: u32 = u32::MAX;

/// Runs of so many bytes or more (4 KiB at least), in the order of the new side and apart there.
pub fn runs(old: &[u8], new: &[u8], least: usize) -> Vec<Cover> {
    let mut found = Vec::new();
    if old.len().min(new.len()) < least {
        return found;
    }
    let blocks = Blocks::new(old);
    let (mut at, mut end) = (0, 0);
    while at + LONG <= new.len() {
        match blocks.near(new, at, end, least) {
            Some(run) => {
                end = run.new + run.size;
                at = end;
                found.push(run);
            }
            None => at += STEP,
        }
    }
    found
}

struct Blocks<'a> {
    old: &'a [u8],
    places: Vec<u32>,
}

impl<'a> Blocks<'a> {
    /// Of those that are the same the first is known.
    fn new(old: &'a [u8]) -> Self {
        let mut places = vec![NONE; old.len() / EVERY * 2];
        for at in (0..old.len() - LONG + 1).step_by(EVERY).rev() {
            let slot = slot(old, at, places.len());
            places[slot] = at as u32;
        }
        Blocks { old, places }
    }

    /// The first run at one of the next places, behind where the last one ended.
    fn near(&self, new: &[u8], at: usize, end: usize, least: usize) -> Option<Cover> {
        let last = (at + EVERY).min(new.len() - LONG + 1);
        (at..last).find_map(|place| {
            let known = self.places[slot(new, place, self.places.len())];
            let old = (known != NONE).then_some(known as usize)?;
            let after = ahead(&self.old[old..], &new[place..]);
            let before = if after >= LONG { behind(&self.old[..old], &new[end..place]) } else { 0 };
            let run = Cover { old: old - before, new: place - before, size: before + after };
            (run.size >= least).then_some(run)
        })
    }
}

fn slot(bytes: &[u8], at: usize, slots: usize) -> usize {
    scaled(long_hash(bytes, at), slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_found_to_its_last_byte_and_a_shorter_one_is_not() {
        let old: Vec<u8> = (0u32..40_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 21) as u8).collect();
        for (from, size) in [(1000, 5000), (1001, 5063), (31, 8192)] {
            let new =
                [&[!old[from - 1]; 700][..], &old[from..from + size], &[!old[from + size]; 900]].concat();
            assert_eq!(runs(&old, &new, size), [Cover { old: from, new: 700, size }]);
            assert_eq!(runs(&old, &new, size + 1), []);
        }
    }
}
