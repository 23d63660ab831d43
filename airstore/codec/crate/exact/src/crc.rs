//! The CRC-32 of gzip's trailer (RFC 1952, 8), eight bytes a step.

const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let mut value = i as u32;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ (0xEDB8_8320 & (value & 1).wrapping_neg());
            bit += 1;
        }
        tables[0][i] = value;
        i += 1;
    }
    let mut i = 0;
    while i < 256 {
        let mut n = 1;
        while n < 8 {
            let before = tables[n - 1][i];
            tables[n][i] = (before >> 8) ^ tables[0][(before & 255) as usize];
            n += 1;
        }
        i += 1;
    }
    tables
}

/// The CRC and the number of bytes so far.
#[derive(Default, Clone)]
pub struct Trailer {
    crc: u32,
    size: u32,
}

impl Trailer {
    /// More plain bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut crc = !self.crc;
        let eights = bytes.chunks_exact(8);
        let rest = eights.remainder();
        for eight in eights {
            let x = u64::from_le_bytes(eight.try_into().unwrap_or_default()) ^ u64::from(crc);
            crc = 0;
            for n in 0..8 {
                crc ^= TABLES[7 - n][(x >> (8 * n)) as usize & 255];
            }
        }
        for byte in rest {
            crc = (crc >> 8) ^ TABLES[0][(crc as u8 ^ byte) as usize];
        }
        self.crc = !crc;
        self.size = self.size.wrapping_add(bytes.len() as u32);
    }

    /// The trailer of a gzip member with these bytes.
    pub fn bytes(&self) -> [u8; 8] {
        let mut out = [0; 8];
        out[..4].copy_from_slice(&self.crc.to_le_bytes());
        out[4..].copy_from_slice(&self.size.to_le_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc_32() {
        for split in 0..9 {
            let mut trailer = Trailer::default();
            trailer.update(&b"123456789"[..split]);
            trailer.update(&b"123456789"[split..]);
            assert_eq!(trailer.bytes(), [0x26, 0x39, 0xF4, 0xCB, 9, 0, 0, 0]);
        }
    }
}
