//! The bytes of an import as a blocking reader that waits for the next piece.

use std::io::{self, Read};

use tokio::sync::mpsc;

use super::{Counted, ROW_BYTES_MAX};

/// Bytes that readers take ahead of the row they are at.
const AHEAD_BYTES: usize = 256 * 1024;

/// Pieces of a file; reading blocks until the next one is there.
#[derive(Debug)]
pub struct Incoming {
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    read: usize,
    /// Bytes read since the present row began.
    of_row: usize,
}

impl Incoming {
    /// What `pieces` brings, to its end.
    pub fn new(pieces: mpsc::Receiver<io::Result<Vec<u8>>>) -> Self {
        Self { pieces, piece: Vec::new(), read: 0, of_row: 0 }
    }

    /// These pieces.
    #[cfg(test)]
    pub fn of(chunks: Vec<Vec<u8>>) -> Self {
        let (sender, receiver) = mpsc::channel(chunks.len().max(1));
        for chunk in chunks {
            sender.try_send(Ok(chunk)).unwrap();
        }
        Self::new(receiver)
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            match self.pieces.blocking_recv() {
                Some(piece) => (self.piece, self.read) = (piece?, 0),
                None => return Ok(0),
            }
        }
        if self.of_row > ROW_BYTES_MAX + AHEAD_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut rest = self.piece.get(self.read..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.read += count;
        self.of_row += count;
        Ok(count)
    }
}

impl Counted for Incoming {
    fn begin_row(&mut self) {
        self.of_row = 0;
    }
}
