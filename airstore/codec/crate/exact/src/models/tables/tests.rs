//! Near and far places find the same, whatever is written in place of what was found.

use super::*;
use crate::models::klauspost5::Level5;
use crate::models::klauspost6::Level6;
use crate::models::window::Window;
use crate::models::View;

struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % most
    }
}

/// What is like nothing before, what was there not long ago, and what repeats itself.
fn content(chance: &mut Chance) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    while bytes.len() < 1 << 19 {
        let size = [40, 3000, 45_000][chance.below(3)];
        match chance.below(3) {
            0 => bytes.extend((0..size).map(|_| chance.below(256) as u8)),
            1 => bytes.extend((0..size).map(|n| (n % 7) as u8)),
            _ => (0..size / 40).for_each(|_| {
                let back = 1 + chance.below(34_000).min(bytes.len());
                let from = bytes.len().saturating_sub(back);
                bytes.extend_from_within(from..(from + 4 + chance.below(40)).min(bytes.len()));
                bytes.push(chance.below(256) as u8);
            }),
        }
    }
    bytes
}

/// One chunk, with tokens that are not those that were found among them. Returns whether near places did not do.
fn walk<L: Level>([one, other]: [&mut Tables<L>; 2], chunk: &Chunk, chance: &mut Chance) -> bool {
    let (mut from, mut literals, mut found) = (START, START, Default::default());
    let mut was_far = false;
    loop {
        let mut same = Found::default();
        let more = one.search(chunk, from, literals, &mut found);
        assert_eq!(more, other.search(chunk, from, literals, &mut same));
        was_far |= one.is_far;
        let last = if more { found.start } else { chunk.end };
        if more {
            let parts = |f: &Found| (f.start, f.length, f.distance, f.next);
            assert_eq!(parts(&found), parts(&same));
        }
        let deviates = chance.below(4) == 0 && literals + 300 < last;
        if deviates {
            let start = literals + chance.below((last - literals).min(500));
            let (length, distance) = (3 + chance.below(256), 1 + chance.below(START));
            found = Found { start, length: length.min(chunk.end - start), distance, next: start + 1 };
        } else if !more {
            return was_far;
        } else if chance.below(20) == 0 {
            (from, literals) = (found.start + 1, found.start + 1);
            continue;
        }
        let next = one.after(chunk, &found);
        assert_eq!(next, other.after(chunk, &found));
        let Some(at) = next else { return was_far };
        (from, literals) = (at, (found.start + found.length).min(at));
    }
}

fn compare<L: Level>(level: L, seed: u64) {
    let mut chance = Chance(seed);
    let bytes = content(&mut chance);
    let (mut near, mut far) = (Tables::new(level.clone()), Tables::new(level));
    let mut window = Window::new();
    let (mut at, mut by, mut turns) = (0, 0, [0; 2]);
    while at < bytes.len() {
        let size = [65_535, 65_535, 200][chance.below(3)].min(bytes.len() - at);
        window.take(&View { bytes: &bytes, base: 0 }, at, size);
        near.start(by);
        far.start(by);
        assert!(!near.is_far);
        far.go_far();
        let chunk = Chunk { window: &window, end: START + size, history: START.saturating_sub(at) };
        turns[usize::from(walk([&mut near, &mut far], &chunk, &mut chance))] += 1;
        (at, by) = (at + size, size);
    }
    assert!(turns[0] > 0 && turns[1] > 0, "{turns:?}");
}

#[test]
fn near_places_and_far_ones_find_the_same() {
    for seed in 1..9 {
        compare(Level5::new(Some(2)), seed);
        compare(Level6::new(), seed + 100);
    }
}
