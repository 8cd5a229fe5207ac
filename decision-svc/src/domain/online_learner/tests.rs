use super::*;

/// Contacts that differ in places, values and responses, the same everywhere.
fn contacts(count: u32) -> Vec<LearnedContact> {
    let contact = |number: u32| LearnedContact {
        input: OnlineInput(vec![
            (2 + number % 3, 1.0),
            (10, f64::from(number % 7) / 4.0 - 0.5),
            (4_095, f64::from(number % 2)),
        ]),
        shrunk: 0.05 + f64::from(number % 5) / 10.0,
        is_positive: number.is_multiple_of(3) || number % 7 == 6,
    };
    (0..count).map(contact).collect()
}

fn bits(state: &OnlineState) -> Vec<(u32, u64, u64)> {
    let each = state.coordinates.iter();
    each.map(|it| (it.slot, it.z.to_bits(), it.n.to_bits())).collect()
}

fn learned(contacts: &[LearnedContact]) -> OnlineState {
    let mut state = OnlineState::default();
    state.learn(contacts).unwrap();
    state
}

#[test]
fn a_run_that_is_interrupted_learns_the_same_bit_by_bit() {
    let all = contacts(200);
    let whole = learned(&all);
    for cut in [1, 63, 199] {
        let (first, rest) = all.split_at(cut);
        let mut parts = learned(first);
        parts.learn(rest).unwrap();
        assert_eq!(bits(&parts), bits(&whole));
        assert_eq!(parts, whole);
    }
}

/// Weights and losses of `oracle.py` beside this file, which has the algorithm in numpy.
#[test]
fn weights_agree_with_an_independent_implementation() {
    let state = learned(&contacts(200));
    let model = state.model(1).unwrap();
    let expected: serde_json::Value = serde_json::from_str(include_str!("oracle.json")).unwrap();
    let weights = expected["weights"].as_object().unwrap();
    assert_eq!(model.weights.len(), weights.len());
    for (slot, weight) in weights {
        let found = model.weights[&slot.parse::<u32>().unwrap()];
        assert!((found - weight.as_f64().unwrap()).abs() < 1e-9, "{slot}: {found}");
    }
    for (name, found) in
        [("loss", state.validation.loss), ("shrinkage", state.validation.loss_of_shrinkage)]
    {
        assert!((found - expected[name].as_f64().unwrap()).abs() < 1e-9, "{name}: {found}");
    }
}

#[test]
fn it_learns_what_the_shrinkage_estimate_does_not_know() {
    let contact = |number: u32| LearnedContact {
        input: OnlineInput(vec![(7, f64::from(number % 2))]),
        shrunk: 0.5,
        is_positive: number % 2 == 1,
    };
    let state = learned(&(0..400).map(contact).collect::<Vec<_>>());
    let model = state.model(1).unwrap();
    let says = |value: f64| model.scorer(&OnlineInput(vec![(7, value)]), true).propensity(0.5);
    assert!(says(1.0) > 0.6 && says(0.0) < 0.45, "{} {}", says(1.0), says(0.0));
    let Validation { contacts, positives, loss, loss_of_shrinkage, bins } = state.validation;
    assert_eq!((contacts, positives), (400, 200));
    assert!(loss < loss_of_shrinkage);
    assert_eq!(bins.iter().map(|bin| bin.contacts).sum::<u64>(), 400);
    assert_eq!(bins.iter().map(|bin| bin.positives).sum::<u64>(), 200);
}

#[test]
fn nothing_learned_is_a_model_without_weights() {
    assert!(OnlineState::default().model(1).unwrap().weights.is_empty());
}
