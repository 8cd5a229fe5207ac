//! Lists that are narrowed by those of their columns whose value is given.

/// A condition for each given column; their values take the places from `first` on, in order.
pub(super) fn conditions(
    columns: impl IntoIterator<Item = (&'static str, bool)>,
    first: usize,
) -> String {
    let given = columns.into_iter().filter(|(_, is_given)| *is_given);
    given.zip(first..).map(|((column, _), place)| format!(" and {column} = ${place}")).collect()
}
