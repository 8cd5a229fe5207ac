//! A running `proffer`, read line by line and killed when a test fails.

use std::{
    cell::RefCell,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Stdio},
};

/// Free ports of this machine.
pub const LOCAL: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];

/// A running process.
pub struct Process {
    child: Child,
    stdout: RefCell<BufReader<ChildStdout>>,
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = RefCell::new(BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdout }
    }

    /// What it tells next.
    pub fn line(&self) -> String {
        let mut line = String::new();
        let length = self.stdout.borrow_mut().read_line(&mut line).unwrap();
        assert!(length > 0, "the process ended without a further line");
        line.trim_end().to_owned()
    }

    /// What it tells up to a line that starts with `last`.
    pub fn lines_until(&self, last: &str) -> Vec<String> {
        let mut lines = vec![self.line()];
        while !lines[lines.len() - 1].starts_with(last) {
            lines.push(self.line());
        }
        lines
    }

    /// Sends a signal; the process must tell nothing more and end well.
    pub fn stop(mut self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let mut rest = String::new();
        self.stdout.borrow_mut().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already unless a test failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
