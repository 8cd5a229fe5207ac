//! A data folder serves one process at a time.

use conformance::{
    process::Process,
    suite::{Shape, Store, Suite},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_folder_is_refused() {
    let mut suite = Suite::start(Shape::AllInOne, Store::Sqlite).await.unwrap();
    let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    arguments.extend(suite.place());
    // A backtrace, which a developer's environment may ask for, would push the message out of the
    // kept log.
    let environment = [("RUST_BACKTRACE".to_owned(), "0".to_owned())];
    let (code, log) =
        Process::start("proffer", &arguments, &environment).unwrap().ended().await.unwrap();
    assert_ne!(code, Some(0));
    assert!(
        log.contains("is in use by another process; choose another folder with --data"),
        "{log}"
    );
    suite.is_alive().unwrap();
}
