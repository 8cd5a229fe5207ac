//! ReportService: reads what a report is asked, and prints it as rows, as a table or as a picture.

mod print;
mod propensity;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use history::Listing;
use proffer_proto::{
    decision::v1::{self as proto, report_service_server::ReportService},
    errors::v1::ErrorReason,
    values::v1::TextBody,
};
use serve::{Problem, metadata};
use tonic::{Request, Response, Status};

use crate::{
    domain::{
        report::{
            picture,
            question::{Dimension, Rate, Report},
            table,
        },
        request::text_fault,
    },
    reporting::read::{Asked, Found, Reports},
};

/// Reports.
pub struct ReportRequests(pub Reports);

/// Values of one kind of filter at most.
const FILTER_MAX: usize = 100;
/// Rates at most.
const RATES_MAX: usize = 10;
/// Bytes of a table at most, so that an answer stays below the 4 MiB it may have.
const TABLE_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Media type of a table.
const CSV: &str = "text/csv";

/// A request as all reports read it.
struct Parameters {
    from: String,
    to: String,
    group_by: Vec<i32>,
    flow: Vec<String>,
    offer: Vec<String>,
    category: Vec<String>,
    channel: Vec<String>,
    what: Vec<String>,
    rate: Vec<String>,
}

macro_rules! parameters {
    ($($request:ident: $what:ident),* $(,)?) => {
        $(
            impl From<proto::$request> for Parameters {
                fn from(asked: proto::$request) -> Self {
                    Self {
                        from: asked.from,
                        to: asked.to,
                        group_by: asked.group_by,
                        flow: asked.flow,
                        offer: asked.offer,
                        category: asked.category,
                        channel: asked.channel,
                        what: asked.$what,
                        rate: asked.rate,
                    }
                }
            }
        )*
    };
}

parameters! {
    GetOutcomeReportRequest: outcome,
    GetOutcomeReportTableRequest: outcome,
    GetOutcomeReportPictureRequest: outcome,
    GetDecisionReportRequest: reason,
    GetDecisionReportTableRequest: reason,
    GetDecisionReportPictureRequest: reason,
}

impl ReportRequests {
    async fn table(
        &self,
        metadata: &tonic::metadata::MetadataMap,
        report: Report,
        parameters: Parameters,
    ) -> Result<TextBody, Status> {
        let tenant = metadata::tenant(metadata)?;
        let found = self.0.find(&tenant, asked(report, parameters)?).await?;
        let text = table::csv(&found.question, &found.rows, &found.titles);
        let text = text.map_err(|error| serve::internal(&error))?;
        if text.len() > TABLE_BYTES_MAX {
            let message = format!(
                "the table has {} bytes, which exceeds the maximum {TABLE_BYTES_MAX}; divide the \
                 report by less, filter it, or ask for fewer days",
                text.len()
            );
            let fault = Problem::invalid_field("group_by", message.clone());
            return Err(fault.because(ErrorReason::LimitExceeded, message).into());
        }
        Ok(TextBody { content_type: CSV.to_owned(), text })
    }

    async fn picture(
        &self,
        metadata: &tonic::metadata::MetadataMap,
        report: Report,
        parameters: Parameters,
    ) -> Result<TextBody, Status> {
        let tenant = metadata::tenant(metadata)?;
        let mut asked = asked(report, parameters)?;
        // A line needs days, and a rate is of all types of a line.
        if !asked.dimensions.contains(&Dimension::Day) {
            asked.dimensions.insert(0, Dimension::Day);
        }
        let found = self.0.find(&tenant, asked).await?;
        let heading = print::heading(&found);
        let text = picture::svg(&found.question, &found.rows, &found.titles, &heading);
        let text = text.map_err(|fault| serve::internal(&fault))?;
        Ok(TextBody { content_type: drawing::SVG.to_owned(), text })
    }

    /// A page of a report: what was found, the range of its rows on the page, and the token of the
    /// next.
    async fn page(
        &self,
        metadata: &tonic::metadata::MetadataMap,
        report: Report,
        parameters: Parameters,
        (page_size, page_token): (i32, &str),
    ) -> Result<(Found, std::ops::Range<usize>, String), Status> {
        let tenant = metadata::tenant(metadata)?;
        let listing = listing(report, &parameters);
        let (size, after) = listing.page(page_size, page_token).map_err(Problem::invalid_fields)?;
        let size = usize::try_from(size).unwrap_or_default();
        let found = self.0.find(&tenant, asked(report, parameters)?).await?;
        let first = match after.strip_prefix(PLACE) {
            Some(after) => found.rows.partition_point(|row| place(&row.key).as_str() <= after),
            None => 0,
        };
        let end = found.rows.len().min(first + size);
        let last = found.rows.get(first..end).and_then(<[_]>::last);
        let token = match last.filter(|_| end < found.rows.len()) {
            Some(last) => listing.token(&format!("{PLACE}{}", place(&last.key))),
            None => String::new(),
        };
        Ok((found, first..end, token))
    }
}

