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
    let python = python_program();
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

/// Generates code with `protoc`'s plugins, then runs the snippet. It looks for gRPC where Debian's
/// `golang-google-grpc-dev` of version 1.63 and newer puts it, or where `GOPATH` says.
pub async fn go(text: &str, address: &str) {
    let python = python_program();
    let path = std::env::var("GOPATH").unwrap_or_else(|_| "/usr/share/gocode".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("src");
    std::fs::create_dir_all(source.join("snippet")).unwrap();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let generate = format!(
        "go version && protoc-gen-go --version && protoc-gen-go-grpc --version && \
         {python} -m grpc_tools.protoc -I proto --go_out={0} --go-grpc_out={0} \
         $(find proto/proffer -name '*.proto' -not -path '*/internal/*')",
        source.display()
    );
    let mut bash = Command::new("bash");
    bash.args(["-c", &generate]).current_dir(root);
    let (code, output, errors) = run(bash, "").await.unwrap();
    if code != Some(0) {
        println!("Go or its plugins are missing: the Go snippet is not run\n{output}{errors}");
        return;
    }
    let main = source.join("snippet/main.go");
    std::fs::write(&main, page::snippet(text, "go").unwrap()).unwrap();
    let mut command = Command::new("go");
    command.args(["run", ".", address]).current_dir(source.join("snippet"));
    command.env("GO111MODULE", "off").env("GOPATH", format!("{}:{path}", folder.path().display()));
    answers(command, "Go").await;
}

fn python_program() -> String {
    std::env::var(PYTHON_VARIABLE).unwrap_or_else(|_| "python3".to_owned())
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
