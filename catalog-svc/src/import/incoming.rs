//! The bytes of an import as a blocking reader that waits for the next piece.

use std::io::{self, Read};

use tokio::sync::mpsc;

use super::{
    Counted, ROW_BYTES_MAX,
    turn::{Turn, Turns},
};

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
    turns: Turns,
    /// Held while there is something to read, not while waiting for a caller.
    turn: Option<Turn>,
}

impl Incoming {
    /// What `pieces` brings, to its end, read in turns with others.
    pub fn new(pieces: mpsc::Receiver<io::Result<Vec<u8>>>, turns: Turns) -> Self {
        Self { pieces, piece: Vec::new(), read: 0, of_row: 0, turns, turn: None }
    }

    /// These pieces.
    #[cfg(test)]
    pub fn of(chunks: Vec<Vec<u8>>) -> Self {
        let (sender, receiver) = mpsc::channel(chunks.len().max(1));
        for chunk in chunks {
            sender.try_send(Ok(chunk)).unwrap();
        }
        Self::new(receiver, Turns::default())
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            self.turn = None;
            match self.pieces.blocking_recv() {
                Some(piece) => (self.piece, self.read) = (piece?, 0),
                None => return Ok(0),
            }
        }
        self.turn.get_or_insert_with(|| self.turns.take());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_has_a_turn_while_it_has_something_to_read() {
        let turns = Turns::new(1);
        let (sender, receiver) = mpsc::channel(2);
        let mut incoming = Incoming::new(receiver, turns.clone());
        assert_eq!(turns.free(), 1);
        sender.try_send(Ok(b"ab".to_vec())).unwrap();
        drop(sender);
        assert_eq!(incoming.read(&mut [0]).unwrap(), 1);
        assert_eq!(turns.free(), 0);
        assert_eq!(incoming.read(&mut [0]).unwrap(), 1);
        assert_eq!(incoming.read(&mut [0]).unwrap(), 0);
        assert_eq!(turns.free(), 1);
    }
}