/// Begins the place of a row in a token, which may not be empty.
const PLACE: &str = "after ";

/// Orders rows, and marks where a page ends. The separator is below every character of a name.
fn place(key: &[String]) -> String {
    key.join("\u{1}")
}

fn listing(report: Report, parameters: &Parameters) -> Listing {
    let Parameters { from, to, group_by, flow, offer, category, channel, what, rate } = parameters;
    let group_by = format!("{report:?} {group_by:?}");
    let lists = [flow, offer, category, channel, what, rate].map(|list| format!("{list:?}"));
    let mut parts = vec!["report", &*group_by, from, to];
    parts.extend(lists.iter().map(String::as_str));
    Listing::new(&parts)
}

/// What is asked; or every fault that shows without looking anything up.
fn asked(report: Report, parameters: Parameters) -> Result<Asked, Problem> {
    let Parameters { from, to, group_by, flow, offer, category, channel, what, rate } = parameters;
    let mut faults = Vec::new();
    let mut date = |field: &str, text: &str| {
        let read = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
        let read = read.filter(|day| (1..=9_999).contains(&chrono::Datelike::year(day)));
        if read.is_none() && !text.is_empty() {
            let text = wire::text::quoted(text);
            let message = format!("`{text}` is not a day; write it as `2026-11-22`");
            faults.push((field.to_owned(), message));
        }
        read
    };
    let (from, to) = (date("from", &from), date("to", &to));
    let dimensions = dimensions(report, &group_by, rate.is_empty(), &mut faults);
    let filters = [
        (Dimension::Flow, flow),
        (Dimension::Offer, offer),
        (Dimension::Category, category),
        (Dimension::Channel, channel),
        (Dimension::What, what),
    ];
    let filters: BTreeMap<_, _> =
        filters.into_iter().filter(|(_, values)| !values.is_empty()).collect();
    for (dimension, values) in &filters {
        let field = dimension.name(report);
        if values.len() > FILTER_MAX {
            let message = format!("has {} values; at most {FILTER_MAX} are taken", values.len());
            faults.push((field.to_owned(), message));
        }
        let fault = values.iter().find_map(|value| text_fault(value));
        faults.extend(fault.map(|message| (field.to_owned(), message)));
    }
    let rates = rates(&rate, &mut faults);
    let asked = Asked { report, from, to, dimensions, filters, rates };
    check_together(&asked, &mut faults);
    if faults.is_empty() { Ok(asked) } else { Err(Problem::invalid_fields(faults)) }
}

type Faults = Vec<(String, String)>;

/// What rows are divided by; when left out, the outcome type or the reason, unless rates of these
/// are asked for.
fn dimensions(
    report: Report,
    numbers: &[i32],
    has_no_rates: bool,
    faults: &mut Faults,
) -> Vec<Dimension> {
    // Both enums have the same numbers.
    const ALL: [Dimension; 6] = [
        Dimension::Day,
        Dimension::Flow,
        Dimension::Offer,
        Dimension::Category,
        Dimension::Channel,
        Dimension::What,
    ];
    let mut found = Vec::new();
    for number in numbers {
        let dimension = number.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        match dimension.and_then(|place| ALL.get(place)) {
            Some(dimension) if found.contains(dimension) => {
                let message = format!("names `{}` twice", dimension.name(report));
                faults.push(("group_by".to_owned(), message));
            }
            Some(dimension) => found.push(*dimension),
            None => {
                let names = ALL.map(|dimension| dimension.name(report)).join(", ");
                let message = format!("is {number}; it must be one of {names}");
                faults.push(("group_by".to_owned(), message));
            }
        }
    }
    if numbers.is_empty() && has_no_rates {
        found.push(Dimension::What);
    }
    found
}

fn rates(texts: &[String], faults: &mut Faults) -> Vec<Rate> {
    let (mut rates, mut seen) = (Vec::new(), BTreeSet::new());
    if texts.len() > RATES_MAX {
        let message = format!("has {} values; at most {RATES_MAX} are taken", texts.len());
        faults.push(("rate".to_owned(), message));
    }
    for text in texts.iter().take(RATES_MAX) {
        let quoted = wire::text::quoted(text);
        match Rate::read(text).filter(|_| text_fault(text).is_none()) {
            Some(rate) if seen.insert(rate.name()) => rates.push(rate),
            Some(_) => faults.push(("rate".to_owned(), format!("names `{quoted}` twice"))),
            None => {
                let message = format!("`{quoted}` is not a rate; write it as `click/impression`");
                faults.push(("rate".to_owned(), message));
            }
        }
    }
    rates
}

