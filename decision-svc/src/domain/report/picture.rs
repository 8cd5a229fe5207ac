//! A report as a picture: a line per series over the days, and a legend with totals and rates.

use std::collections::BTreeMap;

use drawing::{Area, Axes, DrawError, LINE, MARGIN, color, picture, write};
use plotters::{
    element::{Circle, PathElement, Rectangle},
    style::Color as _,
};

use super::{
    answer::{Figures, Row},
    day,
    question::{Dimension, Question, Report},
    table::Titles,
};

const CHART: i32 = 300;
const TITLE: i32 = 64;
/// Series that are drawn; the smaller ones are left out, and the picture says how many.
pub const SERIES_MAX: usize = color::SERIES.len();
/// Characters of a label.
const LABEL_MAX: usize = 60;
/// Labels of the axis of days.
const DAY_LABELS: usize = 8;

/// One line of the picture.
struct Series {
    label: String,
    total: Figures,
    /// Its count on each day, counted from 1970; other days have none.
    days: BTreeMap<i64, u64>,
}

/// Draws a report as SVG text. The rows are divided by day; `heading` says what they are.
pub fn svg(
    question: &Question,
    rows: &[Row],
    titles: &Titles,
    heading: &str,
) -> Result<String, DrawError> {
    let all = series(question, rows, titles);
    let shown = all.get(..SERIES_MAX).unwrap_or(&all);
    let left_out = all.len() - shown.len();
    let lines = (shown.len() + usize::from(left_out > 0)).max(1);
    let height = TITLE + CHART + LINE * lines as i32 + MARGIN;
    picture(height, |root| {
        let title = match question.report {
            Report::Outcomes => "Outcomes by day",
            Report::Decisions if question.is_about_offers() => "Offers in decisions by day",
            Report::Decisions => "Decisions by day",
        };
        write(root, title, (MARGIN, MARGIN - 8), 20, color::INK)?;
        write(root, heading, (MARGIN, MARGIN + 20), 13, color::FAINT)?;
        let (_, rest) = root.split_vertically(TITLE);
        let (above, below) = rest.split_vertically(CHART);
        chart(&above, question, shown)?;
        legend(&below, question, shown, left_out)
    })
}

