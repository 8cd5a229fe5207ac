//! Imports that are taken whole or not at all, whose last row never comes.

use std::fmt::Write as _;

use futures::future::{FutureExt as _, join_all};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Attack, NOTE_BYTES, SCHEMA, Target, hostile};

/// Imports at once.
const IMPORTS: usize = 16;
/// Rows of a piece, and pieces that each sends.
const PIECE_ROWS: usize = 100;
const PIECES: usize = 500;

/// The attack.
pub const ATTACK: Attack =
    Attack { name: "imports of all or nothing held open", run: |target| run(target).boxed() };

async fn run(target: Target) -> anyhow::Result<()> {
    join_all((0..IMPORTS).map(|number| again_and_again(&target, number))).await;
    Ok(())
}

async fn again_and_again(target: &Target, number: usize) {
    loop {
        drop(hold(target, number).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Sends rows, and waits until the server ends the import.
async fn hold(target: &Target, number: usize) -> std::io::Result<()> {
    let mut stream = hostile::connect(target).await?;
    let head = format!(
        "POST /api/v1/schemas/{SCHEMA}/records:import?allOrNothing=true HTTP/1.1\r\nHost: {}\r\n\
         Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n",
        target.address
    );
    stream.write_all(head.as_bytes()).await?;
    send(&mut stream, "customerId,note\n", target).await?;
    let note = "n".repeat(NOTE_BYTES);
    for piece in 0..PIECES {
        let mut rows = String::new();
        for row in 0..PIECE_ROWS {
            let _ = writeln!(rows, "a{number}_{piece}_{row},{note}");
        }
        send(&mut stream, &rows, target).await?;
    }
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

async fn send(
    stream: &mut tokio::net::TcpStream,
    text: &str,
    target: &Target,
) -> std::io::Result<()> {
    stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await?;
    target.count(text.len());
    Ok(())
}
