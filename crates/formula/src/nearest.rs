//! Finds the known name that is most like a misspelled one, for `did you mean …?`.

/// The known name most like `name`, when one is near: at most a third of its letters differ.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    known
        .map(|other| (distance(&name.to_lowercase(), &other.to_lowercase()), other))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, other)| other)
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let at = |k: usize| row.get(k).copied().unwrap_or(usize::MAX - 1);
            let left = next.last().copied().unwrap_or(0);
            next.push((at(j) + usize::from(from != *to)).min(at(j + 1) + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        let known = ["lastPurchaseDate", "lifetimePurchases", "timezone"];
        assert_eq!(nearest("lastPurchaseDat", known.into_iter()), Some("lastPurchaseDate"));
        assert_eq!(nearest("LIFETIMEpurchase", known.into_iter()), Some("lifetimePurchases"));
        assert_eq!(nearest("colour", known.into_iter()), None);
    }
}
