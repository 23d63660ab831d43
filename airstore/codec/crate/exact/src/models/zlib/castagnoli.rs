//! CRC-32C as a hash: what processors with SSE 4.2 compute in one instruction.

/// CRC-32C of four bytes, without inversions: one table by each byte.
pub struct Castagnoli([[u32; 256]; 4]);

/// The tables.
pub static CASTAGNOLI: Castagnoli = Castagnoli(castagnoli());

const fn castagnoli() -> [[u32; 256]; 4] {
    let mut tables = [[0; 256]; 4];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut place = 4;
        while place > 0 {
            place -= 1;
            let mut bit = 0;
            while bit < 8 {
                value = (value >> 1) ^ (0x82F6_3B78 & (value & 1).wrapping_neg());
                bit += 1;
            }
            tables[place][index] = value;
        }
        index += 1;
    }
    tables
}

impl Castagnoli {
    /// The hash of four bytes.
    #[inline]
    pub fn hash(&self, bytes: [u8; 4]) -> usize {
        let tables = self.0.iter().zip(bytes);
        tables.fold(0, |hash, (table, byte)| hash ^ table[usize::from(byte)]) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_crc_bit_by_bit() {
        for seed in 0u32..200 {
            let bytes = seed.wrapping_mul(2_654_435_761).to_le_bytes();
            let mut crc = u32::from_le_bytes(bytes);
            for _ in 0..32 {
                crc = (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg());
            }
            assert_eq!(CASTAGNOLI.hash(bytes), crc as usize);
        }
    }
}
