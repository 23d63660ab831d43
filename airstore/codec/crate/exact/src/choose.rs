//! Which encoder wrote a stream: its header gives an order, the first blocks decide.

use crate::encoder::{Encoder, Epoch};
use crate::first::First;
use crate::models::zlib::Variant;
use crate::trial::{try_encoder, try_until, Trial};

/// The most compressed bytes that candidates are tried on.
pub const LONG: usize = 1 << 20;
/// Plain bytes that all candidates are tried on, ...
const GLANCE: u64 = 1 << 16;
/// ... those that did well, ...
const LOOK: u64 = 1 << 19;
/// ... and pgzip, to whose second block this reaches.
const TWO_BLOCKS: u64 = (1 << 20) + (1 << 18);
/// How many of those that did well on a glance are tried farther, ...
const FARTHER: usize = 6;
/// ... and how many to the end. Where no model fits, nearly all do about as badly.
const TO_THE_END: usize = 2;
/// Plain bytes that copies saved, of which a model that never errs is the right one.
const EVIDENCE: u64 = 1 << 16;
/// Deviations of more than this part of the stream are worse than its tokens, which delta better.
const WORTHWHILE: u64 = 2;

/// Of these encoders the one whose model errs least over a stream's first bytes.
pub fn choose(prefix: &[u8], candidates: Vec<Encoder>) -> Encoder {
    let mut tried = Vec::new();
    let mut best = u64::MAX;
    for encoder in candidates {
        let (cost, right) = glance(encoder, prefix, enough(best));
        if right {
            return encoder;
        }
        best = best.min(cost);
        tried.push((cost, encoder));
    }
    let tried = retry(tried, prefix, LOOK, FARTHER);
    match retry(tried, prefix, u64::MAX, TO_THE_END).first() {
        Some((cost, encoder)) if *cost <= prefix.len() as u64 / WORTHWHILE => *encoder,
        _ => Encoder::Tokens,
    }
}

/// What a model costs over the first bytes, up to a bound, and whether it is right: then it never errs later either.
fn glance(encoder: Encoder, prefix: &[u8], bound: u64) -> (u64, bool) {
    let (mut cost, mut verdict) = (None, Verdict::Open);
    let last = try_until(encoder, prefix, |so_far| {
        let glanced = so_far.plain >= GLANCE || so_far.deviations > bound;
        if glanced {
            cost.get_or_insert(so_far.deviations);
            verdict = is_enough(encoder, so_far);
        }
        glanced && verdict != Verdict::Open
    });
    (cost.unwrap_or(last.deviations), last.deviations == 0 && verdict != Verdict::Wrong)
}

/// How many deviations are too many to try again, if the best so far has these.
fn enough(best: u64) -> u64 {
    best.saturating_mul(2).saturating_add(64)
}

/// What is known of a model after some of a stream.
#[derive(PartialEq, Debug)]
pub enum Verdict {
    /// It erred, or is one that ends blocks where the stream does not.
    Wrong,
    /// It never erred where it well could.
    Right,
    /// Too little was seen.
    Open,
}

/// Judge a model by how it did so far.
pub fn is_enough(encoder: Encoder, so_far: &Trial) -> Verdict {
    let parallel = encoder.is_parallel();
    let reach = if matches!(encoder, Encoder::Klauspost(..)) && parallel { TWO_BLOCKS } else { LOOK };
    // One that writes blocks apart has ended one in so many bytes; without that it is what it runs in each.
    let apart = so_far.flushed || so_far.plain < TWO_BLOCKS;
    if so_far.deviations > 0 || parallel && !apart {
        Verdict::Wrong
    } else if so_far.plain >= reach && so_far.copied >= EVIDENCE {
        Verdict::Right
    } else {
        Verdict::Open
    }
}

/// Try those again that did well, farther; the best of them come first.
fn retry(tried: Vec<(u64, Encoder)>, prefix: &[u8], plain: u64, most: usize) -> Vec<(u64, Encoder)> {
    let mut tried = well(tried, most);
    let mut best = u64::MAX;
    for (cost, encoder) in &mut tried {
        *cost = try_encoder(*encoder, prefix, plain, enough(best)).deviations;
        best = best.min(*cost);
    }
    tried.sort_by_key(|(cost, _)| *cost);
    tried
}

