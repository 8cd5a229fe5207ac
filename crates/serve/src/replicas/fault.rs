//! Why a call has no answer, read from the client's error: not sent, not begun, cut off, or out of
//! time.

use std::error::Error;

use tonic::{ConnectError, TimeoutExpired};

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There was no connection; nothing was sent.
    NotConnected,
    /// The connection ended before the service began with the call.
    NotSent,
    /// The connection broke; the service may have done what was asked.
    NoAnswer,
    /// The caller's time is over.
    OutOfTime,
}

impl Fault {
    /// What the error of a client says.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.is::<TimeoutExpired>() {
                return Self::OutOfTime;
            }
            if error.is::<ConnectError>() {
                return Self::NotConnected;
            }
            if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled)
                || error.downcast_ref::<h2::Error>().is_some_and(is_refused)
            {
                return Self::NotSent;
            }
            cause = error.source();
        }
        Self::NoAnswer
    }
}

/// True when the other end said that it has not begun with the stream: it refused it, or it is
/// ending the connection and named an earlier stream as the last that it takes.
fn is_refused(error: &h2::Error) -> bool {
    error.is_remote()
        && (error.reason() == Some(h2::Reason::REFUSED_STREAM)
            || error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_never_reached_a_service_counts_as_not_sent() {
        let no_connection = ConnectError("refused".into());
        assert_eq!(Fault::of(&no_connection), Fault::NotConnected);
        assert_eq!(Fault::of(&TimeoutExpired(())), Fault::OutOfTime);
        assert_eq!(Fault::of(&std::io::Error::other("reset")), Fault::NoAnswer);
        // A reset of one's own says nothing about the other end.
        let own = h2::Error::from(h2::Reason::REFUSED_STREAM);
        assert_eq!(Fault::of(&own), Fault::NoAnswer);
    }
}
