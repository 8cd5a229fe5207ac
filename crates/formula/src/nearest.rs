//! Finds the known name that is most like a misspelled one, for `did you mean …?`.

/// The known name most like `name`, when one is near: at most a third of its letters differ. Two
/// neighboring letters that are swapped count as one difference.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    known
        .map(|other| (strsim::osa_distance(&name.to_lowercase(), &other.to_lowercase()), other))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, other)| other)
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
        assert_eq!(nearest("teir", ["time", "tier"].into_iter()), Some("tier"));
    }
}
