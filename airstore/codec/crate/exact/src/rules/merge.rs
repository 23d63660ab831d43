//! Length-limited Huffman codes by boundary package-merge, with the ties as Go breaks them.
//!
//! After `src/compress/flate/huffman_code.go` of Go 1.26.8 (klauspost/compress 1.18.0 decides the same).

const MAX: i64 = i64::MAX;
const LEVELS: usize = 16;

#[derive(Clone, Copy, Default)]
struct Row {
    last: i64,
    next_leaf: i64,
    next_pair: i64,
    needed: i32,
}

/// Code lengths of at most `limit` bits for symbols that occur so often; 0 for those that do not.
pub fn lengths(counts: &[u32], limit: usize, out: &mut [u8]) {
    out.fill(0);
    // Sorted by count, then by symbol.
    let mut leaves = [0u64; 288];
    let mut n = 0;
    for (symbol, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        leaves[n] = u64::from(*count) << 16 | symbol as u64;
        n += 1;
    }
    let leaves = &mut leaves[..n];
    if n <= 2 {
        leaves.iter().for_each(|leaf| out[(leaf & 0xffff) as usize] = 1);
        return;
    }
    leaves.sort_unstable();
    let numbers = numbers_by_length(leaves, limit.min(n - 1));
    let mut end = n;
    for (length, number) in numbers.iter().enumerate().skip(1) {
        for leaf in &leaves[end - number..end] {
            out[(leaf & 0xffff) as usize] = length as u8;
        }
        end -= number;
    }
}

/// How many codes have each length.
fn numbers_by_length(leaves: &[u64], limit: usize) -> [usize; LEVELS + 1] {
    let n = leaves.len();
    let count = |index: usize| leaves.get(index).map_or(MAX, |leaf| (leaf >> 16) as i64);
    let first = Row { last: count(1), next_leaf: count(2), next_pair: count(0) + count(1), needed: 0 };
    let mut rows = [first; LEVELS + 1];
    rows[1].next_pair = MAX;
    rows[0].needed = 0;
    rows[limit].needed = 2 * n as i32 - 4;
    // taken[row][below]: leaves that the row's newest node has at the level below.
    let mut taken = [[0usize; LEVELS]; LEVELS];
    for (row, leaves_taken) in taken.iter_mut().enumerate().take(limit + 1).skip(1) {
        leaves_taken[row] = 2;
    }
    let mut row = limit;
    loop {
        let this = &mut rows[row];
        if this.next_pair == MAX && this.next_leaf == MAX {
            this.needed = 0;
            rows[row + 1].next_pair = MAX;
            row += 1;
            continue;
        }
        let before = this.last;
        if this.next_leaf < this.next_pair {
            this.last = this.next_leaf;
            taken[row][row] += 1;
            this.next_leaf = count(taken[row][row]);
        } else {
            this.last = this.next_pair;
            let below = taken[row - 1];
            taken[row][..row].copy_from_slice(&below[..row]);
            rows[row - 1].needed = 2;
        }
        rows[row].needed -= 1;
        if rows[row].needed > 0 {
            while rows[row - 1].needed > 0 {
                row -= 1;
            }
            continue;
        }
        if row == limit {
            break;
        }
        rows[row + 1].next_pair = before + rows[row].last;
        row += 1;
    }
    let mut numbers = [0; LEVELS + 1];
    for level in 1..=limit {
        numbers[limit + 1 - level] = taken[limit][level] - taken[limit][level - 1];
    }
    numbers
}
