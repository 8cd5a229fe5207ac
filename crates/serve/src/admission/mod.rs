//! Limits the calls in flight. Some further calls wait for a permit; the rest is refused at once,
//! so that admitted calls still finish in time. [`turns`] says who comes first.

mod turns;

use std::{
    num::NonZero,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::available_parallelism,
};

use tokio::sync::oneshot;
use tonic::Status;

pub use self::turns::{Ask, Needs};
use self::turns::{Entry, Turns};
use crate::{Problem, telemetry::counted::Counted};

/// Default number of calls in flight per processor. It must cover calls that wait for a disk or
/// another service as well as those that compute; a larger number makes all calls slower and
/// completes no more of them.
const IN_FLIGHT_PER_PROCESSOR: usize = 8;
/// Default number of queued calls per call in flight: enough for a short burst, and the last in the
/// queue waits for six others.
const WAITING_PER_CALL: usize = 6;
/// Largest number that may be set.
const CALLS_MAX: usize = 100_000;

/// The refusal, built once: under overload most answers are refusals, and their cost is taken from
/// the admitted calls.
static REFUSAL: LazyLock<Status> =
    LazyLock::new(|| Problem::overloaded("too many calls are in flight; try again shortly").into());

/// Limits of admission.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct AdmissionSettings {
    /// Calls that may run at once, at most 100,000; 8 per processor by default. A large call counts
    /// as several, a stream only while one of its parts is worked on, a health check not at all.
    #[arg(long, env = "PROFFER_MAX_IN_FLIGHT", value_parser = calls(1))]
    pub max_in_flight: Option<usize>,
    /// Calls that may wait for a permit, at most 100,000; by default six times as many as may run.
    /// Further calls are refused at once: RESOURCE_EXHAUSTED, 429 over REST.
    #[arg(long, env = "PROFFER_MAX_WAITING", value_parser = calls(0))]
    pub max_waiting: Option<usize>,
}

fn calls(least: usize) -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser as _;
    let bounds = least as i64..=CALLS_MAX as i64;
    clap::value_parser!(u32).range(bounds).map(|calls| calls as usize)
}

/// Gives permits to calls.
#[derive(Clone, Debug)]
pub struct Admission {
    turns: Arc<Mutex<Turns<Waiter>>>,
    /// Numbers of the calls that wait.
    numbers: Arc<AtomicU64>,
}

/// A call that waits, and the way to tell it the end of that.
#[derive(Debug)]
struct Waiter {
    number: u64,
    tell: oneshot::Sender<Result<Permit, Status>>,
}

impl Admission {
    /// Permits and queue as `settings` say.
    pub fn new(settings: &AdmissionSettings) -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        let in_flight = settings
            .max_in_flight
            .unwrap_or(IN_FLIGHT_PER_PROCESSOR * processors)
            .clamp(1, CALLS_MAX);
        let waiting = settings.max_waiting.unwrap_or(WAITING_PER_CALL * in_flight).min(CALLS_MAX);
        let turns = Arc::new(Mutex::new(Turns::new(in_flight, waiting)));
        Self { turns, numbers: Arc::default() }
    }

    /// Waits for a permit; refuses at once when the queue is full, and later when another caller
    /// needs the place more. A dropped wait or permit frees its place.
    ///
    /// A call that gets a permit yields once before working, so that calls which arrived meanwhile
    /// are queued or refused. A call that never awaits would otherwise finish before the next is
    /// counted, and none would be refused.
    pub async fn admit(&self, ask: Ask) -> Result<Permit, Status> {
        let permit = self.turn(ask).await?;
        tokio::task::yield_now().await;
        Ok(permit)
    }

    /// The same for a part of a stream. It waits as long as it takes: the sender of the stream is
    /// slowed down instead of refused.
    pub async fn admit_part(&self, ask: Ask) -> Result<Permit, Status> {
        self.turn(Ask { is_patient: true, ..ask }).await
    }

    async fn turn(&self, ask: Ask) -> Result<Permit, Status> {
        let (ask, waited) = {
            let mut turns = self.lock();
            let ask = turns.bounded(ask);
            let (tell, end) = oneshot::channel();
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let entry = turns.enter(ask, || Waiter { number, tell });
            drop(turns);
            let waited = match entry {
                Entry::Granted => None,
                Entry::Waits => Some((number, end)),
                Entry::WaitsInsteadOf(other) => {
                    drop(other.tell.send(Err(refusal())));
                    Some((number, end))
                }
                Entry::Refused => return Err(refusal()),
            };
            (ask, waited)
        };
        let Some((number, end)) = waited else {
            return Ok(Permit { admission: self.clone(), ask });
        };
        let _waiting = Waiting {
            admission: self,
            number,
            _counted: Counted::by(metrics::gauge!("proffer.calls.waiting")),
        };
        // INVARIANT: a waiter gets a permit or a refusal before it is dropped.
        end.await.unwrap_or_else(|_| Err(refusal()))
    }

    /// Gives free turns to those who wait.
    fn hand_out(&self) {
        loop {
            let next = self.lock().next();
            let Some((ask, waiter)) = next else { return };
            // A waiter that has left gives its permit back when this drops it.
            drop(waiter.tell.send(Ok(Permit { admission: self.clone(), ask })));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Turns<Waiter>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal() -> Status {
    metrics::counter!("proffer.calls.refused").increment(1);
    REFUSAL.clone()
}

/// Gives the place of a waiting call back.
struct Waiting<'a> {
    admission: &'a Admission,
    number: u64,
    _counted: Counted,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.admission.lock().leave(|waiter| waiter.number == self.number);
    }
}

