//! One caller with as many calls at once as a connection takes.

use futures::future::{FutureExt as _, join_all};

use super::{Attack, Target, hostile};

/// Calls at once on one connection.
const STREAMS: usize = 190;
/// What each asks: a decision that is not kept.
const QUESTION: &str = r#"{"customerId":"m","channel":"web","flow":"Winback","dryRun":true}"#;

/// The attack.
pub const ATTACK: Attack = Attack { name: "190 calls at once", run: |target| run(target).boxed() };

async fn run(target: Target) -> anyhow::Result<()> {
    loop {
        if let Ok(sender) = hostile::connect_h2(&target, 64 * 1024).await {
            let ask = |_| {
                let (sender, target) = (sender.clone(), &target);
                async move { while ask(sender.clone(), target).await.is_ok() {} }
            };
            join_all((0..STREAMS).map(ask)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn ask(sender: h2::client::SendRequest<bytes::Bytes>, target: &Target) -> anyhow::Result<()> {
    let mut sender = sender.ready().await?;
    let uri = format!("http://{}/api/v1/recommend", target.address);
    let request = http::Request::post(uri).header("content-type", "application/json");
    let (answer, mut body) = sender.send_request(request.body(())?, false)?;
    body.send_data(bytes::Bytes::from_static(QUESTION.as_bytes()), true)?;
    target.count(1);
    let mut answer = answer.await?.into_body();
    while let Some(piece) = answer.data().await.transpose()? {
        answer.flow_control().release_capacity(piece.len())?;
    }
    Ok(())
}
