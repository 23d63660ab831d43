//! How much of two runs of bytes is the same.

/// The eight bytes at a place.
pub fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// How many bytes at the beginnings of both are the same.
pub fn ahead(left: &[u8], right: &[u8]) -> usize {
    let size = left.len().min(right.len());
    let mut at = 0;
    while at + 8 <= size {
        let differ = word(left, at) ^ word(right, at);
        if differ != 0 {
            return at + (differ.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + left[at..size].iter().zip(&right[at..size]).take_while(|(a, b)| a == b).count()
}

/// How many bytes at the ends of both are the same.
pub fn behind(left: &[u8], right: &[u8]) -> usize {
    let size = left.len().min(right.len());
    let (left, right) = (&left[left.len() - size..], &right[right.len() - size..]);
    let mut at = size;
    while at >= 8 && word(left, at - 8) == word(right, at - 8) {
        at -= 8;
    }
    size - at + left[..at].iter().rev().zip(right[..at].iter().rev()).take_while(|(a, b)| a == b).count()
}

/// How many bytes at the same places are the same.
pub fn count(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).filter(|(a, b)| a == b).count()
}

/// What a byte of a cover is.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Same,
    /// It differs by as much as one some bytes before, as in a table of addresses that all moved: that compresses.
    Again,
    Other,
}

/// What the bytes of a cover are, from its beginning on.
pub fn kinds<'a>(old: &'a [u8], new: &'a [u8]) -> impl Iterator<Item = Kind> + 'a {
    let by = |at: usize| new[at].wrapping_sub(old[at]);
    (0..old.len().min(new.len())).map(move |at| match by(at) {
        0 => Kind::Same,
        now if at >= ENTRY && now == by(at - ENTRY) || at >= ENTRIES && now == by(at - ENTRIES) => {
            Kind::Again
        }
        _ => Kind::Other,
    })
}

/// What the bytes of a cover are, from its end on, where those behind a byte count as those before it.
pub fn kinds_back<'a>(old: &'a [u8], new: &'a [u8]) -> impl Iterator<Item = Kind> + 'a {
    let size = old.len().min(new.len());
    let (old, new) = (&old[old.len() - size..], &new[new.len() - size..]);
    let by = move |at: usize| new[at].wrapping_sub(old[at]);
    let again = move |at: usize, step: usize| at + step < size && by(at) == by(at + step);
    (0..size).rev().map(move |at| match by(at) {
        0 => Kind::Same,
        _ if again(at, ENTRY) || again(at, ENTRIES) => Kind::Again,
        _ => Kind::Other,
    })
}

/// Bytes of the entries of most tables in programs: an address, or two; and a symbol or a relocation.
const ENTRY: usize = 8;
const ENTRIES: usize = 24;

/// How many bytes a cover has at best, and what they are worth.
pub fn best(kinds: impl Iterator<Item = Kind>) -> (usize, i64) {
    let (mut sum, mut most, mut size) = (0, 0, 0);
    for (at, kind) in kinds.enumerate() {
        sum += worth(kind);
        if sum > most {
            (most, size) = (sum, at + 1);
        }
    }
    (size, most)
}

/// What a byte of a kind is worth.
pub fn worth(kind: Kind) -> i64 {
    match kind {
        Kind::Same => 1,
        Kind::Again => 0,
        Kind::Other => -1,
    }
}
