//! DEFLATE's tokens: a literal byte, or a copy of bytes seen before (RFC 1951, 3.2.5).

/// The longest copy.
pub const MAX_LENGTH: usize = 258;
/// The farthest copy.
pub const MAX_DISTANCE: usize = 32768;
/// The symbol that ends a block.
pub const END_OF_BLOCK: usize = 256;
/// The first symbol that stands for a length.
pub const FIRST_LENGTH: usize = 257;

/// Where lengths begin among `Token::value`s.
pub const LENGTHS: usize = 256;
/// How many of those there are at most.
pub const VALUES: usize = 1024;
/// What `distance_index` gives for no distance, 0.
pub const NO_DISTANCE: usize = 63;

/// One token, packed: the distance in the upper 16 bits, 0 for a literal; the length or the byte below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token(pub u32);

impl Token {
    /// A literal byte.
    #[inline]
    pub fn literal(byte: u8) -> Self {
        Token(u32::from(byte))
    }

    /// A copy of `length` bytes from `distance` bytes before.
    #[inline]
    pub fn copy(length: usize, distance: usize) -> Self {
        Token((distance as u32) << 16 | length as u32)
    }

    /// Whether this is a literal byte.
    #[inline]
    pub fn is_literal(self) -> bool {
        self.0 < 0x1_0000
    }

    /// The literal's byte.
    #[inline]
    pub fn byte(self) -> u8 {
        self.0 as u8
    }

    /// The copy's distance; 0 for a literal.
    #[inline]
    pub fn distance(self) -> usize {
        (self.0 >> 16) as usize
    }

    /// The copy's length.
    #[inline]
    pub fn length(self) -> usize {
        (self.0 & 0xffff) as usize
    }

    /// The literal's byte, or the copy's length counted from `LENGTHS`: less than `VALUES`.
    #[inline]
    pub fn value(self) -> usize {
        (self.length() + LENGTHS * usize::from(!self.is_literal())) & (VALUES - 1)
    }

    /// How many plain bytes the token stands for.
    #[inline]
    pub fn span(self) -> usize {
        if self.is_literal() {
            1
        } else {
            self.length()
        }
    }
}

/// Extra bits of each length symbol, from 257 on.
pub const LENGTH_EXTRA: [u8; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
/// Extra bits of each distance symbol.
pub const DISTANCE_EXTRA: [u8; 30] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
/// The shortest length of each length symbol.
pub const LENGTH_BASE: [u16; 29] = bases(&LENGTH_EXTRA, 3, true);
/// The shortest distance of each distance symbol.
pub const DISTANCE_BASE: [u16; 30] = bases(&DISTANCE_EXTRA, 1, false);

const fn bases<const N: usize>(extra: &[u8; N], first: u16, last_is_longest: bool) -> [u16; N] {
    let mut table = [0; N];
    let mut value = first;
    let mut i = 0;
    while i < N {
        table[i] = value;
        value = value.wrapping_add(1 << extra[i]);
        i += 1;
    }
    if last_is_longest {
        table[N - 1] = MAX_LENGTH as u16;
    }
    table
}

const LENGTH_SYMBOL: [u8; 256] = length_symbols();

const fn length_symbols() -> [u8; 256] {
    let mut table = [0; 256];
    let mut length = 0;
    while length < 256 {
        let mut symbol = 28;
        while LENGTH_BASE[symbol] as usize > length + 3 {
            symbol -= 1;
        }
        table[length] = symbol as u8;
        length += 1;
    }
    table
}

/// Index of the length's symbol, counted from 257.
#[inline]
pub fn length_index(length: usize) -> usize {
    LENGTH_SYMBOL[(length - 3) & 255] as usize
}

/// The distance's symbol.
#[inline]
pub fn distance_index(distance: usize) -> usize {
    distance_parts(distance).0
}

/// The distance's symbol, the number of its extra bits, and those.
#[inline]
pub fn distance_parts(distance: usize) -> (usize, u32, u32) {
    let below = (distance as u32).wrapping_sub(1);
    if below < 2 {
        return (below as usize, 0, 0);
    }
    let extra = 30 - below.leading_zeros();
    let index = 2 * extra + (below >> extra);
    (index as usize, extra, below & ((1 << extra) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_lead_back_to_their_values() {
        for length in 3..=MAX_LENGTH {
            let symbol = length_index(length);
            let base = LENGTH_BASE[symbol] as usize;
            assert!(base <= length && length < base + (1 << LENGTH_EXTRA[symbol]), "{length}");
        }
        for distance in 1..=MAX_DISTANCE {
            let symbol = distance_index(distance);
            let base = DISTANCE_BASE[symbol] as usize;
            assert!(base <= distance && distance < base + (1 << DISTANCE_EXTRA[symbol]), "{distance}");
            let rest = (distance - base) as u32;
            assert_eq!(distance_parts(distance), (symbol, u32::from(DISTANCE_EXTRA[symbol]), rest));
        }
        assert_eq!(length_index(MAX_LENGTH), 28);
        assert_eq!(distance_index(0), NO_DISTANCE);
    }
}
