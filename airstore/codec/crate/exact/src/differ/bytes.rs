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

/// Bytes that are held against each other to see whether two sides are alike from their beginnings on.
const AROUND: usize = 64;

/// How much both sides are alike there: what the kinds of so many bytes are worth together.
pub fn alike(old: &[u8], new: &[u8]) -> i64 {
    let Some((old, new)) = old.first_chunk::<AROUND>().zip(new.first_chunk::<AROUND>()) else {
        return kinds(old, &new[..new.len().min(AROUND)]).map(worth).sum();
    };
    // Whole arrays, byte for byte and without branches: it is asked at each place that is looked at.
    let by: [u8; AROUND] = std::array::from_fn(|at| new[at].wrapping_sub(old[at]));
    let mut again = [0; AROUND];
    for step in [ENTRY, ENTRIES] {
        for at in step..AROUND {
            again[at] |= u8::from(by[at] == by[at - step]);
        }
    }
    let worth = |(by, again): (&u8, &u8)| if *by == 0 { 1 } else { i8::from(*again != 0) - 1 };
    by.iter().zip(&again).map(worth).map(i64::from).sum()
}

/// What the best beginning of both is worth, where a byte that is the same is worth 1 and any other takes as much.
pub fn most_same(old: &[u8], new: &[u8]) -> i64 {
    let size = old.len().min(new.len());
    let (mut sum, mut most) = (0, 0);
    let mut words = old[..size].chunks_exact(8).zip(new[..size].chunks_exact(8));
    for (old, new) in words.by_ref() {
        let (gain, best) = EIGHT[others(word(old, 0) ^ word(new, 0))];
        most = most.max(sum + i64::from(best));
        sum += i64::from(gain);
    }
    let rest = size - size % 8;
    for (old, new) in old[rest..size].iter().zip(&new[rest..size]) {
        sum += if old == new { 1 } else { -1 };
        most = most.max(sum);
    }
    most
}

/// Which bytes of eight are not zero, as bits, the lowest byte first.
fn others(word: u64) -> usize {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let flags = (((word & LOW) + LOW) | word) & !LOW;
    ((flags >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as usize
}

/// For eight bytes, by which of them are others: what all of them are worth, and what their best beginning is.
const EIGHT: [(i8, i8); 256] = {
    let mut all = [(0, 0); 256];
    let mut bits = 0;
    while bits < 256 {
        let (mut sum, mut most, mut at) = (0, 0, 0);
        while at < 8 {
            sum += if bits >> at & 1 == 0 { 1 } else { -1 };
            most = if sum > most { sum } else { most };
            at += 1;
        }
        all[bits] = (sum, most);
        bits += 1;
    }
    all
};

/// What a byte of a kind is worth.
pub fn worth(kind: Kind) -> i64 {
    match kind {
        Kind::Same => 1,
        Kind::Again => 0,
        Kind::Other => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sides of which some bytes are the same, some moved by as much, and some neither.
    fn sides(seed: u32, size: usize) -> (Vec<u8>, Vec<u8>) {
        let mut state = seed;
        let mut step = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let old: Vec<u8> = (0..size).map(|_| step()).collect();
        let new = old.iter().map(|byte| byte.wrapping_add([0, 0, 0, 5, step()][step() as usize % 5]));
        (old.clone(), new.collect())
    }

    #[test]
    fn eight_bytes_at_once_are_worth_what_each_is() {
        for seed in 0..300 {
            let (old, new) = sides(seed, seed as usize % 90);
            let kinds = old.iter().zip(&new).map(|(a, b)| if a == b { Kind::Same } else { Kind::Other });
            assert_eq!(most_same(&old, &new), best(kinds).1);
        }
    }

    #[test]
    fn a_whole_array_is_as_alike_as_its_bytes_are() {
        for seed in 0..300 {
            let (old, new) = sides(seed, 60 + seed as usize % 10);
            let each: i64 = kinds(&old, &new[..new.len().min(AROUND)]).map(worth).sum();
            assert_eq!(alike(&old, &new), each);
        }
    }
}
