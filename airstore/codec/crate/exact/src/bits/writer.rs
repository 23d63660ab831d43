//! Writes bits in DEFLATE's order.

use super::low;

/// Collects bits into bytes.
#[derive(Default)]
pub struct BitWriter {
    room: Vec<u8>,
    at: usize,
    bits: u64,
    count: u32,
}

impl BitWriter {
    /// Append the `n` low bits of `value`, at most 56; the others must be 0.
    #[inline]
    pub fn put(&mut self, value: u64, n: u32) {
        self.bits |= value << self.count;
        self.count += n;
        if self.at + 8 > self.room.len() {
            self.grow();
        }
        self.room[self.at..self.at + 8].copy_from_slice(&self.bits.to_le_bytes());
        self.at += (self.count >> 3) as usize;
        self.bits = self.bits.checked_shr(self.count & !7).unwrap_or(0);
        self.count &= 7;
    }

    #[cold]
    fn grow(&mut self) {
        self.room.resize(self.room.len() * 2 + 4096, 0);
    }

    /// As `put` for each of these, at most 48 bits at a time: what changes with each stays in registers.
    pub fn put_each(&mut self, all: impl ExactSizeIterator<Item = (u64, u32)>) {
        while self.at + 7 * all.len() + 8 > self.room.len() {
            self.grow();
        }
        let (mut at, mut bits, mut count) = (self.at, self.bits, self.count);
        for (value, n) in all {
            bits |= value << count;
            count += n;
            self.room[at..at + 8].copy_from_slice(&bits.to_le_bytes());
            at += (count >> 3) as usize;
            bits >>= count & 56;
            count &= 7;
        }
        (self.at, self.bits, self.count) = (at, bits, count);
    }

    /// Fill what is left of the current byte with `value`, and start the next.
    pub fn align(&mut self, value: u32) {
        if self.count > 0 {
            let free = self.free();
            self.put(u64::from(value) & low(free), free);
        }
    }

    /// Bits of the current byte that are still free: 0 to 7.
    pub fn free(&self) -> u32 {
        (8 - self.count) % 8
    }

    /// Append bytes at a byte's first bit.
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        self.align(0);
        self.room.truncate(self.at);
        self.room.extend_from_slice(bytes);
        self.at = self.room.len();
    }

    /// Append what another writer holds, at a byte's first bit.
    pub fn append(&mut self, other: &BitWriter) {
        self.put_bytes(other.bytes());
        self.put(other.bits, other.count);
    }

    /// Append the first `n` bits of `bytes`.
    pub fn put_packed(&mut self, bytes: &[u8], n: usize) {
        let mut left = n;
        for byte in bytes {
            let now = left.min(8);
            self.put(u64::from(*byte) & low(now as u32), now as u32);
            left -= now;
        }
    }

    /// How many bits are held.
    pub fn length(&self) -> usize {
        self.at * 8 + self.count as usize
    }

    /// The bytes that are complete.
    pub fn bytes(&self) -> &[u8] {
        &self.room[..self.at]
    }

    /// Forget all bits.
    pub fn clear(&mut self) {
        (self.at, self.bits, self.count) = (0, 0, 0);
    }

    /// Forget the bytes that are complete; the bits of the current one stay.
    pub fn clear_bytes(&mut self) {
        self.at = 0;
    }

    /// All bits, the last byte filled with zeros.
    pub fn into_packed(mut self) -> Vec<u8> {
        self.align(0);
        self.room.truncate(self.at);
        self.room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_at_once_is_what_is_put_one_by_one() {
        let all = (0..3000u64).map(|n| {
            let width = (n * 31 % 49) as u32;
            (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) & low(width), width)
        });
        let all: Vec<_> = all.collect();
        let (mut once, mut each) = (BitWriter::default(), BitWriter::default());
        once.put(5, 3);
        each.put(5, 3);
        all.chunks(700).for_each(|part| once.put_each(part.iter().copied()));
        all.iter().for_each(|(value, width)| each.put(*value, *width));
        assert!(once.into_packed() == each.into_packed());
    }
}
