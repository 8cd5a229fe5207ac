//! The load of the drill: workers that call the gate at once. The seed chooses the calls; their
//! answers depend on which worker is first.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use proffer_proto::policy::v1 as proto;
use tokio::{sync::Notify, task::JoinHandle};

use super::super::{
    Order,
    draw::Draw,
    gate::{Callers, GateCall, Subject, TRIES_MAX},
    log::Reply,
};

/// Tries of a caller who is patient; the others send once and never learn what became of it.
const TRIES_PATIENT: usize = 8;
/// Grants remembered for one customer.
const HELD_MAX: usize = 40;

const COAT: (&str, &str) = ("off_coat", "Apparel");
const OFFERS: [(&str, &str); 6] = [
    COAT,
    ("off_shirt", "Apparel"),
    ("off_shoes", "Apparel"),
    ("off_lamp", "Home"),
    ("off_chair", "Home"),
    ("off_phone", "Electronics"),
];
/// An offer nobody reserves: an impression of it finds no slot.
const ORPHAN: Subject = Subject { offer: "off_orphan", category: "Home", channel: "app" };

/// What a caller knows of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Live,
    GivenBack,
    /// Reported as an impression; true when no slot was live.
    Reported(bool),
}

#[derive(Clone, Debug)]
struct Held {
    decision: String,
    rank: i32,
    subject: Subject,
    round: u64,
    standing: Standing,
    /// Reported by impressions, by one caller at a time, so that it is known whether a slot is
    /// live; the others may be committed and released by any worker.
    is_reported: bool,
}

#[derive(Debug)]
struct Customer {
    id: String,
    /// The last outcome delivered: they go out in order, each until it is taken.
    delivered: tokio::sync::Mutex<i64>,
    held: Mutex<Vec<Held>>,
    last_reserve: Mutex<Option<GateCall>>,
}

/// The load.
#[derive(Debug)]
pub struct Load {
    seed: u64,
    workers: usize,
    callers: Callers,
    customers: Vec<Customer>,
    next: AtomicU64,
    done: AtomicU64,
    acknowledged: AtomicU64,
    reached: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Id of a customer.
pub fn customer_id(number: usize) -> String {
    format!("customer_{number:04}")
}

impl Load {
    /// Nothing has been called yet.
    pub fn new(order: &Order, callers: Callers) -> Self {
        let customer = |number| Customer {
            id: customer_id(number),
            delivered: tokio::sync::Mutex::new(0),
            held: Mutex::default(),
            last_reserve: Mutex::default(),
        };
        Self {
            seed: order.seed,
            workers: order.size.workers,
            callers,
            customers: (0..order.size.customers).map(customer).collect(),
            next: AtomicU64::new(0),
            done: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            reached: Notify::new(),
        }
    }

    /// Sends the calls of one round by all workers; [`Self::reached`] wakes when the call `mark` is
    /// begun.
    pub fn start(
        self: Arc<Self>,
        round: u64,
        calls: Range<u64>,
        mark: u64,
    ) -> JoinHandle<anyhow::Result<()>> {
        self.next.store(calls.start, Ordering::SeqCst);
        tokio::spawn(async move {
            let worker = |_| {
                let load = self.clone();
                tokio::spawn(async move {
                    loop {
                        let number = load.next.fetch_add(1, Ordering::SeqCst);
                        if number >= calls.end {
                            return anyhow::Ok(());
                        }
                        if number == mark {
                            load.reached.notify_one();
                        }
                        load.call(round, number).await?;
                        load.done.fetch_add(1, Ordering::SeqCst);
                    }
                })
            };
            for worker in (0..self.workers).map(worker).collect::<Vec<_>>() {
                worker.await??;
            }
            Ok(())
        })
    }

    /// Waits for the mark of the round.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Answers so far that were no outage.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Calls made so far, answered or given up.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    async fn call(&self, round: u64, number: u64) -> anyhow::Result<()> {
        let mut draw = Draw::new(self.seed, number);
        let customer = &self.customers[draw.below(self.customers.len())];
        match draw.below(100) {
            0..45 => self.reserve(customer, round, number, &mut draw).await,
            45..60 => match self.pick(customer, false, &mut draw) {
                Some(held) => self.commit(customer, &held, &mut draw).await,
                None => self.reserve(customer, round, number, &mut draw).await,
            },
            60..82 => match self.pick(customer, false, &mut draw) {
                Some(held) => self.release(customer, &held, &mut draw).await.map(drop),
                None => self.reserve(customer, round, number, &mut draw).await,
            },
            82..95 => match self.pick(customer, true, &mut draw) {
                // Few are late, or facts nobody reserved would fill every window.
                Some(held) if !Self::is_orphan(&held, round) || draw.percent(30) => {
                    self.report(customer, held, round, &mut draw).await
                }
                _ => self.reserve(customer, round, number, &mut draw).await,
            },
            95..96 => {
                let held = Held {
                    decision: format!("orphan_{number}"),
                    rank: 1,
                    subject: ORPHAN,
                    round,
                    standing: Standing::Live,
                    is_reported: true,
                };
                self.impression(customer, &held, true, &mut draw).await
            }
            _ => {
                let again = locked(&customer.last_reserve).clone();
                match again {
                    Some(call) => self.send(&call, &mut draw).await.map(drop),
                    None => self.reserve(customer, round, number, &mut draw).await,
                }
            }
        }
    }

