//! A progress bar on stderr. indicatif hides it when stderr is not a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts to `length`.
pub fn bar(message: &'static str, length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_message(message);
    match ProgressStyle::with_template("{msg:<20} [{bar:40}] {human_pos}/{human_len} {elapsed}") {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
