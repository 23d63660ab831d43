//! The CRC-32 of gzip's trailer (RFC 1952, 8), sixteen bytes a step.

/// Bytes of a step.
const AT_ONCE: usize = 16;

static TABLES: [[u32; 256]; AT_ONCE] = tables();

const fn tables() -> [[u32; 256]; AT_ONCE] {
    let mut tables = [[0; 256]; AT_ONCE];
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
        while n < AT_ONCE {
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

/// The CRC of some bytes.
pub fn crc_32(bytes: &[u8]) -> u32 {
    let mut trailer = Trailer::default();
    trailer.update(bytes);
    trailer.crc
}

impl Trailer {
    /// More plain bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut crc = !self.crc;
        let parts = bytes.chunks_exact(AT_ONCE);
        let rest = parts.remainder();
        for part in parts {
            let x = u128::from_le_bytes(part.try_into().unwrap_or_default()) ^ u128::from(crc);
            let bytes = x.to_le_bytes();
            crc = (0..AT_ONCE).fold(0, |crc, n| crc ^ TABLES[AT_ONCE - 1 - n][usize::from(bytes[n])]);
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
    fn long_and_short_pieces_come_to_the_same() {
        let bytes: Vec<u8> = (0..1000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut each = Trailer::default();
        bytes.iter().for_each(|byte| each.update(&[*byte]));
        for split in [0, 1, 15, 16, 17, 100, 999] {
            let mut trailer = Trailer::default();
            trailer.update(&bytes[..split]);
            trailer.update(&bytes[split..]);
            assert_eq!(trailer.bytes(), each.bytes());
        }
    }

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
