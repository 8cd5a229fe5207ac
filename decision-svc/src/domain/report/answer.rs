//! Adds up what a report is asked.

use std::collections::BTreeMap;

use super::{
    cell::{Cell, Count, Counted},
    chunk::{CELLS, Chunk},
    day,
    question::{ALL, Dimension, Question, Report},
};

/// Rows of a report at most.
pub const ROWS_MAX: usize = 50_000;

/// A report has more than [`ROWS_MAX`] rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyRows;

/// The numbers of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Of outcomes or decisions.
    pub count: Count,
    /// Offers in the answers of decisions.
    pub offers: u64,
    /// What the rates count, in the order of [`Question::terms`].
    terms: Vec<u64>,
}

impl Figures {
    fn add(&mut self, role: &Role, count: &Count, terms: usize) {
        match role.counted {
            Counted::Offers => self.offers += count.n,
            Counted::Outcomes | Counted::Decisions if role.is_of_kind => self.count.add(count),
            Counted::Outcomes | Counted::Decisions => {}
        }
        self.terms.resize(terms, 0);
        for term in &role.terms {
            if let Some(own) = self.terms.get_mut(*term) {
                *own += count.n;
            }
        }
    }

    /// Adds the numbers of another row.
    pub fn add_all(&mut self, other: &Self) {
        self.count.add(&other.count);
        self.offers += other.offers;
        self.terms.resize(other.terms.len().max(self.terms.len()), 0);
        self.terms.iter_mut().zip(&other.terms).for_each(|(own, others)| *own += others);
    }

    /// Numerator and denominator of each rate.
    pub fn rates(&self, question: &Question) -> Vec<(u64, u64)> {
        let terms = question.terms();
        let count = |term: &str| {
            let place = terms.binary_search(&term).ok();
            place.and_then(|place| self.terms.get(place)).copied().unwrap_or_default()
        };
        question.rates.iter().map(|rate| (count(&rate.of), count(&rate.by))).collect()
    }

    fn is_empty(&self) -> bool {
        self.count.n == 0 && self.offers == 0 && self.terms.iter().all(|term| *term == 0)
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is about, in the order of the question's dimensions; days as `2026-11-22`.
    pub key: Vec<String>,
    /// Its numbers.
    pub figures: Figures,
}

/// What is added up for a question.
pub struct Adding<'q> {
    question: &'q Question,
    terms: usize,
    /// The keys of groups, without the day.
    groups: Vec<Vec<&'q str>>,
    /// What each cell adds to.
    roles: BTreeMap<Counted, Vec<Option<Role>>>,
    /// The day that is added up; 0 when days are not divided.
    day: i64,
    /// What it has so far, by group.
    current: Vec<Figures>,
    /// By day, when days are divided, and group.
    rows: BTreeMap<(i64, usize), Figures>,
}

/// What a cell adds to.
#[derive(Clone, Debug)]
struct Role {
    counted: Counted,
    group: usize,
    is_of_kind: bool,
    terms: Vec<usize>,
}

impl<'q> Adding<'q> {
    /// Nothing yet; `cells` are all of the tenant, in the order of their numbers.
    pub fn new(question: &'q Question, cells: &'q BTreeMap<Counted, Vec<Cell>>) -> Self {
        let terms = question.terms();
        let mut groups = BTreeMap::new();
        let mut roles = BTreeMap::new();
        for (counted, cells) in cells {
            let roles_of: Vec<_> = cells
                .iter()
                .map(|cell| role(question, &terms, *counted, cell, &mut groups))
                .collect();
            roles.insert(*counted, roles_of);
        }
        let mut keys = vec![Vec::new(); groups.len()];
        for (key, group) in groups {
            if let Some(place) = keys.get_mut(group) {
                *place = key;
            }
        }
        let current = vec![Figures::default(); keys.len()];
        let (terms, rows) = (terms.len(), BTreeMap::new());
        Self { question, terms, groups: keys, roles, day: 0, current, rows }
    }

