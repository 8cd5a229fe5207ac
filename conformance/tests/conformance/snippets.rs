//! The snippets of the clients page, run where their tools are.

use conformance::{door::run, page};
use tokio::process::Command;

/// Names the Python that has `grpcio-tools`.
const PYTHON_VARIABLE: &str = "PROFFER_TEST_PYTHON";

/// Runs the snippet for REST with Node. It has no types, so that Node reads it as it is.
pub async fn typescript(text: &str, base: &str) {
    if !is_there("node", &["--version"]).await {
        println!("node is not installed: the TypeScript snippet is not run");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recommend.mjs");
    std::fs::write(&file, page::snippet(text, "ts").unwrap()).unwrap();
    let mut node = Command::new("node");
    node.arg(&file).arg(base);
    answers(node, "TypeScript").await;
}

/// Generates code with the command of the page, then runs its snippet.
pub async fn python(text: &str, address: &str) {
    let python = std::env::var(PYTHON_VARIABLE).unwrap_or_else(|_| "python3".to_owned());
    if !is_there(&python, &["-c", "import grpc_tools"]).await {
        println!("grpcio-tools is not installed: the Python snippet is not run");
        return;
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let folder = tempfile::tempdir().unwrap();
    let gen_folder = folder.path().join("gen");
    std::fs::create_dir(&gen_folder).unwrap();
    let generate = text.lines().find(|line| line.starts_with("python -m grpc_tools")).unwrap();
    let generate = generate
        .replacen("python", &python, 1)
        .replace("=gen", &format!("={}", gen_folder.display()));
    let mut bash = Command::new("bash");
    bash.args(["-c", &generate]).current_dir(root);
    let (code, output, errors) = run(bash, "").await.unwrap();
    assert_eq!(code, Some(0), "{generate}\n{output}{errors}");
    let file = folder.path().join("recommend.py");
    std::fs::write(&file, page::snippet(text, "python").unwrap()).unwrap();
    let mut command = Command::new(python);
    command.arg(&file).arg(address).current_dir(folder.path());
    answers(command, "Python").await;
}

async fn is_there(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments);
    run(command, "").await.is_ok_and(|(code, ..)| code == Some(0))
}

/// The snippet prints a list of offers, not an error.
async fn answers(command: Command, language: &str) {
    let (code, output, errors) = run(command, "").await.unwrap();
    assert_eq!(code, Some(0), "{language}: {output}{errors}");
    assert!(output.starts_with('['), "{language}: {output}{errors}");
}
