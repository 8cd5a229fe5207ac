//! A report as CSV, RFC 4180: a header, then a line per row.
//!
//! Programs that open CSV run a text that begins like a formula. Such a text gets an apostrophe in
//! front; numbers stay as they are.

use std::collections::BTreeMap;

use super::{
    answer::{Figures, Row},
    question::{Dimension, Question, Report},
};

/// Names of ids, by what they are of; what has none goes by its id alone.
pub type Titles = BTreeMap<(Dimension, String), String>;

/// The report as CSV.
pub fn csv(question: &Question, rows: &[Row], titles: &Titles) -> Result<String, csv::Error> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(header(question))?;
    for row in rows {
        let mut cells = Vec::new();
        for (dimension, part) in question.dimensions.iter().zip(&row.key) {
            cells.push(defused(part));
            if has_title(*dimension) {
                let title = titles.get(&(*dimension, part.clone()));
                cells.push(defused(title.map_or("", String::as_str)));
            }
        }
        cells.extend(numbers(question, &row.figures));
        writer.write_record(cells)?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    // INVARIANT: texts were written.
    Ok(String::from_utf8(bytes).unwrap_or_default())
}

/// True for what has a name beside its id.
pub fn has_title(dimension: Dimension) -> bool {
    !matches!(dimension, Dimension::Day | Dimension::What)
}

fn header(question: &Question) -> Vec<String> {
    let mut header = Vec::new();
    for dimension in &question.dimensions {
        let name = dimension.name(question.report);
        header.push(name.to_owned());
        if has_title(*dimension) {
            header.push(format!("{name}Name"));
        }
    }
    let numbers: &[&str] = match question.report {
        Report::Outcomes => &["count", "valued", "value"],
        Report::Decisions if question.is_about_offers() => &["offers"],
        Report::Decisions => &["decisions", "offers"],
    };
    header.extend(numbers.iter().map(|name| (*name).to_owned()));
    header.extend(question.rates.iter().map(|rate| defused(&rate.name())));
    header
}

fn numbers(question: &Question, figures: &Figures) -> Vec<String> {
    let (count, offers) = (&figures.count, figures.offers.to_string());
    let mut cells = match question.report {
        Report::Outcomes => vec![
            count.n.to_string(),
            count.valued.to_string(),
            count.value_text().unwrap_or_default(),
        ],
        Report::Decisions if question.is_about_offers() => vec![offers],
        Report::Decisions => vec![count.n.to_string(), offers],
    };
    let rate = |(of, by): (u64, u64)| match by {
        0 => String::new(),
        by => (of as f64 / by as f64).to_string(),
    };
    cells.extend(figures.rates(question).into_iter().map(rate));
    cells
}

/// A text that no program takes for a formula.
fn defused(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            answer::Adding,
            cell::{Cell, Count, Counted},
            chunk::Chunk,
            question::Rate,
        },
        *,
    };

    fn table(report: Report, dimensions: &[Dimension], rates: &[&str]) -> String {
        let question = Question {
            report,
            from: 0,
            to: 0,
            dimensions: dimensions.to_vec(),
            filters: BTreeMap::new(),
            rates: rates.iter().map(|text| Rate::read(text).unwrap()).collect(),
        };
        let cell = |offer: &str, what: &str| Cell {
            offer_id: offer.to_owned(),
            channel: "=cmd|' /C calc'!A0".to_owned(),
            what: what.to_owned(),
            ..Cell::default()
        };
        let cells = vec![cell("off_a", "impression"), cell("off_a", "refund"), cell("", "refund")];
        let counted = match report {
            Report::Outcomes => Counted::Outcomes,
            Report::Decisions => Counted::Decisions,
        };
        let cells = BTreeMap::from([(counted, cells)]);
        let mut adding = Adding::new(&question, &cells);
        let counts = vec![
            Count { n: 4, valued: 0, value: 0 },
            Count { n: 1, valued: 1, value: -199_000 },
            Count { n: 2, valued: 0, value: 0 },
        ];
        adding.add(counted, 20_779, 0, &Chunk::new(counts)).unwrap();
        let title = "-20 %, \"everything\"".to_owned();
        let titles = Titles::from([((Dimension::Offer, "off_a".to_owned()), title)]);
        csv(&question, &adding.finish().unwrap().0, &titles).unwrap()
    }

    #[test]
    fn a_table_has_a_line_per_row_and_an_empty_cell_where_there_is_no_number() {
        let dimensions = [Dimension::Day, Dimension::Offer, Dimension::What];
        assert_eq!(
            table(Report::Outcomes, &dimensions, &[]),
            "day,offer,offerName,outcome,count,valued,value\r\n\
             2026-11-22,,,refund,2,0,\r\n\
             2026-11-22,off_a,\"'-20 %, \"\"everything\"\"\",impression,4,0,\r\n\
             2026-11-22,off_a,\"'-20 %, \"\"everything\"\"\",refund,1,1,-19.9\r\n"
        );
        assert_eq!(
            table(Report::Outcomes, &[Dimension::Offer], &["refund/impression"]),
            "offer,offerName,count,valued,value,refund/impression\r\n\
             ,,2,0,,\r\n\
             off_a,\"'-20 %, \"\"everything\"\"\",5,1,-19.9,0.25\r\n"
        );
        assert_eq!(table(Report::Decisions, &[], &[]), "decisions,offers\r\n7,0\r\n");
    }

    #[test]
    fn a_text_that_begins_like_a_formula_is_defused_and_a_negative_number_is_not() {
        let text = table(Report::Outcomes, &[Dimension::Channel], &[]);
        assert!(text.contains("\r\n'=cmd|' /C calc'!A0,,"), "{text}");
        assert!(text.contains(",-19.9\r\n"), "{text}");
        for text in ["=1", "+1", "-1", "@a", "\tx", "\rx"] {
            assert_eq!(defused(text), format!("'{text}"));
        }
        assert_eq!(defused("off_a"), "off_a");
    }
}
