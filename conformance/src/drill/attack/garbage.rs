//! gRPC bodies that are no messages. Each is the caller's fault, and never a success.

use anyhow::ensure;
use bytes::Bytes;
use futures::future::FutureExt as _;

use super::{Attack, Target, hostile};

/// A method of each service that takes a body.
const METHODS: [&str; 4] = [
    "/proffer.decision.v1.DecisionService/Recommend",
    "/proffer.decision.v1.OutcomeService/RespondBatch",
    "/proffer.catalog.v1.RecordService/BatchPutRecords",
    "/proffer.policy.v1.ConsentService/PutConsent",
];
/// Bytes of a body.
const BYTES: u8 = 200;
/// INVALID_ARGUMENT, and RESOURCE_EXHAUSTED when there is no turn.
const RIGHT: [&[u8]; 2] = [b"3", b"8"];

/// The attack.
pub const ATTACK: Attack =
    Attack { name: "bodies that are no messages", run: |target| run(target).boxed() };

async fn run(target: Target) -> anyhow::Result<()> {
    let mut number = 0_usize;
    loop {
        let sender = hostile::connect_h2(&target, 64 * 1024).await?;
        for method in METHODS {
            number += 1;
            // Groups that begin and never end, or field numbers that are none.
            let body =
                (0..BYTES).map(|byte| if number.is_multiple_of(2) { 0x0B } else { byte | 7 });
            let body: Vec<u8> = [0, 0, 0, 0, BYTES].into_iter().chain(body).collect();
            let mut sender = sender.clone().ready().await?;
            let (answer, mut sent) = sender.send_request(hostile::grpc(&target, method)?, false)?;
            sent.send_data(Bytes::from(body), true)?;
            target.count(1);
            let answer = answer.await?;
            let code = answer.headers().get("grpc-status").map(|code| code.as_bytes());
            ensure!(code.is_some_and(|code| RIGHT.contains(&code)), "{method}: {code:?}");
        }
    }
}
