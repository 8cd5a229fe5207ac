//! Where the messages of a gRPC body end.

/// Bytes before each message: a flag and the length.
const PREFIX_BYTES: usize = 5;

/// Follows the messages of a body as its pieces arrive.
#[derive(Debug, Default)]
pub struct Frames {
    prefix: [u8; PREFIX_BYTES],
    /// Bytes of the prefix that have arrived.
    of_prefix: usize,
    /// Bytes of the message that have not arrived yet.
    missing: u64,
    /// Bytes of the message that have arrived, its prefix among them.
    unfinished: u64,
}

impl Frames {
    /// Bytes of the message that has begun and not ended.
    pub fn unfinished_bytes(&self) -> u64 {
        self.unfinished
    }

    /// Reads a piece.
    pub fn read(&mut self, mut piece: &[u8]) {
        while let Some(byte) = piece.first() {
            if self.of_prefix < PREFIX_BYTES {
                if let Some(place) = self.prefix.get_mut(self.of_prefix) {
                    *place = *byte;
                }
                self.of_prefix += 1;
                self.unfinished += 1;
                piece = piece.get(1..).unwrap_or_default();
                if self.of_prefix == PREFIX_BYTES {
                    let [_, a, b, c, d] = self.prefix;
                    self.missing = u64::from(u32::from_be_bytes([a, b, c, d]));
                }
            } else {
                let read = piece.len().min(usize::try_from(self.missing).unwrap_or(usize::MAX));
                self.missing -= read as u64;
                self.unfinished += read as u64;
                piece = piece.get(read..).unwrap_or_default();
            }
            if self.of_prefix == PREFIX_BYTES && self.missing == 0 {
                (self.of_prefix, self.unfinished) = (0, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unfinished_is_the_same_however_a_body_is_cut() {
        let body = [&[0, 0, 0, 0, 3, 1, 2, 3][..], &[0, 0, 0, 0, 0], &[0, 0, 0, 0, 9, 1]].concat();
        for size in 1..=body.len() {
            let mut frames = Frames::default();
            body.chunks(size).for_each(|piece| frames.read(piece));
            assert_eq!(frames.unfinished_bytes(), 6, "in pieces of {size}");
        }
    }
}
