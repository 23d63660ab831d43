//! What a file is made of, in few numbers: files that share content share some of them.
//!
//! A bottom-k sketch (Broder, "On the resemblance and containment of documents", 1997) over short pieces that begin
//! where the content says so: what was inserted before them does not move them.

use crate::crc::crc_32;

/// Numbers of a sketch at most.
pub const SIZE: usize = 64;
/// Bytes of a piece, and behind them one more.
const PIECE: usize = 22;
/// Pieces of the second kind count behind all of the first, in whatever file they are.
const BEHIND: u64 = 1 << 32;

/// Where pieces begin: behind a byte of the first kind, with one of the second.
struct Begin([u8; 256]);

const FIRST: u8 = 1;
const SECOND: u8 = 2;

/// Some 300 bytes apart in text and in machine code.
static RARE: Begin = Begin::of(b"\x0a\x20\x48\x8b", b"\x66\x77\x83\xec");
/// Some 10 bytes apart in text, 30 in machine code: for files that have too few of the others.
static COMMON: Begin = Begin::of(
    b"\x00\x0a\x20\x48\x89\x2e\x74\x5f\xe8\x8b\xff\x65",
    b"\x01\x02\x03\x04\x05\x06\x07\x08aceilmnoprstuvwABC",
);

impl Begin {
    const fn of(first: &[u8], second: &[u8]) -> Begin {
        Begin(marked(marked([0; 256], first, FIRST), second, SECOND))
    }

    /// The smallest numbers of the pieces that begin so, in order.
    fn smallest(&self, data: &[u8]) -> Vec<u32> {
        let mut found = Vec::with_capacity(SIZE + 1);
        for (at, pair) in data.windows(2).enumerate() {
            if self.0[usize::from(pair[0])] & FIRST & (self.0[usize::from(pair[1])] >> 1) == 0 {
                continue;
            }
            match data.get(at + 1..at + 2 + PIECE) {
                Some(piece) => add(&mut found, number(&piece[..PIECE])),
                None => break,
            }
        }
        found
    }
}

const fn marked(mut kinds: [u8; 256], bytes: &[u8], kind: u8) -> [u8; 256] {
    let mut at = 0;
    while at < bytes.len() {
        kinds[bytes[at] as usize] |= kind;
        at += 1;
    }
    kinds
}

/// Spread so that the smallest are no special pieces: Knuth's multiplicative hash.
fn number(piece: &[u8]) -> u32 {
    crc_32(piece).wrapping_mul(2_654_435_761)
}

fn add(found: &mut Vec<u32>, number: u32) {
    if found.len() == SIZE && found[SIZE - 1] <= number {
        return;
    }
    if let Err(place) = found.binary_search(&number) {
        found.insert(place, number);
        found.truncate(SIZE);
    }
}

/// Numbers of some content, in order; none of what is too short to be compared.
pub fn sketch(data: &[u8]) -> Vec<u64> {
    let mut numbers: Vec<u64> = RARE.smallest(data).into_iter().map(u64::from).collect();
    if numbers.len() < SIZE {
        numbers.extend(COMMON.smallest(data).into_iter().map(|number| u64::from(number) + BEHIND));
        numbers.truncate(SIZE);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of which no two are the same.
    fn text(lines: std::ops::Range<u32>) -> Vec<u8> {
        let line = |n: u32| format!("{} where {:x}\n", n.wrapping_mul(40503), n.wrapping_mul(2_654_435_761));
        lines.flat_map(|n| line(n).into_bytes()).collect()
    }

    #[test]
    fn what_is_inserted_before_content_changes_few_numbers() {
        let (part, whole) = (sketch(&text(100..2000)), sketch(&text(0..2000)));
        assert_eq!((part.len(), whole.len()), (SIZE, SIZE));
        let shared = part.iter().filter(|number| whole.contains(number)).count();
        assert!((50..SIZE).contains(&shared), "{shared}");
    }

    #[test]
    fn numbers_are_the_smallest_and_each_is_there_once() {
        let data = text(0..500);
        let all = |begin: &Begin| -> std::collections::BTreeSet<u32> {
            let starts = 1..data.len() - PIECE;
            let begins = |at: &usize| {
                begin.0[data[at - 1] as usize] & FIRST != 0 && begin.0[data[*at] as usize] & SECOND != 0
            };
            starts.filter(begins).map(|at| number(&data[at..at + PIECE])).collect()
        };
        let twice = [&data[..], &data[..]].concat();
        let expected: Vec<u64> = all(&RARE).into_iter().take(SIZE).map(u64::from).collect();
        assert_eq!(expected.len(), SIZE);
        assert_eq!((sketch(&data), sketch(&twice)), (expected.clone(), expected));
    }

    #[test]
    fn few_rare_pieces_are_followed_by_common_ones() {
        let data = text(0..30);
        let rare = RARE.smallest(&data).len();
        let numbers = sketch(&data);
        assert!(rare > 0 && rare < SIZE && numbers.len() == SIZE, "{rare}");
        assert!(numbers.iter().enumerate().all(|(at, number)| (*number >= BEHIND) == (at >= rare)));
    }

    #[test]
    fn a_piece_needs_a_byte_behind_it() {
        let begin = b" where it begins is known.";
        assert_eq!(sketch(&begin[..PIECE + 1]), []);
        let only = u64::from(number(&begin[1..=PIECE])); // begins as pieces of both kinds do
        assert_eq!(sketch(&begin[..PIECE + 2]), [only, only + BEHIND]);
        assert_eq!(sketch(b""), []);
    }
}
