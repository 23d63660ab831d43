//! Where the bytes of the old side are.
//!
//! Each second place is known by 8 bytes, in a bucket of the last ones whose hashes meet there, and each fourth one by 24: what
//! is often there for 8 bytes is seldom there for so many. That is 3 bytes for each byte in the index. Of what is small each
//! place is known by 8 bytes, in 5.

use super::bytes::{ahead, most_same, word};
use super::Cover;

/// Bytes of an old side at most: of 32 bits in a bucket these say where, and the others are of the hash.
pub const MOST: usize = 1 << PLACE;
/// Bytes of what is hashed to be found by much.
pub const LONG: usize = 24;
const SHORT: usize = 8;
const PLACE: u32 = 27;
const WAYS: usize = 8;
/// Bytes from one place that is known by few to the next, where more than so many are in the index; see `is_small`.
const SECOND: usize = 2;
const SMALL: usize = 1 << 20;
/// Bytes from one place that is known by much to the next.
const EVERY: usize = 4;
/// Places whose buckets are fetched together: the memory is waited for once.
const BATCH: usize = 32;
/// Bytes by which places that have the same are told apart.
const FURTHER: usize = 64;
const NONE: u32 = u32::MAX;

#[derive(Clone)]
#[repr(align(32))]
struct Bucket([u32; WAYS]);

/// Some parts of an old side.
pub struct Index<'a> {
    old: &'a [u8],
    step: usize,
    short: Vec<Bucket>,
    long: Vec<u32>,
}

impl<'a> Index<'a> {
    /// Parts of an old side, from where to where.
    pub fn new(old: &'a [u8], parts: &[(usize, usize)]) -> Self {
        let size: usize = parts.iter().map(|(begin, end)| end - begin).sum();
        let step = if size < SMALL { 1 } else { SECOND };
        let short = vec![Bucket([NONE; WAYS]); size / step / WAYS + 1];
        let mut index = Index { old, step, short, long: vec![NONE; size / EVERY + 1] };
        for (begin, end) in parts {
            index.add_short(*begin, (*end).min((old.len() + 1).saturating_sub(SHORT)));
            index.add_long(*begin, (*end).min((old.len() + 1).saturating_sub(LONG)));
        }
        index
    }

    /// Whether looking everywhere costs nothing to speak of.
    pub fn is_small(&self) -> bool {
        self.step == 1
    }

    fn add_short(&mut self, begin: usize, end: usize) {
        let (mut last, step) = (None, self.step);
        for first in (begin..end).step_by(step * BATCH) {
            let mut hashes = [(0, 0, 0); BATCH];
            let places = (first..end.min(first + step * BATCH)).step_by(step);
            for (place, hash) in places.clone().zip(&mut hashes) {
                let word = word(self.old, place);
                *hash = (word, self.bucket(mixed(word)), entry(mixed(word), place));
            }
            let fetched = hashes.iter().fold(0, |all, (_, bucket, _)| all ^ self.short[*bucket].0[0]);
            std::hint::black_box(fetched);
            for (word, bucket, entry) in &hashes[..places.len()] {
                // A byte that goes on for long is known where it begins.
                if last != Some(*word) {
                    push(&mut self.short[*bucket].0, *entry);
                }
                last = Some(*word);
            }
        }
    }

    fn add_long(&mut self, begin: usize, end: usize) {
        for place in (begin.next_multiple_of(EVERY)..end).step_by(EVERY) {
            let hash = long_hash(self.old, place);
            let slot = scaled(hash, self.long.len());
            self.long[slot] = entry(hash, place);
        }
    }

    /// Of what is at a place of the new side as much as is found, where most is alike further on; none, if it is
    /// nowhere.
    ///
    /// Of places that are as good the one next to `on` is taken.
    pub fn find(&self, new: &[u8], at: usize, on: usize) -> Option<Cover> {
        let rest = &new[at..];
        let mut best: Option<(usize, usize)> = None;
        self.long(rest).chain(self.short(rest)).for_each(|(place, size)| {
            let now = (size + self.further(place + size, &rest[size..]), place);
            if best.is_none_or(|best| {
                now.0 > best.0 || now.0 == best.0 && now.1.abs_diff(on) < best.1.abs_diff(on)
            }) {
                best = Some(now);
            }
        });
        let (_, old) = best?;
        Some(Cover { old, new: at, size: ahead(&self.old[old..], rest) })
    }

    fn long<'b>(&'b self, rest: &'b [u8]) -> impl Iterator<Item = (usize, usize)> + 'b {
        let hash = (rest.len() >= LONG).then(|| long_hash(rest, 0));
        let known = hash.map(|hash| (self.long[scaled(hash, self.long.len())], hash));
        let tagged = known.filter(|(known, hash)| tells(*known, *hash));
        tagged.into_iter().filter_map(|(known, _)| self.same(known as usize % MOST, rest, LONG))
    }

    fn short<'b>(&'b self, rest: &'b [u8]) -> impl Iterator<Item = (usize, usize)> + 'b {
        let hash = (rest.len() >= SHORT).then(|| mixed(word(rest, 0)));
        hash.into_iter().flat_map(move |hash| {
            let known = self.short[self.bucket(hash)].0.iter();
            let tagged = known.filter(move |known| tells(**known, hash));
            tagged.filter_map(|known| self.same(*known as usize % MOST, rest, SHORT))
        })
    }

    /// A place, and how much is the same there, if it is enough.
    fn same(&self, place: usize, rest: &[u8], least: usize) -> Option<(usize, usize)> {
        let size = ahead(&self.old[place..], rest);
        (size >= least).then_some((place, size))
    }

    /// What is alike behind what is the same.
    fn further(&self, place: usize, rest: &[u8]) -> usize {
        let (old, new) = (&self.old[place..], &rest[..rest.len().min(FURTHER)]);
        most_same(old, new) as usize
    }

    fn bucket(&self, hash: u64) -> usize {
        scaled(hash, self.short.len())
    }
}

/// A hash of `LONG` bytes.
pub fn long_hash(bytes: &[u8], at: usize) -> u64 {
    let first = word(bytes, at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let second = word(bytes, at + 8).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    let third = word(bytes, at + 16).wrapping_mul(0x1656_67b1_9e37_79f9);
    mixed(first.rotate_left(29) ^ second.rotate_left(13) ^ third)
}

fn mixed(word: u64) -> u64 {
    let once = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (once ^ once >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// A hash as one of so many, by its highest bits.
pub fn scaled(hash: u64, count: usize) -> usize {
    (((hash >> 32) * count as u64) >> 32) as usize
}

fn entry(hash: u64, place: usize) -> u32 {
    (hash as u32) << PLACE | place as u32
}

/// Whether an entry is there, and of what has this hash for all that it says.
fn tells(known: u32, hash: u64) -> bool {
    known != NONE && (known ^ entry(hash, 0)) >> PLACE == 0
}

/// The newest first.
fn push(bucket: &mut [u32; WAYS], entry: u32) {
    bucket.copy_within(..WAYS - 1, 1);
    bucket[0] = entry;
}