/// The series, the largest first.
fn series(question: &Question, rows: &[Row], titles: &Titles) -> Vec<Series> {
    let mut all: BTreeMap<Vec<&str>, Series> = BTreeMap::new();
    for row in rows {
        let parts = || question.dimensions.iter().zip(&row.key);
        let rest = parts().filter(|(dimension, _)| **dimension != Dimension::Day);
        let key = rest.clone().map(|(_, part)| part.as_str()).collect();
        let label = || {
            let labels: Vec<_> = rest.clone().map(|(of, part)| label(*of, part, titles)).collect();
            let label = if labels.is_empty() { "all".to_owned() } else { labels.join(" · ") };
            shortened(&label)
        };
        let series = all.entry(key).or_insert_with(|| Series {
            label: label(),
            total: Figures::default(),
            days: BTreeMap::new(),
        });
        series.total.add_all(&row.figures);
        let date = parts().find(|(dimension, _)| **dimension == Dimension::Day);
        if let Some(date) = date.and_then(|(_, date)| date.parse().ok()) {
            *series.days.entry(day::number(date)).or_default() += size(question, &row.figures);
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by_key(|series| std::cmp::Reverse(size(question, &series.total)));
    all
}

/// What is drawn of a row.
fn size(question: &Question, figures: &Figures) -> u64 {
    let is_about_offers = question.report == Report::Decisions && question.is_about_offers();
    if is_about_offers { figures.offers } else { figures.count.n }
}

fn label(dimension: Dimension, part: &str, titles: &Titles) -> String {
    match titles.get(&(dimension, part.to_owned())) {
        Some(title) => title.clone(),
        None if part.is_empty() => "–".to_owned(),
        None => part.to_owned(),
    }
}

fn shortened(label: &str) -> String {
    match label.char_indices().nth(LABEL_MAX) {
        Some((end, _)) => format!("{}…", label.get(..end).unwrap_or_default()),
        None => label.to_owned(),
    }
}

fn chart(area: &Area<'_>, question: &Question, shown: &[Series]) -> Result<(), DrawError> {
    let most = shown.iter().flat_map(|series| series.days.values()).max();
    let most = most.copied().unwrap_or_default().max(1) as f64;
    let (from, to) = (question.from, question.to.max(question.from + 1));
    let (days, counts) = (|days: &f64| date(from, *days), |count: &f64| format!("{count}"));
    let axes = Axes {
        top: 8,
        x: 0.0..(to - from) as f64,
        y: 0.0..most * 1.05,
        x_labels: DAY_LABELS,
        x_words: Some(&days),
        y_words: Some(&counts),
    };
    let mut chart = axes.draw(area)?;
    // The largest is drawn last, above the others.
    for (series, paint) in shown.iter().zip(color::SERIES).rev() {
        let count = |day: i64| series.days.get(&day).copied().unwrap_or_default() as f64;
        let points: Vec<_> =
            (from..=question.to).map(|day| ((day - from) as f64, count(day))).collect();
        if let [only] = points.as_slice() {
            chart.draw_series([Circle::new(*only, 5, paint.filled())])?;
        } else {
            chart.draw_series([PathElement::new(points, paint.stroke_width(2))])?;
        }
    }
    Ok(())
}

fn date(from: i64, days: f64) -> String {
    let day = day::date(from + days.round() as i64);
    day.map(|day| day.format("%-d %b").to_string()).unwrap_or_default()
}

fn legend(
    area: &Area<'_>,
    question: &Question,
    shown: &[Series],
    left_out: usize,
) -> Result<(), DrawError> {
    if shown.is_empty() {
        return write(area, "nothing was counted", (MARGIN, 0), 13, color::FAINT);
    }
    let mut top = 0;
    for (series, paint) in shown.iter().zip(color::SERIES) {
        let mark = [(MARGIN, top + 4), (MARGIN + 14, top + 12)];
        area.draw(&Rectangle::new(mark, paint.filled()))?;
        write(area, &series.label, (MARGIN + 24, top), 13, color::INK)?;
        let numbers = numbers(question, &series.total);
        write(area, &numbers, (MARGIN + 470, top), 13, color::FAINT)?;
        top += LINE;
    }
    if left_out > 0 {
        let words = format!("{left_out} smaller series are not shown");
        write(area, &words, (MARGIN + 24, top), 13, color::FAINT)?;
    }
    Ok(())
}

fn numbers(question: &Question, figures: &Figures) -> String {
    let mut words = vec![size(question, figures).to_string()];
    if question.report == Report::Outcomes {
        words.extend(figures.count.value_text().map(|value| format!("value {value}")));
    }
    for (rate, (of, by)) in question.rates.iter().zip(figures.rates(question)) {
        let share = if by > 0 { format!("{:.4}", of as f64 / by as f64) } else { "–".to_owned() };
        words.push(format!("{} {share}", rate.name()));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        super::{
            answer::Adding,
            cell::{Cell, Count, Counted},
            chunk::Chunk,
            question::Rate,
        },
        *,
    };

    const FIRST: i64 = 20_770;

    fn picture(offers: usize, title: &str, days: i64) -> String {
        let question = Question {
            report: Report::Outcomes,
            from: FIRST,
            to: FIRST + days - 1,
            dimensions: vec![Dimension::Day, Dimension::Offer],
            filters: BTreeMap::from([(Dimension::What, BTreeSet::from(["click".to_owned()]))]),
            rates: vec![Rate::read("click/impression").unwrap()],
        };
        let cell = |number: usize, what: &str| Cell {
            offer_id: format!("off_{number}"),
            what: what.to_owned(),
            ..Cell::default()
        };
        let both = |number| [cell(number, "click"), cell(number, "impression")];
        let cells: Vec<_> = (0..offers).flat_map(both).collect();
        let cells = BTreeMap::from([(Counted::Outcomes, cells)]);
        let mut adding = Adding::new(&question, &cells);
        for day in 0..days {
            let count = |number: usize| Count {
                n: number as u64 + day as u64 % 7 + 1,
                valued: 1,
                value: 12_500,
            };
            let shown = |number: usize| Count { n: 40, ..count(number) };
            let counts = (0..offers).flat_map(|number| [count(number), shown(number)]).collect();
            adding.add(Counted::Outcomes, FIRST + day, 0, &Chunk::new(counts)).unwrap();
        }
        let titles = Titles::from([((Dimension::Offer, "off_0".to_owned()), title.to_owned())]);
        svg(&question, &adding.finish().unwrap().0, &titles, "13 to 22 November 2026, UTC").unwrap()
    }

    #[test]
    fn a_picture_shows_the_largest_series_with_totals_and_rates() {
        let svg = picture(10, "Apparel — 20% back", 10);
        for text in [
            "Outcomes by day",
            "13 to 22 November 2026, UTC",
            "off_9",
            "off_2",
            "click/impression",
            "value 12.5",
            "2 smaller series are not shown",
            "<polyline",
        ] {
            assert!(svg.contains(text), "{text}\n{svg}");
        }
        assert!(!svg.contains("off_1\n") && !svg.contains("Apparel") && !svg.contains("NaN"));
        if let Ok(path) = std::env::var("PROFFER_TEST_PICTURE") {
            std::fs::write(path, picture(5, "Apparel — 20% back", 60)).unwrap();
        }
    }

    #[test]
    fn a_picture_of_one_day_or_of_nothing_is_a_picture() {
        assert!(picture(2, "x", 1).contains("<circle"));
        let nothing = picture(0, "x", 3);
        assert!(nothing.contains("nothing was counted") && !nothing.contains("NaN"), "{nothing}");
    }

    #[test]
    fn a_name_is_text_and_never_markup() {
        let svg = picture(1, "<script>alert(\"x\")</script> & \u{1} more", 2);
        assert!(!svg.contains("<script>") && !svg.contains('\u{1}'), "{svg}");
        assert!(svg.contains("&lt;script&gt;"), "{svg}");
        let long = picture(1, &"ä".repeat(300), 2);
        assert!(long.contains(&format!("{}…", "ä".repeat(60))) && !long.contains(&"ä".repeat(61)));
    }
}
