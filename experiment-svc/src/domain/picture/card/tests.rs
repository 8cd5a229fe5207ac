use super::*;

fn card() -> Card {
    let bin = |number: i32| CardBin {
        number,
        customers: 1_000,
        predicted: f64::from(number) / 100.0,
        observed: (number != 3).then_some(0.02),
        effect: f64::from(number) / 90.0,
        interval: [f64::from(number - 3) / 90.0, f64::from(number + 3) / 90.0],
    };
    Card {
        title: "Women's <mail>, version 2".to_owned(),
        lines: vec!["the effect model ranks no better than chance ".repeat(6)],
        curve: (0..=100).map(|it| f64::from(it) / 100.0).map(|x| [x, x * (2.0 - x), x]).collect(),
        bins: (1..=10).map(bin).collect(),
        calibration: (1..=10)
            .map(|it| [f64::from(it) / 50.0, f64::from(it) / 55.0, 0.01])
            .collect(),
    }
}

#[test]
fn a_card_shows_its_figures_its_curves_and_every_bin() {
    let svg = card_svg(&card()).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("&lt;mail&gt;, version 2"), "markup is escaped");
    assert!(svg.contains("prefers-color-scheme: dark"));
    for heading in ["Outcomes gained per treated", "Effect by bin", "Observed outcome by expected"]
    {
        assert!(svg.contains(heading), "{heading}");
    }
    // Ten effects, nine differences of the arms, ten groups.
    assert_eq!(svg.matches("<circle").count(), 29);
    assert!(svg.matches("the effect model ranks").count() > 1, "long lines are broken");
}

#[test]
fn a_card_without_figures_is_drawn_all_the_same() {
    let empty = Card { title: "Empty".to_owned(), ..Card::default() };
    assert!(card_svg(&empty).unwrap().contains("Empty"));
    let huge = CardBin { number: 1, effect: 1e15, interval: [-1e15, 1e15], ..CardBin::default() };
    card_svg(&Card { bins: vec![huge], ..empty }).unwrap();
}
