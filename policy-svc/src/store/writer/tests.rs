//! A fault of one write ends neither the others nor the writer.

use database::Location;
use serve::Clock;

use super::*;

type Judged = Result<(Option<Change>, u32), DatabaseError>;
type Answer = Result<u32, DatabaseError>;

/// More faults than there are writers: a writer that ended would be missed.
async fn check(location: &Location) {
    let database = crate::store::schema().open(location).await.unwrap();
    let store = Store::new(database, Clock::fixed(serve::from_micros(1)));
    let wanted = |customer: usize| {
        let (tenant, customer_id) = ("default".to_owned(), format!("c{customer}"));
        Wanted { tenant, customer_id, ..Wanted::default() }
    };
    for round in 0..2 * WRITERS {
        let faulty =
            store.write(wanted(0), move |_| -> Judged { panic!("a fault of round {round}") });
        let sound = store.write(wanted(1), |known| Ok((None, known.version as u32 + 7)));
        let (faulty, sound): (Answer, Answer) = tokio::join!(faulty, sound);
        assert!(matches!(faulty, Err(DatabaseError::Panicked)), "{faulty:?}");
        assert_eq!(sound.unwrap(), 7);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judgment_that_panics_fails_alone_and_the_next_write_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    check(&Location::Folder(folder.path().to_owned())).await;
    check(&Location::Url(testkit::fresh_database_url().await)).await;
}
