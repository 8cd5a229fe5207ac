//! A card as a picture.

use drawing::SVG;
use proffer_proto::{experiment::v1 as proto, values::v1::TextBody};
use tonic::Status;

use crate::domain::picture::{Card, CardBin, card_svg};

/// Draws the card of a model.
pub(super) fn picture(
    model: &proto::EffectModel,
    card: &proto::ModelCard,
) -> Result<TextBody, Status> {
    let training = model.training.clone().unwrap_or_default();
    let mut lines = vec![card.summary.clone()];
    lines.push(format!(
        "{} treated, {} with the outcome; {} held out, {} with it; outcomes of {} days",
        training.treated,
        training.events_treated,
        training.held_out,
        training.events_held_out,
        training.window_days
    ));
    lines.push(figures([
        ("Q by effect", &card.qini),
        ("by propensity", &card.qini_by_propensity),
        ("gain", &card.qini_gain),
    ]));
    lines.push(figures([
        ("AUTOC", &card.autoc),
        ("slope", &card.slope),
        ("mean effect", &card.average_effect),
    ]));
    if let (Some(auc), Some(loss)) = (card.propensity_auc, card.propensity_log_loss) {
        lines.push(format!("Propensity of the treated: AUC {auc:.3}, logarithmic loss {loss:.4}"));
    }
    if !card.left_out.is_empty() {
        lines.push(format!("Left out: {}", card.left_out.join(", ")));
    }
    let bin = |bin: &proto::CardBin| CardBin {
        number: bin.bin,
        customers: bin.customers,
        predicted: bin.predicted,
        observed: bin.observed,
        effect: bin.effect,
        interval: <[f64; 2]>::try_from(bin.ci95.as_slice()).unwrap_or([bin.effect; 2]),
    };
    let drawn = Card {
        title: format!("{}, version {}", model.name, model.version),
        lines,
        curve: card.curve.iter().map(|it| [it.share, it.by_effect, it.by_propensity]).collect(),
        bins: card.bins.iter().map(bin).collect(),
        calibration: card
            .calibration
            .iter()
            .map(|it| [it.expected, it.observed, it.error])
            .collect(),
    };
    let text = card_svg(&drawn).map_err(|fault| serve::internal(&fault))?;
    Ok(TextBody { content_type: SVG.to_owned(), text })
}

/// Figures with their errors, in one line.
fn figures<const N: usize>(all: [(&str, &Option<proto::Measured>); N]) -> String {
    let words = all.into_iter().filter_map(|(name, measured)| {
        let proto::Measured { value, error } = measured.as_ref()?;
        Some(format!("{name} {value:.5} ± {error:.5}"))
    });
    words.collect::<Vec<_>>().join("; ")
}
