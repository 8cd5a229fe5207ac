//! Whether it can be learned whom contact moves.

use std::io::{self, Write};

use super::figure::{count, heading};
use crate::demo::effect_model::Model;

/// Writes whether there is a model.
pub fn effect_model(out: &mut impl Write, model: &Model) -> io::Result<()> {
    heading(out, "Effect model", "whom contact moves, learned from the experiment")?;
    match model.is_learned() {
        true => writeln!(out, "  {}", model.id),
        false => no_effect_model(out, model),
    }
}

/// Writes why there is none.
pub fn no_effect_model(out: &mut impl Write, model: &Model) -> io::Result<()> {
    writeln!(out, "  none, because")?;
    for why in &model.why {
        writeln!(out, "    {why}")?;
    }
    for left_out in &model.training.left_out {
        let customers = count(usize::try_from(left_out.rows).unwrap_or_default());
        writeln!(out, "  {customers} customers are in no row: {}", left_out.reason)?;
    }
    Ok(())
}