/// Held while a call is in flight.
#[derive(Debug)]
pub struct Permit {
    admission: Admission,
    ask: Ask,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.lock().give_back(&self.ask);
        self.admission.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use futures::{FutureExt as _, future::join_all};
    use tonic_types::StatusExt as _;

    use tonic::Code;

    use super::*;
    use crate::RETRY_AFTER;

    fn admission(in_flight: usize, waiting: usize) -> Admission {
        Admission::new(&AdmissionSettings {
            max_in_flight: Some(in_flight),
            max_waiting: Some(waiting),
        })
    }

    /// The permit when one is free now; `None` while it waits.
    fn now(admission: &Admission) -> Option<Result<Permit, Status>> {
        turn(admission).now_or_never()
    }

    async fn turn(admission: &Admission) -> Result<Permit, Status> {
        admission.turn(ASK).await
    }

    const ASK: Ask =
        Ask { peer: None, cost: 1, needs: Needs::Catalog, is_patient: false, is_urgent: false };

    #[test]
    fn at_the_limit_all_are_let_in_and_the_next_is_refused() {
        let admission = admission(3, 0);
        let held: Vec<_> = (0..3).map(|_| now(&admission).unwrap().unwrap()).collect();
        let refused = now(&admission).unwrap().unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        let details = refused.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "OVERLOADED");
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(RETRY_AFTER));
        drop(held);
        assert!(now(&admission).unwrap().is_ok());
    }

    #[test]
    fn those_who_wait_get_their_turn_in_the_order_of_arrival_and_the_next_is_refused() {
        let admission = admission(1, 2);
        let held = now(&admission).unwrap().unwrap();
        let (mut first, mut second) = (Box::pin(turn(&admission)), Box::pin(turn(&admission)));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(now(&admission).unwrap().unwrap_err().code(), Code::ResourceExhausted);
        drop(held);
        assert!(second.as_mut().now_or_never().is_none());
        let held = first.now_or_never().unwrap().unwrap();
        assert!(second.as_mut().now_or_never().is_none());
        drop(held);
        assert!(second.now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn work_that_waits_for_nothing_does_not_keep_others_from_being_refused() {
        let refused_of_ten = async |is_giving_way: bool| {
            let admission = &admission(1, 2);
            let call = |_| async move {
                // The work is done when the permit is there.
                let permit =
                    if is_giving_way { admission.admit(ASK).await } else { turn(admission).await };
                permit.is_err()
            };
            let refused = join_all((0..10).map(call)).await;
            refused.into_iter().filter(|is_refused| *is_refused).count()
        };
        assert_eq!(refused_of_ten(false).await, 0);
        assert_eq!(refused_of_ten(true).await, 7);
    }

    #[test]
    fn who_leaves_while_waiting_gives_the_place_back() {
        let admission = admission(1, 1);
        let held = now(&admission).unwrap().unwrap();
        let mut waiting = Box::pin(turn(&admission));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(now(&admission).unwrap().is_err());
        drop(waiting);
        let mut waiting = Box::pin(turn(&admission));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(held);
        assert!(waiting.now_or_never().unwrap().is_ok());
    }

    #[test]
    fn what_is_left_out_follows_the_processors_and_what_is_set_has_bounds() {
        #[derive(clap::Parser)]
        struct Arguments {
            #[command(flatten)]
            settings: AdmissionSettings,
        }
        let parse = |arguments: &[&str]| {
            Arguments::try_parse_from([&["door"], arguments].concat())
                .map(|parsed| Admission::new(&parsed.settings))
        };
        let sizes = |admission: &Admission| admission.lock().sizes();
        let plain = sizes(&parse(&[]).unwrap());
        let processors = available_parallelism().unwrap().get();
        assert_eq!(
            plain,
            (processors * IN_FLIGHT_PER_PROCESSOR, 6 * processors * IN_FLIGHT_PER_PROCESSOR)
        );
        assert_eq!(sizes(&parse(&["--max-in-flight", "5"]).unwrap()), (5, 30));
        assert_eq!(
            sizes(&parse(&["--max-in-flight", "100000", "--max-waiting", "0"]).unwrap()),
            (100_000, 0)
        );
        assert!(parse(&["--max-in-flight", "0"]).is_err());
        assert!(parse(&["--max-in-flight", "100001"]).is_err());
        assert!(parse(&["--max-waiting", "100001"]).is_err());
    }
}
