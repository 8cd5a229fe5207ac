//! Reports as messages.

use proffer_proto::{
    decision::v1 as proto,
    values::v1::{Value, value::Kind},
};

use crate::{
    domain::report::{
        answer::{Figures, Row},
        day,
        question::{Dimension, Question, Report},
    },
    reporting::read::Found,
};

/// Days, zone and age of a report, and where else it is.
pub fn scope(found: &Found) -> proto::ReportScope {
    let Found { question, zone, counted_through_us, .. } = found;
    let since = Some(zone.since_us).filter(|since| *since > 0);
    let at = |micros| history::timestamp(serve::from_micros(micros));
    proto::ReportScope {
        from: date(question.from),
        to: date(question.to),
        time_zone: zone.time_zone.clone(),
        time_zone_since: since.map(at),
        counted_through: Some(at(*counted_through_us)),
        csv: path(found, "csv"),
        picture: path(found, "svg"),
    }
}

/// Days and zone of a report in words.
pub fn heading(found: &Found) -> String {
    let Found { question, zone, counted_through_us, .. } = found;
    let counted = serve::from_micros(*counted_through_us);
    let counted = counted.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    format!(
        "{} to {}, days in {}; counted through {counted}",
        date(question.from),
        date(question.to),
        zone.time_zone
    )
}

/// The path of the same report in another form.
fn path(found: &Found, form: &str) -> String {
    let Question { report, from, to, dimensions, filters, rates } = &found.question;
    let name = match report {
        Report::Outcomes => "outcomes",
        Report::Decisions => "decisions",
    };
    let mut parameters = vec![("from", date(*from)), ("to", date(*to))];
    parameters
        .extend(dimensions.iter().map(|dimension| ("groupBy", dimension.name(*report).to_owned())));
    for (dimension, values) in filters {
        parameters.extend(values.iter().map(|value| (dimension.name(*report), value.clone())));
    }
    parameters.extend(rates.iter().map(|rate| ("rate", rate.name())));
    let parameters: Vec<_> =
        parameters.into_iter().map(|(key, value)| format!("{key}={}", escaped(&value))).collect();
    format!("/api/v1/reports/{name}.{form}?{}", parameters.join("&"))
}

/// A value as a query may hold it.
fn escaped(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    value.bytes().map(byte).collect()
}

fn date(number: i64) -> String {
    day::date(number).map(|date| date.to_string()).unwrap_or_default()
}

/// A row.
pub fn outcome_row(found: &Found, row: &Row) -> proto::OutcomeReportRow {
    proto::OutcomeReportRow {
        day: text(found, row, Dimension::Day),
        flow: item(found, row, Dimension::Flow),
        offer: item(found, row, Dimension::Offer),
        category: item(found, row, Dimension::Category),
        channel: item(found, row, Dimension::Channel),
        outcome: text(found, row, Dimension::What),
        ..outcomes(&found.question, &row.figures)
    }
}

/// All rows together.
pub fn outcome_total(found: &Found) -> proto::OutcomeReportRow {
    outcomes(&found.question, &found.total)
}

/// A row.
pub fn decision_row(found: &Found, row: &Row) -> proto::DecisionReportRow {
    proto::DecisionReportRow {
        day: text(found, row, Dimension::Day),
        flow: item(found, row, Dimension::Flow),
        offer: item(found, row, Dimension::Offer),
        category: item(found, row, Dimension::Category),
        channel: item(found, row, Dimension::Channel),
        reason: text(found, row, Dimension::What),
        ..decisions(&found.question, &row.figures)
    }
}

/// All rows together.
pub fn decision_total(found: &Found) -> proto::DecisionReportRow {
    decisions(&found.question, &found.total)
}

fn outcomes(question: &Question, figures: &Figures) -> proto::OutcomeReportRow {
    let value = figures.count.value_text();
    let value = value.map(|text| Value { kind: Some(Kind::DecimalValue(text)) });
    proto::OutcomeReportRow {
        count: whole(figures.count.n),
        valued: whole(figures.count.valued),
        value,
        rates: rates(question, figures),
        ..Default::default()
    }
}

fn decisions(question: &Question, figures: &Figures) -> proto::DecisionReportRow {
    proto::DecisionReportRow {
        decisions: (!question.is_about_offers()).then_some(whole(figures.count.n)),
        offers: whole(figures.offers),
        rates: rates(question, figures),
        ..Default::default()
    }
}

fn rates(question: &Question, figures: &Figures) -> Vec<proto::ReportRate> {
    let counts = figures.rates(question);
    let rate = |(rate, (of, by)): (&crate::domain::report::question::Rate, (u64, u64))| {
        proto::ReportRate {
            rate: rate.name(),
            numerator: whole(of),
            denominator: whole(by),
            value: (by > 0).then(|| of as f64 / by as f64),
        }
    };
    question.rates.iter().zip(counts).map(rate).collect()
}

/// What a row is divided by here; none when it is not divided by it.
fn text(found: &Found, row: &Row, dimension: Dimension) -> Option<String> {
    let mut parts = found.question.dimensions.iter().zip(&row.key);
    parts.find(|(of, _)| **of == dimension).map(|(_, part)| part.clone())
}

fn item(found: &Found, row: &Row, dimension: Dimension) -> Option<proto::ReportItem> {
    let id = text(found, row, dimension)?;
    let name = found.titles.get(&(dimension, id.clone())).cloned().unwrap_or_default();
    Some(proto::ReportItem { id, name })
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
