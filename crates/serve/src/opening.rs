//! The first bytes of a connection: whether it speaks HTTP/2, said in time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};

/// Time until the first byte, and until the whole preface of HTTP/2.
pub const OPENING_MAX: Duration = Duration::from_secs(10);
/// How every connection of HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose first bytes have arrived.
#[derive(Debug)]
pub struct Opened {
    read: BytesMut,
    stream: TcpStream,
}

/// Reads the first bytes of `stream`, as many as tell HTTP/2 from HTTP/1. An error when they do not
/// arrive in [`OPENING_MAX`].
pub async fn opened(stream: TcpStream) -> io::Result<Opened> {
    opened_within(OPENING_MAX, stream).await
}

async fn opened_within(most: Duration, mut stream: TcpStream) -> io::Result<Opened> {
    let reading = async {
        let mut read = BytesMut::with_capacity(PREFACE.len());
        while read.len() < PREFACE.len() && PREFACE.starts_with(&read) {
            let left = PREFACE.len() - read.len();
            if (&mut stream).take(left as u64).read_buf(&mut read).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
        Ok(read)
    };
    let read = timeout(most, reading).await.map_err(|_| io::ErrorKind::TimedOut)??;
    Ok(Opened { read, stream })
}

impl AsyncRead for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = self.read.len().min(buffer.remaining());
        buffer.put_slice(self.read.get(..count).unwrap_or_default());
        self.read.advance(count);
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Opened {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let caller = TcpStream::connect(socket.local_addr().unwrap()).await.unwrap();
        (caller, socket.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn all_bytes_are_read_again() {
        for text in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PRI * HTTP", b"PRX", b"P"] {
            let (mut caller, stream) = pair().await;
            let whole = [text, b"$ and more"].concat();
            caller.write_all(&whole).await.unwrap();
            drop(caller);
            let mut read = Vec::new();
            opened(stream).await.unwrap().read_to_end(&mut read).await.unwrap();
            assert_eq!(read, whole);
        }
        let (mut caller, stream) = pair().await;
        caller.write_all(PREFACE).await.unwrap();
        assert_eq!(opened(stream).await.unwrap().read, PREFACE);
    }

    #[tokio::test]
    async fn nothing_or_half_a_preface_ends_after_its_time() {
        for text in [&b""[..], b"PRI * HTTP/2.0\r\n\r\n"] {
            let (mut caller, stream) = pair().await;
            caller.write_all(text).await.unwrap();
            let error = opened_within(Duration::from_millis(20), stream).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }
}