/// Those that did well: so many, and all that did as well as the best, which may have met nothing yet.
fn well(mut tried: Vec<(u64, Encoder)>, most: usize) -> Vec<(u64, Encoder)> {
    tried.sort_by_key(|(cost, _)| *cost);
    let best = tried.first().map_or(0, |(cost, _)| *cost);
    let count = tried.iter().filter(|(cost, _)| *cost == best).count().max(most);
    tried.truncate(count);
    tried.retain(|(cost, _)| *cost <= enough(best));
    tried
}

/// Go's zero time, cut to 32 bits, which pgzip and klauspost write.
const ZERO_TIME: [u8; 4] = [0, 9, 0x6e, 0x88];

/// Whether a header is like those of pgzip and klauspost.
pub fn like_klauspost(header: &[u8]) -> bool {
    header.get(4..8) == Some(&ZERO_TIME)
}

/// All encoders, those first that write such headers and blocks.
pub fn candidates(prefix: &[u8], first: &First) -> Vec<Encoder> {
    let (time, speed, system) = match prefix {
        [0x1f, 0x8b, 8, _, a, b, c, d, speed, system, ..] => ([*a, *b, *c, *d], *speed, *system),
        _ => ([0; 4], 0, 0),
    };
    let mut all = Encoder::all();
    let klauspost = time == ZERO_TIME;
    let go = system == 255 && !klauspost;
    all.retain(|encoder| match encoder {
        Encoder::Tokens => false,
        Encoder::Klauspost(_, Epoch::Since1_15_12, _) => first.is_open(),
        _ => true,
    });
    let by_header = |encoder: &Encoder| match encoder {
        Encoder::Klauspost(5, ..) if klauspost => 0,
        Encoder::Klauspost(..) if klauspost => 1,
        Encoder::GoFast if go && speed == 4 => 0,
        Encoder::GoLazy(9) if go && speed == 2 => 0,
        Encoder::GoLazy(6) | Encoder::Go27(6) if go && speed == 0 => 0,
        Encoder::GoFast | Encoder::GoLazy(_) | Encoder::Go27(_) if go => 1,
        Encoder::Zlib(_, 9) if speed == 2 && system != 255 => 0,
        Encoder::Zlib(_, 1) if speed == 4 && system != 255 => 0,
        Encoder::Zlib(Variant::Zlib(8), 6) => 1,
        Encoder::Zlib(Variant::Gnu | Variant::Pigz | Variant::Product(8), 6) => 2,
        _ => 3,
    };
    let strange = |encoder: &Encoder| match encoder {
        Encoder::Klauspost(_, epoch, parallel) => first.strange(*epoch, *parallel),
        _ => 0,
    };
    all.sort_by_key(|encoder| (!first.suits(*encoder), by_header(encoder), strange(encoder)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Stream;
    use crate::guess::record_any;
    use crate::guide::Plan;
    use crate::inflate::Start;
    use crate::members::record_members;
    use crate::rebuild::rebuild;
    use crate::side::{opening, Frame, Record};

    fn candidates(prefix: &[u8]) -> Vec<Encoder> {
        super::candidates(prefix, &First::of(prefix, like_klauspost(prefix)))
    }

    const KLAUSPOST: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 9, 0x6e, 0x88, 0, 255];
    const ZLIB: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

    fn words(total: usize) -> Vec<u8> {
        let words = (0..900_000u32).map(|n| n.wrapping_mul(2_654_435_761) >> 22);
        words.flat_map(|word| format!("{word} ").into_bytes()).take(total).collect()
    }

    /// What an encoder makes of this, flushed after each `size` bytes.
    fn stream(encoder: Encoder, header: [u8; 10], plain: &[u8], size: usize) -> Vec<u8> {
        let empty = |start, last| Plan { start, last, literals: false };
        let mut side = opening(encoder);
        Record::Header(header.to_vec()).put(&mut side);
        for (index, block) in plain.chunks(size).enumerate() {
            let last = (index + 1) * size >= plain.len();
            let start = if last { Start::Fixed } else { Start::Stored(0) };
            let (span, tail) = (block.len() as u64, vec![empty(start, last)]);
            Record::Frame(Frame { span, ahead: 0, fixes: Vec::new(), tail, last: false }).put(&mut side);
        }
        Record::Trailer(0, None).put(&mut side);
        Record::End.put(&mut side);
        let mut stream = Vec::new();
        rebuild(plain, &side[..], &mut stream).expect("a stream");
        stream
    }

    #[test]
    fn what_ends_no_block_is_not_taken_for_pgzip() {
        for parallel in [false, true] {
            let encoder = Encoder::Klauspost(5, Epoch::V1_18_2, parallel);
            let size = if parallel { 1 << 20 } else { 2 << 20 };
            let stream = stream(encoder, KLAUSPOST, &words(2 << 20), size);
            let prefix = &stream[..stream.len().min(LONG)];
            let order = candidates(prefix);
            assert_eq!((order[0], choose(prefix, order)), (encoder, encoder));
        }
    }

    /// Blocks of the first 1.5 MiB use the last length and the last distance, later ones do not.
    #[test]
    fn headers_that_tell_late_cost_a_deviation_in_a_segment_and_not_each() {
        let mut plain = words(3 << 20);
        (40_000..3 << 19).step_by(20_000).for_each(|at| plain.copy_within(at - 30_000..at - 29_000, at));
        for (parallel, size) in [(false, 3 << 20), (true, 1 << 20)] {
            let [written, older, both] = [Epoch::V1_18_2, Epoch::V1_15_12, Epoch::Since1_15_12]
                .map(|epoch| Encoder::Klauspost(5, epoch, parallel));
            let stream = stream(written, KLAUSPOST, &plain, size);
            let (mut side, mut side_of_older, mut back) = (Vec::new(), Vec::new(), Vec::new());
            let chosen = record_any(&stream[..], std::io::sink(), &mut side).expect("recorded");
            record_members(older, Stream::new(&stream[..]), std::io::sink(), &mut side_of_older, |_| {
                Ok(true)
            })
            .expect("recorded");
            rebuild(&plain[..], &side[..], &mut back).expect("rebuilt");
            assert!(chosen == both && back == stream, "{chosen}");
            let (cost, before) = (side.len(), side_of_older.len());
            assert!(cost < 250 && before > 4 * cost, "{cost} for {before}");
        }
    }

    #[test]
    fn what_ends_a_piece_is_not_taken_for_zlib() {
        for (variant, size) in [(Variant::Pigz, 1 << 17), (Variant::Zlib(8), 3 << 17)] {
            let encoder = Encoder::Zlib(variant, 6);
            assert_eq!(candidates(&stream(encoder, ZLIB, &words(3 << 17), size))[0], encoder);
        }
    }

    #[test]
    fn of_those_that_do_badly_a_few_are_tried_farther() {
        let costs = |costs: &[u64]| costs.iter().map(|cost| (*cost, Encoder::GoFast)).collect::<Vec<_>>();
        let kept = |given: &[u64]| well(costs(given), 2).iter().map(|(cost, _)| *cost).collect::<Vec<_>>();
        assert_eq!(kept(&[900, 1000, 950, 999]), [900, 950]);
        assert_eq!(kept(&[0, 7, 0, 0]), [0, 0, 0]);
        assert_eq!(kept(&[1, 67]), [1]);
        assert!(well(Vec::new(), 2).is_empty());
    }

    #[test]
    fn headers_give_the_order() {
        let first = |header: &[u8]| candidates(header)[0];
        assert_eq!(first(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]), Encoder::GoLazy(6));
        assert_eq!(first(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]), Encoder::GoFast);
        assert_eq!(
            first(&[0x1f, 0x8b, 8, 0, 0, 9, 0x6e, 0x88, 0, 255]),
            Encoder::Klauspost(5, Epoch::V1_15_12, true)
        );
        assert!(matches!(first(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]), Encoder::Zlib(_, 9)));
        // All but tokens, and the epoch that is for what goes on without a word.
        assert_eq!(candidates(&[]).len() + 1 + 4, Encoder::all().len());
    }
}
