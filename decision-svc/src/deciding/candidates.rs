//! Lists the result of every candidate of a recorded decision.

use std::{collections::HashSet, sync::Arc};

use tonic::Status;

use super::recorded::Recorded;
use crate::{
    domain::{candidate::Candidate, case::Detail, conclude::Conclusion},
    store::DecisionName,
};

/// The use case. Cheap to clone.
#[derive(Clone)]
pub struct Candidates {
    /// Builds the cases.
    pub recorded: Recorded,
}

/// Some candidates of a decision.
pub struct CandidatePage {
    /// The candidates, by offer id.
    pub candidates: Vec<Arc<Candidate>>,
    /// The decision made again, as far as these candidates are concerned.
    pub conclusion: Conclusion,
    /// More candidates follow.
    pub has_more: bool,
}

impl Candidates {
    /// At most `size` candidates after the offer id `after`.
    pub async fn page(
        &self,
        tenant: &str,
        name: DecisionName<'_>,
        (size, after): (usize, &str),
    ) -> Result<CandidatePage, Status> {
        let recorded = self.recorded.case(tenant, name, Detail::Everything).await?;
        let mut conclusion = self.recorded.conclude(tenant, &recorded).await?;
        let all = recorded.case.configuration.flow.offers.iter().map(|offer| &offer.candidate);
        let mut rest = all.filter(|it| it.offer_id.as_str() > after).cloned();
        let candidates: Vec<_> = rest.by_ref().take(size).collect();
        let has_more = rest.next().is_some();
        let of_page: HashSet<&str> = candidates.iter().map(|it| it.offer_id.as_str()).collect();
        conclusion.plan.ranked.retain(|it| of_page.contains(it.offer_id.as_str()));
        conclusion.plan.refused.retain(|it| of_page.contains(it.offer_id.as_str()));
        conclusion.answer.refused.retain(|it| of_page.contains(it.offer_id.as_str()));
        Ok(CandidatePage { candidates, conclusion, has_more })
    }
}
