//! One segment's blocks, rebuilt apart from the others: pgzip's and pigz's segments know nothing of each other
//! but 32 KiB of plain bytes, and end with a whole byte. Members of a blob, of which eStargz has one for each file,
//! know nothing of each other at all.

use crate::blocks::BlockWriter;
use crate::engine::{Engine, Goal};
use crate::error::{ensure, Result};
use crate::fixes::FixReader;
use crate::models::{Model, View};
use crate::side::Frame;
use crate::steer::Steer;

/// The most plain bytes of a segment that is rebuilt apart.
pub const MAX_APART: u64 = 4 << 20;

/// Memory of a segment that was written, for the next: fresh pages cost more than what is done in them.
#[derive(Default)]
pub struct Room {
    /// For plain bytes.
    pub bytes: Vec<u8>,
    /// For blocks.
    pub blocks: BlockWriter,
}

/// A segment to rebuild: its plain bytes, with their history in front.
pub struct Job {
    /// The bytes, and where the blocks are written.
    pub room: Room,
    /// The position of the first of them.
    pub base: u64,
    /// The index where the segment starts.
    pub from: usize,
    /// What else there is.
    pub frame: Frame,
}

/// A segment's blocks.
pub struct Done {
    /// The blocks.
    pub room: Room,
    /// Whether one of them is the stream's last.
    pub ended: bool,
}

impl Job {
    /// Rebuild the segment.
    pub fn run<M: Model>(self, engine: &mut Engine<M>) -> Result<Done> {
        let Room { bytes, mut blocks } = self.room;
        let Frame { fixes, tail, last, .. } = self.frame;
        let view = View { bytes: &bytes, base: self.base };
        let mut guide = Steer { fixes: FixReader::new(fixes)?, blocks: &mut blocks };
        let goal = if last { Goal::Last } else { Goal::Segment };
        let at = engine.run(&view, self.from..bytes.len(), goal, &mut guide)?;
        ensure(at == bytes.len(), "side data: a frame ends inside a token")?;
        ensure(guide.fixes.done(), "side data: deviations are left over")?;
        let mut ended = last;
        blocks.close()?;
        for plan in &tail {
            ensure(!ended, "side data: blocks follow the last one")?;
            blocks.empty(plan)?;
            ended = plan.last;
        }
        Ok(Done { room: Room { bytes, blocks }, ended })
    }
}

/// What is written next, in order.
pub enum Later {
    /// A segment that is rebuilt apart.
    Segment,
    /// A member begins.
    Header(Vec<u8>),
    /// A member ends: its padding and its trailer.
    Trailer(u8, [u8; 8]),
}
