//! What klauspost/compress reckons with before it makes codes.
//!
//! After `flate/token.go` and `flate/deflate.go` (`storeFast`) of klauspost/compress 1.18.0.

use crate::rules::Counts;
use crate::token::{DISTANCE_EXTRA, END_OF_BLOCK, FIRST_LENGTH, LENGTH_EXTRA};

/// Whether all bytes occur about equally often.
pub fn flat(counts: &Counts, size: usize) -> bool {
    let average = size as f64 / 256.0;
    let most = (size * 2) as f64;
    let mut sum = 0.0;
    for count in &counts.literals[..256] {
        let off = f64::from(*count) - average;
        sum += off * off;
        if sum > most {
            break;
        }
    }
    sum < most
}

/// Bits that codes of their own would take, by the entropy, in single precision as the encoder does.
pub fn estimated_bits(counts: &Counts, number: usize) -> usize {
    let mut sum = 0f32;
    let mut extra = 0;
    let mut copies = 0;
    let share = 1.0 / number as f32;
    for count in counts.literals[..END_OF_BLOCK].iter().filter(|count| **count > 0) {
        sum += symbol_bits(*count as f32 * share) * *count as f32;
    }
    sum += 15.0;
    for (count, bits) in counts.literals[FIRST_LENGTH..].iter().zip(LENGTH_EXTRA).filter(|(n, _)| **n > 0) {
        sum += symbol_bits(*count as f32 * share) * *count as f32;
        extra += usize::from(bits) * *count as usize;
        copies += count;
    }
    let share = 1.0 / copies as f32;
    for (count, bits) in counts.distances.iter().zip(DISTANCE_EXTRA).filter(|(count, _)| **count > 0) {
        sum += symbol_bits(*count as f32 * share) * *count as f32;
        extra += usize::from(bits) * *count as usize;
    }
    sum as usize + extra
}

/// The negative logarithm of a share by a quadratic approximation, between 1 and 15.
fn symbol_bits(share: f32) -> f32 {
    let pattern = share.to_bits() as i32;
    let exponent = (((pattern >> 23) & 255) - 128) as f32;
    let mantissa = f32::from_bits(((pattern & !0x7f80_0000) + (127 << 23)) as u32);
    let log = exponent + (((-0.344_848_43 * mantissa + 2.024_665_8) * mantissa) - 0.674_877_6);
    (-log).clamp(1.0, 15.0)
}
