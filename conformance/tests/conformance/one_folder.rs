//! One folder, one process.

use conformance::{
    process::Process,
    suite::{Shape, Store, Suite},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_folder_is_refused() {
    let mut suite = Suite::start(Shape::AllInOne, Store::Sqlite).await.unwrap();
    let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    arguments.extend(suite.place());
    let (code, log) = Process::start("proffer", &arguments, &[]).unwrap().ended().await.unwrap();
    assert_ne!(code, Some(0));
    assert!(log.contains("is in use by another process; choose another folder with --data"), "{log}");
    suite.is_alive().unwrap();
}