    /// A remembered slot. One that is reported is taken out; of the others some stay, for a second
    /// caller.
    fn pick(&self, customer: &Customer, is_reported: bool, draw: &mut Draw) -> Option<Held> {
        let mut held = locked(&customer.held);
        let fitting: Vec<_> =
            (0..held.len()).filter(|index| held[*index].is_reported == is_reported).collect();
        let index = *draw.of(&fitting)?;
        let stays = !is_reported && draw.percent(30);
        Some(if stays { held[index].clone() } else { held.swap_remove(index) })
    }

    async fn send(&self, call: &GateCall, draw: &mut Draw) -> anyhow::Result<Reply> {
        let tries = match call {
            // As the relay does: an outcome is delivered until it is taken.
            GateCall::Impression(..) | GateCall::OptOut(_) => TRIES_MAX,
            _ if draw.percent(75) => TRIES_PATIENT,
            _ => 1,
        };
        let reply = self.callers.send_until_answered(draw.below(2), call, tries).await?;
        if !matches!(reply, Reply::Cut(_)) {
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        Ok(reply)
    }

    async fn reserve(
        &self,
        customer: &Customer,
        round: u64,
        number: u64,
        draw: &mut Draw,
    ) -> anyhow::Result<()> {
        let channel = if draw.percent(60) { "web" } else { "app" };
        let mut subjects: Vec<Subject> = Vec::new();
        for _ in 0..=draw.below(3) {
            let (offer, category) = *draw.of(&OFFERS).unwrap_or(&COAT);
            if subjects.iter().all(|subject| subject.offer != offer) {
                subjects.push(Subject { offer, category, channel });
            }
        }
        let decision = format!("decision_{number}");
        let call = self.callers.reserve(&customer.id, &decision, &subjects, 1 + draw.below(2));
        *locked(&customer.last_reserve) = Some(call.clone());
        let Reply::Granted { offers, .. } = self.send(&call, draw).await? else { return Ok(()) };
        let mut held = locked(&customer.held);
        for (rank, offer) in (1..).zip(offers) {
            let Some(subject) = subjects.iter().find(|subject| subject.offer == offer).copied()
            else {
                continue;
            };
            let (decision, is_reported) = (decision.clone(), draw.percent(40));
            held.push(Held {
                decision,
                rank,
                subject,
                round,
                standing: Standing::Live,
                is_reported,
            });
        }
        let surplus = held.len().saturating_sub(HELD_MAX);
        held.drain(..surplus);
        Ok(())
    }

    async fn commit(
        &self,
        customer: &Customer,
        held: &Held,
        draw: &mut Draw,
    ) -> anyhow::Result<()> {
        let call = self.callers.commit(&customer.id, &held.decision, held.rank, held.subject);
        self.send(&call, draw).await.map(drop)
    }

    async fn release(
        &self,
        customer: &Customer,
        held: &Held,
        draw: &mut Draw,
    ) -> anyhow::Result<Reply> {
        let (customer_id, decision_id, rank) =
            (customer.id.clone(), held.decision.clone(), held.rank);
        let call =
            GateCall::Release(proto::ReleaseContactRequest { customer_id, decision_id, rank });
        self.send(&call, draw).await
    }

    /// True when an impression of it finds no live slot: given back, or lapsed as those of earlier
    /// rounds are.
    fn is_orphan(held: &Held, round: u64) -> bool {
        match held.standing {
            Standing::Live => held.round < round,
            Standing::GivenBack => true,
            Standing::Reported(orphan) => orphan,
        }
    }

    /// What becomes of a slot that is reported: seen, given back and seen late, lapsed and seen
    /// late, or seen twice.
    async fn report(
        &self,
        customer: &Customer,
        mut held: Held,
        round: u64,
        draw: &mut Draw,
    ) -> anyhow::Result<()> {
        if held.standing == Standing::Live && held.round == round && draw.percent(50) {
            if matches!(self.release(customer, &held, draw).await?, Reply::Released(_)) {
                held.standing = Standing::GivenBack;
                locked(&customer.held).push(held);
            }
            // One whose release went unanswered is forgotten: nobody knows whether it is live.
            return Ok(());
        }
        let orphan = Self::is_orphan(&held, round);
        self.impression(customer, &held, orphan, draw).await?;
        if draw.percent(30) {
            held.standing = Standing::Reported(orphan);
            locked(&customer.held).push(held);
        }
        Ok(())
    }

    async fn impression(
        &self,
        customer: &Customer,
        held: &Held,
        orphan: bool,
        draw: &mut Draw,
    ) -> anyhow::Result<()> {
        let mut delivered = customer.delivered.lock().await;
        let outcome = proto::OutcomeFact {
            counts_as_contact: true,
            decision_id: held.decision.clone(),
            rank: held.rank,
            offer: Some(proto::OfferSubject {
                offer_id: held.subject.offer.to_owned(),
                category: held.subject.category.to_owned(),
                ..Default::default()
            }),
            channel: held.subject.channel.to_owned(),
            ..self.callers.outcome(&customer.id, *delivered + 1, "impression")
        };
        let reply = self.send(&GateCall::Impression(outcome, orphan), draw).await?;
        anyhow::ensure!(reply == Reply::Done, "an impression was not taken: {reply:?}");
        *delivered += 1;
        Ok(())
    }
}
