//! What an offer is about, as the message that policy-svc reads and records keep.

use proffer_proto::policy::v1 as proto;

use crate::domain::offer_subject::OfferSubject;

impl From<&OfferSubject> for proto::OfferSubject {
    fn from(subject: &OfferSubject) -> Self {
        Self {
            offer_id: subject.offer_id.clone(),
            category: subject.category.clone(),
            category_id: subject.category_id.clone(),
            subcategory: subject.subcategory.clone(),
            purpose: subject.purpose.clone(),
            cost_ten_thousandths: subject.cost_e4,
        }
    }
}

impl From<proto::OfferSubject> for OfferSubject {
    fn from(subject: proto::OfferSubject) -> Self {
        Self {
            offer_id: subject.offer_id,
            category: subject.category,
            category_id: subject.category_id,
            subcategory: subject.subcategory,
            purpose: subject.purpose,
            cost_e4: subject.cost_ten_thousandths,
        }
    }
}
