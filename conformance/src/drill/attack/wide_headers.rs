//! Files whose header has far more columns than the schema has fields. One took 45 s of a
//! processor.

use std::fmt::Write as _;

use futures::future::{FutureExt as _, join_all};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Attack, SCHEMA, Target, hostile};

/// Files at once.
const FILES: usize = 16;
/// Columns of a header of a mebibyte.
const COLUMNS: usize = 180_000;

/// The attack.
pub const ATTACK: Attack =
    Attack { name: "headers with 180,000 columns", run: |target| run(target).boxed() };

async fn run(target: Target) -> anyhow::Result<()> {
    let mut file = "customerId".to_owned();
    for column in 0..COLUMNS {
        let _ = write!(file, ",{column:x}");
    }
    file.push('\n');
    join_all((0..FILES).map(|_| again_and_again(&target, &file))).await;
    Ok(())
}

async fn again_and_again(target: &Target, file: &str) {
    loop {
        drop(send(target, file).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn send(target: &Target, file: &str) -> std::io::Result<()> {
    let mut stream = hostile::connect(target).await?;
    let head = format!(
        "POST /api/v1/schemas/{SCHEMA}/records:import HTTP/1.1\r\nHost: {}\r\n\
         Content-Type: text/csv\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        target.address,
        file.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(file.as_bytes()).await?;
    target.count(file.len());
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}