/// Faults of what does not go together.
fn check_together(asked: &Asked, faults: &mut Faults) {
    let Asked { report, dimensions, filters, rates, .. } = asked;
    let what = Dimension::What.name(*report);
    if !rates.is_empty() && dimensions.contains(&Dimension::What) {
        let message = format!("divides the counts of a row; leave `{what}` out of `group_by`");
        faults.push(("rate".to_owned(), message));
    }
    let mut named = dimensions.iter().chain(filters.keys());
    let about_offers = named.clone().find(|dimension| dimension.is_about_offers());
    let (Report::Decisions, Some(offers)) = (report, about_offers) else { return };
    let offers = offers.name(*report);
    if named.any(|dimension| *dimension == Dimension::What) {
        let message =
            format!("is that of decisions without an offer; leave it out, or leave out `{offers}`");
        faults.push((what.to_owned(), message));
    }
    if !rates.is_empty() {
        let message =
            format!("counts decisions; leave out `{offers}`, by which offers are counted");
        faults.push(("rate".to_owned(), message));
    }
}

#[tonic::async_trait]
impl ReportService for ReportRequests {
    async fn get_outcome_report(
        &self,
        request: Request<proto::GetOutcomeReportRequest>,
    ) -> Result<Response<proto::GetOutcomeReportResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let (page_size, page_token) = (asked.page_size, asked.page_token.clone());
        let wanted = (page_size, page_token.as_str());
        let (found, range, next_page_token) =
            self.page(&metadata, Report::Outcomes, asked.into(), wanted).await?;
        let rows = found.rows.get(range).unwrap_or_default();
        Ok(Response::new(proto::GetOutcomeReportResponse {
            rows: rows.iter().map(|row| print::outcome_row(&found, row)).collect(),
            next_page_token,
            total: Some(print::outcome_total(&found)),
            scope: Some(print::scope(&found)),
        }))
    }

    async fn get_outcome_report_table(
        &self,
        request: Request<proto::GetOutcomeReportTableRequest>,
    ) -> Result<Response<proto::GetOutcomeReportTableResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let table = Some(self.table(&metadata, Report::Outcomes, asked.into()).await?);
        Ok(Response::new(proto::GetOutcomeReportTableResponse { table }))
    }

    async fn get_outcome_report_picture(
        &self,
        request: Request<proto::GetOutcomeReportPictureRequest>,
    ) -> Result<Response<proto::GetOutcomeReportPictureResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let picture = Some(self.picture(&metadata, Report::Outcomes, asked.into()).await?);
        Ok(Response::new(proto::GetOutcomeReportPictureResponse { picture }))
    }

    async fn get_decision_report(
        &self,
        request: Request<proto::GetDecisionReportRequest>,
    ) -> Result<Response<proto::GetDecisionReportResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let (page_size, page_token) = (asked.page_size, asked.page_token.clone());
        let wanted = (page_size, page_token.as_str());
        let (found, range, next_page_token) =
            self.page(&metadata, Report::Decisions, asked.into(), wanted).await?;
        let rows = found.rows.get(range).unwrap_or_default();
        Ok(Response::new(proto::GetDecisionReportResponse {
            rows: rows.iter().map(|row| print::decision_row(&found, row)).collect(),
            next_page_token,
            total: Some(print::decision_total(&found)),
            scope: Some(print::scope(&found)),
        }))
    }

    async fn get_decision_report_table(
        &self,
        request: Request<proto::GetDecisionReportTableRequest>,
    ) -> Result<Response<proto::GetDecisionReportTableResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let table = Some(self.table(&metadata, Report::Decisions, asked.into()).await?);
        Ok(Response::new(proto::GetDecisionReportTableResponse { table }))
    }

    async fn get_decision_report_picture(
        &self,
        request: Request<proto::GetDecisionReportPictureRequest>,
    ) -> Result<Response<proto::GetDecisionReportPictureResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let picture = Some(self.picture(&metadata, Report::Decisions, asked.into()).await?);
        Ok(Response::new(proto::GetDecisionReportPictureResponse { picture }))
    }

    async fn get_propensity_card(
        &self,
        request: Request<proto::GetPropensityCardRequest>,
    ) -> Result<Response<proto::GetPropensityCardResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let card = propensity::card(&self.0, &tenant, &request.into_inner().flow).await?;
        Ok(Response::new(proto::GetPropensityCardResponse { card: Some(card) }))
    }
}
