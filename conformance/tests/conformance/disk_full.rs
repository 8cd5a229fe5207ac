//! A full disk: writes are refused with the remedy, reads go on, and nothing needs a restart.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use conformance::{
    http::Client,
    suite::{Shape, Suite},
};
use serde_json::{Value, json};

/// Writes until one must fail: the files have some room of their own.
const WRITES_MAX: usize = 4_000;

/// A small disk in memory; gone when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: PathBuf) -> Self {
        fs::create_dir_all(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(&path);
        assert!(mount.status().unwrap().success(), "run this test as root: it mounts a disk");
        Self(path)
    }

    /// Writes a file until nothing fits any more.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).unwrap();
        for size in [1 << 20, 1 << 12] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

async fn write(client: &Client, number: usize) -> conformance::Answer {
    let description = "x".repeat(1_900);
    let body = json!({"key": format!("type_{number}"), "name": format!("Type {number}"),
        "description": description, "classification": "positive", "category": "response"});
    client.call("POST", "/api/v1/outcome-types", &body).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_serves_reads_and_needs_no_restart() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::mount(folder.path().join("disk"));
    let data = disk.0.join("data").display().to_string();
    let place = ["--data".to_owned(), data];
    let mut suite = Suite::start_at(Shape::AllInOne, place.to_vec()).await.unwrap();
    let client = suite.client();
    assert_eq!(write(&client, 0).await.status, 201);

    let filler = disk.fill();
    let mut refused = None;
    for number in 1..WRITES_MAX {
        let answer = write(&client, number).await;
        if answer.status != 201 {
            refused = Some((number, answer));
            break;
        }
    }
    let (number, answer) = refused.unwrap();
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(answer.body["error"]["code"], json!("UNAVAILABLE"), "{}", answer.body);
    let read = client.call("GET", "/api/v1/outcome-types/type_0", &Value::Null).await.unwrap();
    assert_eq!(read.status, 200, "{}", read.body);
    suite.is_alive().unwrap();

    fs::remove_file(Path::new(&filler)).unwrap();
    let again = write(&client, number).await;
    assert_eq!(again.status, 201, "{}", again.body);
    suite.is_alive().unwrap();
}
