//! Where bytes with a hash were: the newest place of each, and for each place how far back the one before is.

/// How far back places are kept.
pub const WINDOW: usize = 1 << 15;
const MOST_SLOTS: usize = 1 << 16;
/// What is farther away than any match.
const FAR: u16 = WINDOW as u16;
/// Positions that may be inserted behind the one that `reach` was called for.
const AHEAD: u64 = 1 << 13;

/// Places by hash, in 16 bits each: half the cache that whole positions would take. The newest are counted from a base
/// that moves with them, 0 for none. Those before are the low bits of positions: where there is none in reach, one that
/// is too far away.
#[derive(Clone)]
pub struct Places {
    newest: Box<[u16; MOST_SLOTS]>,
    mask: usize,
    before: Box<[u16; WINDOW]>,
    /// The position whose place would be 0; it wraps round at the beginning.
    base: u64,
}

impl Places {
    /// Places for hashes of `bits` bits, at most 16.
    pub fn new(bits: u32) -> Self {
        let mask = MOST_SLOTS.min(1 << bits) - 1;
        Places { newest: Box::new([0; MOST_SLOTS]), mask, before: Box::new([0; WINDOW]), base: 0 }
    }

    /// Forget all places: the next ones are from this position on.
    pub fn restart(&mut self, position: u64) {
        self.newest[..=self.mask].fill(0);
        (0..).zip(self.before.iter_mut()).for_each(|(index, before)| *before = index);
        self.base = position.wrapping_sub(1);
    }

    /// Have room for what follows a position, and keep what is up to 32 KiB before it.
    pub fn reach(&mut self, position: u64) {
        if position.wrapping_sub(self.base) + AHEAD > u64::from(u16::MAX) {
            let base = position - WINDOW as u64 - 1;
            let by = u16::try_from(base.wrapping_sub(self.base)).unwrap_or(u16::MAX);
            self.newest[..=self.mask].iter_mut().for_each(|place| *place = place.saturating_sub(by));
            self.base = base;
        }
    }

    /// Make this position the newest of its hash. Returns the low bits of the one before.
    #[inline(always)]
    pub fn insert(&mut self, position: u64, hash: usize) -> u16 {
        let place = position.wrapping_sub(self.base) as u16;
        let newest = &mut self.newest[hash & self.mask & (MOST_SLOTS - 1)];
        let distance = place.wrapping_sub(*newest).min(FAR);
        *newest = place;
        let before = (position as u16).wrapping_sub(distance);
        self.before[position as usize & (WINDOW - 1)] = before;
        before
    }

    /// The low bits of the position before this one with the same hash.
    #[inline(always)]
    pub fn before(&self, position: u16) -> u16 {
        self.before[usize::from(position) & (WINDOW - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was the newest before, of each hash, and what was before each position, by a map of whole positions.
    #[test]
    fn places_are_the_last_ones_in_reach_and_others_are_far_away() {
        for start in [0, 1, 40_000, (1 << 32) - 70_000] {
            let mut places = Places::new(15);
            places.restart(start);
            let mut newest = std::collections::HashMap::new();
            let mut before = std::collections::HashMap::new();
            for position in start..start + 300_000 {
                if position % 5000 == 0 {
                    places.reach(position);
                }
                // From hashes of each position to some that come once in more than 64 KiB; some are left out.
                let hash = match position % 7 {
                    0 => 5,
                    1 => (position / 7 % 9973) as usize,
                    2 => (position % 31_000) as usize,
                    3 => continue,
                    _ => (position % 600) as usize,
                };
                let known = newest.insert(hash, position).filter(|last| position - last < WINDOW as u64);
                let found = places.insert(position, hash);
                before.insert(position, known);
                assert_eq!(found, places.before(position as u16));
                let distance = (position as u16).wrapping_sub(found);
                match known {
                    Some(known) => assert_eq!(found, known as u16, "{start} {position}"),
                    // Too far away, or before the first.
                    None => assert!(distance == FAR || u64::from(distance) > position - start, "{position}"),
                }
                let old = position.saturating_sub(WINDOW as u64 - 1);
                if let Some(Some(known)) = before.get(&old) {
                    assert_eq!(places.before(old as u16), *known as u16);
                }
            }
        }
    }
}
