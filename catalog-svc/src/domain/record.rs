//! Customer records: what is known about one customer under one schema.

use std::collections::{BTreeMap, HashMap};

use super::{
    Faults,
    field_value::{FieldValue, Given},
    name::{Hints, quoted},
    schema::Schema,
};

/// Most rows of a batch.
pub const BATCH_MAX: usize = 1_000;
/// Largest record, encoded, in bytes. A decision sends the record along with its candidates, so it
/// must stay small.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Most faults reported for one row of a batch.
pub const ROW_FAULTS_MAX: usize = 10;
/// The part of a record that names its customer, as people write it.
pub const CUSTOMER_ID: &str = "customerId";

/// What a write sets; none clears.
pub type Changes = BTreeMap<String, Option<FieldValue>>;

/// A row of a batch, parsed or refused.
pub type Row = Result<Changes, Faults>;

/// Reads values by the schema's types; all faults by field name. More values than the schema has
/// fields are one fault.
pub fn parse<'a>(
    schema: &Schema,
    given: impl IntoIterator<IntoIter: ExactSizeIterator<Item = (&'a str, Given<'a>)>>,
    hints: &mut Hints,
) -> Row {
    let mut given = given.into_iter();
    let most = schema.fields.len();
    // Looked at before anything else, so a record costs no more than its schema.
    if given.len() > most {
        let unknown = given.find(|(name, _)| !schema.fields.contains_key(*name));
        let unknown = unknown.map(|(name, _)| format!(": `{}` is none of them", quoted(name)));
        let (name, unknown) = (&schema.name, unknown.unwrap_or_default());
        let message =
            format!("the record has more fields than schema `{name}`, which has {most}{unknown}");
        return Err(vec![(String::new(), message)]);
    }
    let (mut changes, mut faults) = (Changes::new(), Faults::new());
    for (name, value) in given {
        let Some(of_type) = schema.fields.get(name) else {
            let hint = hints.hint(name, schema.fields.keys().map(String::as_str));
            faults
                .push((quoted(name), format!("is not a field of schema `{}`{hint}", schema.name)));
            continue;
        };
        match FieldValue::read(*of_type, &value) {
            Ok(value) => drop(changes.insert(name.to_owned(), value)),
            Err(message) => faults.push((name.to_owned(), message)),
        }
    }
    if faults.is_empty() { Ok(changes) } else { Err(faults) }
}

/// What is wrong with a record of this size, if anything.
pub fn size_fault(bytes: usize) -> Option<String> {
    (bytes > RECORD_BYTES_MAX).then(|| {
        format!("the record has {bytes} bytes, which exceeds the maximum {RECORD_BYTES_MAX}")
    })
}

/// Refuses rows without a right customer id, and the later rows of a customer who is in the batch
/// already: which of two rows was meant is not for us to guess.
pub fn refuse_unfit_customers(ids: &[&str], rows: &mut [Row]) {
    let mut first = HashMap::new();
    for (index, (id, row)) in ids.iter().zip(rows).enumerate() {
        if let Some(message) = wire::text::id_fault(id) {
            refuse(row, CUSTOMER_ID, message);
            continue;
        }
        let earlier = *first.entry(*id).or_insert(index);
        if earlier != index {
            let message =
                format!("`{}` is in row {earlier} already: send one row per customer", quoted(id));
            refuse(row, CUSTOMER_ID, message);
        }
    }
}

/// Adds a fault to a row; the first fault refuses it.
pub fn refuse(row: &mut Row, field: &str, message: String) {
    match row {
        Ok(_) => *row = Err(vec![(field.to_owned(), message)]),
        Err(faults) => faults.insert(0, (field.to_owned(), message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::schema::FieldType;

    fn schema() -> Schema {
        let fields =
            [("lifetimePurchases", FieldType::Integer), ("lastPurchaseDate", FieldType::Date)];
        let fields = fields.map(|(name, of_type)| (name.to_owned(), of_type));
        Schema { id: "schema_customer".into(), name: "Customer".into(), fields: fields.into() }
    }

    #[test]
    fn every_fault_of_a_record_is_told_with_its_field() {
        let given = [
            ("lifetimePurchase", Given::Integer(3)),
            ("lastPurchaseDate", Given::Text("yesterday")),
            ("lifetimePurchases", Given::Boolean(true)),
        ];
        let mut schema = schema();
        schema.fields.insert("age".to_owned(), FieldType::Integer);
        let faults = parse(&schema, given, &mut Hints::default()).unwrap_err();
        let lines: Vec<_> =
            faults.into_iter().map(|(field, message)| format!("{field} {message}")).collect();
        assert_eq!(
            lines,
            [
                "lifetimePurchase is not a field of schema `Customer`; did you mean \
                 `lifetimePurchases`?",
                "lastPurchaseDate `yesterday` is not a calendar date: write YYYY-MM-DD",
                "lifetimePurchases must be an integer, not the boolean true",
            ]
        );
    }

    #[test]
    fn more_fields_than_the_schema_has_are_one_fault() {
        let given = |count| (0..count).map(|_| ("age", Given::Null)).collect::<Vec<_>>();
        let parse = |count| parse(&schema(), given(count), &mut Hints::default()).unwrap_err();
        assert_eq!(parse(2).len(), 2);
        let message = "the record has more fields than schema `Customer`, which has 2: `age` is \
                       none of them";
        assert_eq!(parse(3), [(String::new(), message.to_owned())]);
    }

    #[test]
    fn null_clears() {
        let given = [("lastPurchaseDate", Given::Null)];
        let changes = parse(&schema(), given, &mut Hints::default()).unwrap();
        assert_eq!(changes, Changes::from([("lastPurchaseDate".to_owned(), None)]));
    }

    #[test]
    fn only_the_first_row_of_a_customer_is_kept() {
        let mut rows =
            vec![Ok(Changes::new()), Ok(Changes::new()), Ok(Changes::new()), Err(vec![])];
        refuse_unfit_customers(&["a", "b", "a", ""], &mut rows);
        assert!(rows[0].is_ok() && rows[1].is_ok());
        let message = "`a` is in row 0 already: send one row per customer".to_owned();
        assert_eq!(rows[2], Err(vec![("customerId".to_owned(), message)]));
        assert_eq!(rows[3], Err(vec![("customerId".to_owned(), "is required".to_owned())]));
    }
}
