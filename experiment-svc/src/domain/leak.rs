//! Which contacts of an experiment's customers are leaks: a held-out customer got what the
//! experiment withholds.

use super::analysis::Arm;

/// Which contacts an experiment withholds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of one flow, by its id.
    Flow(String),
    /// All: of any flow or of none.
    Every,
    /// None: it ran elsewhere.
    Nothing,
}

/// A contact of a customer in an experiment, between the arm and the conclusion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The customer.
    pub customer_id: String,
    /// The customer's arm.
    pub arm: Arm,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// When it was drawn, in microseconds.
    pub assigned_us: i64,
    /// Its id.
    pub contact_id: String,
    /// The decision it came from; empty without one.
    pub decision_id: String,
    /// Rank within that decision; 0 without one.
    pub rank: i64,
    /// The offer; empty without one.
    pub offer_id: String,
    /// The flow that decided; empty without a decision.
    pub flow_id: String,
    /// The channel; empty without one.
    pub channel_id: String,
    /// What it cost, in 1/10,000.
    pub cost_e4: i64,
    /// When it happened, in microseconds.
    pub happened_us: i64,
    /// True when it was reported without a slot that was held.
    pub is_unreserved: bool,
    /// True when it is an impression on the decision that was the customer's ghost.
    pub is_on_ghost: bool,
}

/// What a contact is to an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// What the experiment gives to the treated.
    Treatment,
    /// What it withholds reached a held-out customer.
    Leak,
    /// Of another flow.
    Other,
}

impl Scope {
    /// What a contact is.
    pub fn meaning(&self, contact: &Contact) -> Meaning {
        let is_withheld = match self {
            Self::Flow(flow) => contact.flow_id == *flow || contact.is_on_ghost,
            Self::Every => true,
            Self::Nothing => false,
        };
        match (is_withheld, contact.arm) {
            (false, _) => Meaning::Other,
            (true, Arm::Treatment) => Meaning::Treatment,
            (true, Arm::Holdout) => Meaning::Leak,
        }
    }
}

/// The contacts of one arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArmContacts {
    /// Customers of the arm.
    pub customers: u64,
    /// Contacts that the experiment is about: delivered to the treated, leaked to the held out.
    pub contacts: u64,
    /// What those cost, in 1/10,000.
    pub cost_e4: i128,
    /// Contacts of other flows.
    pub other_contacts: u64,
}

impl ArmContacts {
    /// Counts a contact.
    pub fn add(&mut self, contact: &Contact, meaning: Meaning) {
        if meaning == Meaning::Other {
            self.other_contacts += 1;
        } else {
            self.contacts += 1;
            self.cost_e4 += i128::from(contact.cost_e4);
        }
    }

    /// Contacts of other flows per customer; none without customers.
    pub fn other_per_customer(&self) -> Option<f64> {
        (self.customers > 0).then(|| self.other_contacts as f64 / self.customers as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(arm: Arm, flow: &str) -> Contact {
        Contact {
            customer_id: "ann".to_owned(),
            arm,
            epoch: 1,
            assigned_us: 0,
            contact_id: "con_1".to_owned(),
            decision_id: "dec_1".to_owned(),
            rank: 1,
            offer_id: "off".to_owned(),
            flow_id: flow.to_owned(),
            channel_id: "email".to_owned(),
            cost_e4: 500,
            happened_us: 1,
            is_unreserved: false,
            is_on_ghost: false,
        }
    }

    #[test]
    fn a_contact_by_the_experiments_flow_is_a_leak_of_the_held_out_and_another_flows_is_not() {
        let own = Scope::Flow("flow_a".to_owned());
        let of = |scope: &Scope, arm, flow| scope.meaning(&contact(arm, flow));
        assert_eq!(of(&own, Arm::Holdout, "flow_a"), Meaning::Leak);
        assert_eq!(of(&own, Arm::Treatment, "flow_a"), Meaning::Treatment);
        for arm in [Arm::Holdout, Arm::Treatment] {
            assert_eq!(of(&own, arm, "flow_b"), Meaning::Other);
            assert_eq!(of(&own, arm, ""), Meaning::Other);
            assert_eq!(of(&Scope::Nothing, arm, "flow_a"), Meaning::Other);
        }
        for flow in ["flow_a", "flow_b", ""] {
            assert_eq!(of(&Scope::Every, Arm::Holdout, flow), Meaning::Leak);
        }
    }

    #[test]
    fn an_impression_on_a_held_out_decision_is_a_leak_though_its_flow_is_not_known() {
        let own = Scope::Flow("flow_a".to_owned());
        let shown = Contact { is_on_ghost: true, ..contact(Arm::Holdout, "") };
        assert_eq!(own.meaning(&shown), Meaning::Leak);
    }

    #[test]
    fn contacts_are_counted_with_their_cost_and_others_per_customer() {
        let mut counted = ArmContacts { customers: 2, ..ArmContacts::default() };
        assert_eq!(ArmContacts::default().other_per_customer(), None);
        counted.add(&contact(Arm::Treatment, "flow_a"), Meaning::Treatment);
        counted.add(&contact(Arm::Treatment, "flow_b"), Meaning::Other);
        assert_eq!((counted.contacts, counted.cost_e4), (1, 500));
        assert_eq!(counted.other_per_customer(), Some(0.5));
    }
}
