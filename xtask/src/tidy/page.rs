//! CI runs every command that the README and the API page show: `conformance` runs the `curl` and
//! `grpcurl` lines, the other commands are part of CI.

use super::Violation;
use crate::repository::SourceFile;

/// The pages whose commands are run.
const PAGES: [&str; 2] = ["README.md", "docs/api.md"];
/// Beginnings of the commands that CI runs. The demo is started by
/// `conformance/tests/conformance/pages.rs`.
const RUN: [&str; 8] = [
    "curl ",
    "grpcurl ",
    "cargo run --release",
    "cargo xtask test",
    "cargo xtask ci",
    "cargo xtask tidy",
    "git clone ",
    "cd ",
];
const SHELL_FENCES: [&str; 4] = ["```sh", "```bash", "```shell", "```console"];

/// Checks the shell fences of the pages.
pub fn check(files: &[SourceFile], found: &mut Vec<Violation>) {
    for page in files.iter().filter(|file| PAGES.contains(&file.path.as_str())) {
        for (line, command) in commands(&page.text) {
            if !RUN.iter().any(|known| command == known.trim_end() || command.starts_with(known)) {
                let what = format!(
                    "no test runs `{command}`: show a command that one runs, or fence it as ```text"
                );
                found.push(Violation::new(&page.path, line, what));
            }
        }
    }
}

/// First lines of the commands in shell fences, numbered from 1. A command goes on while a quote is
/// open or a line ends in a backslash.
fn commands(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut is_shell, mut goes_on, mut in_quote) = (false, false, false);
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("```") {
            is_shell = !is_shell && SHELL_FENCES.contains(&line.trim_end());
            (goes_on, in_quote) = (false, false);
            continue;
        }
        let line = line.trim_start_matches("$ ");
        if !is_shell || line.trim().is_empty() || (!goes_on && !in_quote && line.starts_with('#')) {
            continue;
        }
        if !goes_on && !in_quote {
            found.push((number, line.trim().to_owned()));
        }
        in_quote ^= line.matches('\'').count() % 2 == 1;
        goes_on = line.ends_with('\\');
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_a_body_is_one_command() {
        let text = "```sh\n# says\ncurl -d '{\n  \"a\": 1\n}' x\n\ncargo run \\\n  --release\n```\n\
                    ```json\n{}\n```\n";
        let found = commands(text);
        assert_eq!(found, [(3, "curl -d '{".to_owned()), (7, "cargo run \\".to_owned())]);
    }
}
