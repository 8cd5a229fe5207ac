//! A tally as text, in which it is stored.
//!
//! `arm epoch covariate emptied`, then a line for the assigned and one for the matched window, if
//! there is one: `hour`, and `value buyer paired` of each metric.

use super::{Tally, Windowed};
use crate::domain::analysis::{Arm, Figure};

impl Tally {
    /// The tally as text.
    pub fn text(&self) -> String {
        let digit = |is: bool| if is { '1' } else { '0' };
        let mut text = format!(
            "{} {} {} {}",
            digit(self.arm == Arm::Holdout),
            self.epoch,
            self.covariate,
            digit(self.is_emptied)
        );
        for windowed in std::iter::once(&self.assigned).chain(&self.matched) {
            text.push_str(&format!("\n{}", windowed.hour));
            for Figure { value, is_buyer, paired } in &windowed.figures {
                text.push_str(&format!(" {value} {} {paired}", digit(*is_buyer)));
            }
        }
        text
    }

    /// The tally of a text; none when it is not one.
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let head: Vec<&str> = lines.next()?.split(' ').collect();
        let &[is_holdout, epoch, covariate, is_emptied] = head.as_slice() else { return None };
        let (assigned, matched) = (lines.next()?, lines.next());
        if lines.next().is_some() {
            return None;
        }
        Some(Self {
            arm: if is(is_holdout)? { Arm::Holdout } else { Arm::Treatment },
            epoch: epoch.parse().ok()?,
            covariate: covariate.parse().ok()?,
            is_emptied: is(is_emptied)?,
            assigned: windowed(assigned)?,
            matched: match matched {
                None => None,
                Some(line) => Some(windowed(line)?),
            },
        })
    }
}

fn windowed(line: &str) -> Option<Windowed> {
    let words: Vec<&str> = line.split(' ').collect();
    let (hour, words) = words.split_first()?;
    let figure = |words: &[&str]| {
        let &[value, is_buyer, paired] = words else { return None };
        let (value, paired) = (value.parse().ok()?, paired.parse().ok()?);
        Some(Figure { value, is_buyer: is(is_buyer)?, paired })
    };
    let figures = words.chunks(3).map(figure).collect::<Option<_>>()?;
    Some(Windowed { hour: hour.parse().ok()?, figures })
}

fn is(word: &str) -> Option<bool> {
    match word {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}