    /// Adds the counts of a day for the cells of a chunk.
    pub fn add(
        &mut self,
        counted: Counted,
        day: i64,
        number: usize,
        chunk: &Chunk,
    ) -> Result<(), TooManyRows> {
        let day = if self.question.dimensions.contains(&Dimension::Day) { day } else { 0 };
        if self.day != day {
            self.close_day()?;
            self.day = day;
        }
        let Some(roles) = self.roles.get(&counted) else { return Ok(()) };
        let roles = roles.get(number.saturating_mul(CELLS)..).unwrap_or_default();
        for (role, count) in roles.iter().zip(chunk.counts()) {
            let (Some(role), true) = (role, count.n > 0) else { continue };
            if let Some(figures) = self.current.get_mut(role.group) {
                figures.add(role, count, self.terms);
            }
        }
        Ok(())
    }

    /// Makes rows of what the day has.
    fn close_day(&mut self) -> Result<(), TooManyRows> {
        for (group, figures) in self.current.iter_mut().enumerate() {
            if !figures.is_empty() {
                let row = self.rows.entry((self.day, group)).or_default();
                row.add_all(&std::mem::take(figures));
            }
        }
        if self.rows.len() > ROWS_MAX { Err(TooManyRows) } else { Ok(()) }
    }

    /// The rows in the order of their keys, and their total.
    pub fn finish(mut self) -> Result<(Vec<Row>, Figures), TooManyRows> {
        self.close_day()?;
        let Self { question, groups, rows, .. } = self;
        let mut total = Figures::default();
        let mut all = Vec::with_capacity(rows.len());
        for ((day, group), figures) in rows {
            total.add_all(&figures);
            let mut parts = groups.get(group).into_iter().flatten();
            let part = |dimension: &Dimension| match dimension {
                Dimension::Day => day::date(day).map(|date| date.to_string()).unwrap_or_default(),
                _ => parts.next().map(|part| (*part).to_owned()).unwrap_or_default(),
            };
            let key = question.dimensions.iter().map(part).collect();
            all.push(Row { key, figures });
        }
        all.sort_by(|a, b| a.key.cmp(&b.key));
        Ok((all, total))
    }
}

