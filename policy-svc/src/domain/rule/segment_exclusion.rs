//! `segment_exclusion`: refuses customers of named segments.

use std::collections::BTreeSet;

use wire::named;

use super::{
    finding::{Constant, Evaluation, Finding},
    ground::{Ground, Reads},
    kind::PolicyKind,
};
use crate::domain::{Faults, folded, question::FieldValue, refusal::ReasonCode, zone};

/// The kind's name.
pub const NAME: &str = "segment_exclusion";

/// Most segments of one policy.
pub const SEGMENTS_MAX: usize = 200;
/// Longest segment, in characters.
const SEGMENT_MAX: usize = 200;

/// No contact with customers whose field holds one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentExclusion {
    /// The customer field, without `customer.`.
    pub field: String,
    /// The segments, folded.
    pub segments: BTreeSet<String>,
}

impl SegmentExclusion {
    /// Checks an exclusion.
    pub fn parse(field: &str, segments: &[String]) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let name = field.strip_prefix("customer.").unwrap_or(field);
        if !zone::is_field_name(name) {
            let text = format!(
                "`{}` must be a customer field such as `customer.tier`",
                zone::shown(field)
            );
            faults.push(("segment_exclusion.field".to_owned(), text));
        }
        let path = "segment_exclusion.segments";
        match segments.len() {
            0 => faults.push((path.to_owned(), "is required: values of the field".to_owned())),
            1..=SEGMENTS_MAX => {}
            count => faults.push((
                path.to_owned(),
                format!("has {count}, which exceeds the maximum {SEGMENTS_MAX}"),
            )),
        }
        for (index, segment) in segments.iter().enumerate().take(SEGMENTS_MAX) {
            if segment.trim().is_empty() || segment.chars().count() > SEGMENT_MAX {
                faults.push((
                    format!("{path}[{index}]"),
                    format!("must have 1 to {SEGMENT_MAX} characters"),
                ));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            field: name.to_owned(),
            segments: segments.iter().map(|segment| folded(segment)).collect(),
        })
    }

    fn refusal(&self, value: &str) -> Option<String> {
        let is_named = self.segments.contains(&folded(value));
        is_named.then(|| {
            format!("customer.{} is {}, an excluded segment", self.field, zone::shown(value))
        })
    }
}

impl PolicyKind for SegmentExclusion {
    fn name(&self) -> &'static str {
        NAME
    }

    fn refers(&self) -> Vec<(&'static str, String)> {
        vec![(named::FIELD, self.field.clone())]
    }

    fn reads(&self) -> Reads<'_> {
        Reads { fields: std::slice::from_ref(&self.field), ..Reads::default() }
    }

    fn yields(&self) -> bool {
        true
    }

    /// A missing field refuses: absence never becomes eligibility.
    fn open<'a>(&'a self, ground: Ground<'a>) -> Box<dyn Evaluation + 'a> {
        let field = &self.field;
        let text = match ground.fields.get(field) {
            None | Some(FieldValue::Null) => Some(format!("customer.{field} is not set")),
            Some(FieldValue::Other) => {
                Some(format!("customer.{field} cannot be compared with a segment"))
            }
            Some(FieldValue::Boolean(value)) => self.refusal(&value.to_string()),
            Some(FieldValue::Number(text) | FieldValue::Text(text)) => self.refusal(text),
        };
        Box::new(Constant(Finding {
            refusal: text.map(|text| (ReasonCode::SegmentExcluded, text)),
            ..Finding::default()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_and_segments_are_checked() {
        let check = |field: &str, segments: &[&str], expected: &[&str]| {
            let segments: Vec<_> = segments.iter().map(|segment| (*segment).to_owned()).collect();
            let faults = SegmentExclusion::parse(field, &segments)
                .map(|_| Faults::new())
                .unwrap_or_else(|f| f);
            let texts: Vec<_> =
                faults.into_iter().map(|(path, text)| format!("{path} {text}")).collect();
            assert_eq!(texts, expected, "{field} {segments:?}");
        };
        check("customer.tier", &["gold"], &[]);
        check("tier", &["gold"; SEGMENTS_MAX], &[]);
        check(
            "a b",
            &[],
            &[
                "segment_exclusion.field `a b` must be a customer field such as `customer.tier`",
                "segment_exclusion.segments is required: values of the field",
            ],
        );
        check(
            "tier",
            &["x"; 201],
            &["segment_exclusion.segments has 201, which exceeds the maximum 200"],
        );
        check(
            "tier",
            &["gold", " "],
            &["segment_exclusion.segments[1] must have 1 to 200 characters"],
        );
    }
}
