//! The handle of a text: where it is kept, and how long it is.

/// Set in the offset of a text that is a constant.
const CONSTANT: u32 = 1 << 31;
/// Set in the offset of a text of the record.
const RECORD: u32 = 1 << 30;

/// Where a text is kept: in the constants, in the record or in the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// Byte offset; in the constants when the highest bit is set, in the record when the next is.
    pub(super) start: u32,
    pub(super) bytes: u32,
}

impl Text {
    /// A text of the constants; none beyond what a handle can address.
    pub(super) fn of_constants(start: usize, bytes: usize) -> Option<Self> {
        Self::new(start, bytes, CONSTANT)
    }

    /// A text of the record; none beyond what a handle can address.
    pub(super) fn of_record(start: usize, bytes: usize) -> Option<Self> {
        Self::new(start, bytes, RECORD)
    }

    /// A text of the memory; none beyond what a handle can address.
    pub(super) fn of_memory(start: usize, bytes: usize) -> Option<Self> {
        Self::new(start, bytes, 0)
    }

    fn new(start: usize, bytes: usize, flag: u32) -> Option<Self> {
        let end = start.checked_add(bytes)?;
        if end >= RECORD as usize {
            return None;
        }
        Some(Self { start: u32::try_from(start).ok()? | flag, bytes: u32::try_from(bytes).ok()? })
    }

    pub(super) fn is_constant(self) -> bool {
        self.start & CONSTANT != 0
    }

    pub(super) fn is_of_record(self) -> bool {
        self.start & RECORD != 0
    }

    /// First byte, and the one after the last.
    pub(super) fn range(self) -> (usize, usize) {
        let start = (self.start & !(CONSTANT | RECORD)) as usize;
        (start, start + self.bytes as usize)
    }

    /// A part of the text.
    pub(super) fn part(self, from: usize, bytes: usize) -> Self {
        // INVARIANT: both lie within the text, whose bounds fit.
        Self { start: self.start + from as u32, bytes: bytes as u32 }
    }
}