/// What a cell adds to; none when nothing is asked about it.
fn role<'q>(
    question: &Question,
    terms: &[&str],
    counted: Counted,
    cell: &'q Cell,
    groups: &mut BTreeMap<Vec<&'q str>, usize>,
) -> Option<Role> {
    let is_asked = match (question.report, counted) {
        (Report::Outcomes, Counted::Outcomes) | (Report::Decisions, Counted::Offers) => true,
        (Report::Decisions, Counted::Decisions) => !question.is_about_offers(),
        _ => false,
    };
    if !is_asked || !question.passes(cell) {
        return None;
    }
    let is_of_kind = question.is_of_kind(cell);
    let counts_term = |term: &&str| *term == ALL || *term == cell.what;
    let terms: Vec<_> = match counted {
        Counted::Offers => Vec::new(),
        _ => (0..).zip(terms).filter(|(_, term)| counts_term(term)).map(|it| it.0).collect(),
    };
    if !is_of_kind && (terms.is_empty() || counted == Counted::Offers) {
        return None;
    }
    let key = question.dimensions.iter().filter_map(|dimension| dimension.of(cell)).collect();
    let next = groups.len();
    let group = *groups.entry(key).or_insert(next);
    Some(Role { counted, group, is_of_kind, terms })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::question::Rate, *};

    fn cell(offer: &str, what: &str) -> Cell {
        Cell {
            flow_id: "flow".to_owned(),
            offer_id: offer.to_owned(),
            what: what.to_owned(),
            ..Cell::default()
        }
    }

    fn question(dimensions: &[Dimension], rates: &[&str]) -> Question {
        Question {
            report: Report::Outcomes,
            from: 0,
            to: 10,
            dimensions: dimensions.to_vec(),
            filters: BTreeMap::new(),
            rates: rates.iter().map(|text| Rate::read(text).unwrap()).collect(),
        }
    }

    /// The report over two days: a:impression 3 and 1, a:click 1, b:click 2.
    fn report(question: &Question) -> (Vec<Row>, Figures) {
        let cells = vec![cell("a", "impression"), cell("a", "click"), cell("b", "click")];
        let cells = BTreeMap::from([(Counted::Outcomes, cells)]);
        let count = |n: u64| Count { n, valued: n, value: i128::from(n) * 10 };
        let mut adding = Adding::new(question, &cells);
        let first = Chunk::new(vec![count(3), count(1), count(2)]);
        let second = Chunk::new(vec![count(1)]);
        adding.add(Counted::Outcomes, 1, 0, &first).unwrap();
        adding.add(Counted::Outcomes, 2, 0, &second).unwrap();
        adding.finish().unwrap()
    }

    fn shown(rows: &[Row]) -> Vec<(String, u64)> {
        rows.iter().map(|row| (row.key.join(" "), row.figures.count.n)).collect()
    }

    #[test]
    fn rows_are_divided_in_the_order_that_is_asked() {
        let (rows, total) = report(&question(&[Dimension::Offer, Dimension::Day], &[]));
        let expected = [("a 1970-01-02", 4), ("a 1970-01-03", 1), ("b 1970-01-02", 2)];
        assert_eq!(shown(&rows), expected.map(|(key, n)| (key.to_owned(), n)));
        assert_eq!((total.count.n, total.count.value), (7, 70));
        let (rows, _) = report(&question(&[Dimension::What], &[]));
        assert_eq!(shown(&rows), [("click".to_owned(), 3), ("impression".to_owned(), 4)]);
        let (rows, _) = report(&question(&[], &[]));
        assert_eq!(shown(&rows), [(String::new(), 7)]);
    }

    /// A filter by type narrows the count, and a rate counts the types that it names.
    #[test]
    fn a_rate_is_of_the_counts_of_its_row() {
        let mut asked = question(&[Dimension::Offer], &["click/impression", "click/all"]);
        let (rows, total) = report(&asked);
        let rates: Vec<_> = rows.iter().map(|row| row.figures.rates(&asked)).collect();
        assert_eq!(rates, [[(1, 4), (1, 5)], [(2, 0), (2, 2)]]);
        assert_eq!(total.rates(&asked), [(3, 4), (3, 7)]);
        let clicks = BTreeSet::from(["click".to_owned()]);
        asked.filters.insert(Dimension::What, clicks);
        let (rows, _) = report(&asked);
        assert_eq!(shown(&rows), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(rows[0].figures.rates(&asked), [(1, 4), (1, 5)]);
    }

    #[test]
    fn a_filter_leaves_the_others_out() {
        let mut asked = question(&[Dimension::What], &[]);
        asked.filters.insert(Dimension::Offer, BTreeSet::from(["b".to_owned()]));
        assert_eq!(shown(&report(&asked).0), [("click".to_owned(), 2)]);
    }

    #[test]
    fn more_rows_than_the_limit_are_refused() {
        let asked = question(&[Dimension::Offer], &[]);
        let many = |count: usize| {
            let cells: Vec<_> = (0..count).map(|it| cell(&it.to_string(), "click")).collect();
            let cells = BTreeMap::from([(Counted::Outcomes, cells)]);
            let mut adding = Adding::new(&asked, &cells);
            let chunk = Chunk::new(vec![Count::one(None); CELLS]);
            let mut chunks = 0..count.div_ceil(CELLS);
            chunks.try_for_each(|number| adding.add(Counted::Outcomes, 0, number, &chunk)).unwrap();
            adding.finish().map(|(rows, _)| rows.len())
        };
        assert_eq!(many(ROWS_MAX), Ok(ROWS_MAX));
        assert_eq!(many(ROWS_MAX + 1), Err(TooManyRows));
    }
}
