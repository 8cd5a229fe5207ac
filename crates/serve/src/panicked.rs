//! A panic ends the call it happens in, and no other.
//!
//! It is a fault of the program, so it is logged as an internal error and counted. Locks are used
//! after it: what they guard is replaced as a whole, and never left half changed.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures::FutureExt as _;
use tonic::Status;

/// The result of `work`; INTERNAL when it panics.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Status> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| told(&*panic))
}

/// The same for work that does not wait.
pub fn caught_now<T>(work: impl FnOnce() -> T) -> Result<T, Status> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| told(&*panic))
}

fn told(panic: &(dyn Any + Send)) -> Status {
    metrics::counter!("proffer.panics").increment(1);
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    crate::internal(&format!("panicked: {}", text.unwrap_or("without a text")))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[tokio::test]
    #[allow(clippy::panic)]
    async fn a_panic_is_internal_and_what_was_done_without_one_is_returned() {
        assert_eq!(caught(async { 7 }).await.unwrap(), 7);
        assert_eq!(caught_now(|| 7).unwrap(), 7);
        let panicking = caught(async {
            tokio::task::yield_now().await;
            panic!("secret of the program")
        });
        let status: Result<(), Status> = panicking.await;
        let now: Result<(), Status> = caught_now(|| panic!("{}", "secret of the program"));
        for status in [status, now] {
            let status = status.unwrap_err();
            assert_eq!(status.code(), Code::Internal);
            assert!(!status.message().contains("secret"), "{status}");
        }
    }
}
