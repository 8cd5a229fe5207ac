//! Finds the known name that is most like a misspelled one, for `did you mean …?`.

/// Letters compared for one name at most. Beyond it the names that are left are not looked at, so
/// a hint costs a few milliseconds whatever is known.
const STEPS_MAX: usize = 1 << 20;

/// The known name most like `name`, when one is near: at most a third of its letters differ. Two
/// neighboring letters that are swapped count as one difference. Compares a million letters at
/// most.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let letters = name.chars().count();
    let limit = (letters / 3).max(1);
    let mut left = STEPS_MAX;
    let distance = |other: &'a str| {
        let folded = other.to_lowercase();
        let found = folded.chars().count();
        // Names whose lengths differ by more than the limit are not near.
        if found.abs_diff(letters) > limit {
            left = left.checked_sub(other.len())?;
            return Some(None);
        }
        left = left.checked_sub(other.len() + letters * found)?;
        Some(Some((strsim::osa_distance(&name, &folded), other)))
    };
    let near = known.map_while(distance).flatten().filter(|(distance, _)| *distance <= limit);
    near.min().map(|(_, other)| other)
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

    #[test]
    fn what_is_compared_has_a_bound() {
        let name = "x".repeat(1 << 9);
        let known = [format!("{name}y"), format!("{name}z"), name.clone()];
        // Each costs a quarter of the steps and a little more, so three fit and a fourth does not.
        let names = known.iter().map(String::as_str);
        assert_eq!(nearest(&name, names), Some(name.as_str()));
        let others = known.iter().take(2).chain([&known[0], &name]).map(String::as_str);
        assert_eq!(nearest(&name, others), Some(known[0].as_str()));
        let (short, many) = ("offer_7", vec!["a name that is much longer"; 1_000_000]);
        assert_eq!(nearest(short, many.into_iter().chain(["offer_7"])), None);
    }
}
