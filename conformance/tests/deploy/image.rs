//! The root file system of the image, built without Docker by the script that the Dockerfile runs,
//! from the programs of the test.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use conformance::{process::program, suite::base_in};
use tempfile::TempDir;

use super::tool::{file, output, root, run, text};

/// The user of the image.
const USER: u32 = 65532;

/// Builds the root file system into a folder of a new temporary folder.
fn build() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("root");
    let built = program("proffer").unwrap();
    let mut script = Command::new(file("image/root.sh"));
    output(script.arg(built.parent().unwrap()).arg(&place));
    (folder, place)
}

/// Every file below `folder`, relative to `root`.
fn files(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            found.insert(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}

fn all_files(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    files(root, root, &mut found);
    found
}

fn lines(path: &str) -> Vec<String> {
    text(path).lines().map(str::to_owned).collect()
}

/// What the programs need is what the image has: the lists in `deploy/image`, and no shell.
#[test]
fn the_image_holds_the_six_programs_and_the_listed_libraries_and_nothing_else() {
    let (_folder, place) = build();
    let found = all_files(&place);
    let in_folder = |folder: &str| -> Vec<String> {
        let names = found.iter().filter_map(|path| path.strip_prefix(folder));
        names.map(str::to_owned).collect()
    };
    assert_eq!(in_folder("usr/local/bin/"), lines("image/programs"));
    let is_library = |path: &&String| path.starts_with("lib") || path.starts_with("usr/lib");
    let mut libraries: Vec<_> = found
        .iter()
        .filter(is_library)
        .map(|path| path.rsplit('/').next().unwrap())
        .map(|name| if name.starts_with("ld-linux-") { "ld-linux" } else { name }.to_owned())
        .collect();
    libraries.sort();
    assert_eq!(libraries, lines("image/libraries"));
    let rest = found.iter().filter(|path| {
        !path.starts_with("usr/local/bin/") && !is_library(path) && !path.ends_with("/copyright")
    });
    let rest: Vec<_> = rest.map(String::as_str).collect();
    let expected =
        ["etc/group", "etc/nsswitch.conf", "etc/passwd", "etc/ssl/certs/ca-certificates.crt"];
    assert_eq!(rest, expected);
    for name in lines("image/programs") {
        let path = place.join("usr/local/bin").join(&name);
        let sections =
            output(Command::new("readelf").args(["--section-headers", "--wide"]).arg(path));
        for section in [".symtab", ".debug_info"] {
            assert!(!sections.contains(section), "{name} is not stripped: {section}");
        }
    }
}

/// A library that no list has stops the build, instead of the first start.
#[test]
fn a_library_that_is_not_listed_stops_the_build_of_the_image() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["root.sh", "programs", "libraries"] {
        fs::copy(file("image").join(name), folder.path().join(name)).unwrap();
    }
    let short = text("image/libraries").replace("libm.so.6\n", "");
    fs::write(folder.path().join("libraries"), short).unwrap();
    let built = program("proffer").unwrap();
    let mut script = Command::new(folder.path().join("root.sh"));
    let done = run(script.arg(built.parent().unwrap()).arg(folder.path().join("root")));
    assert!(!done.is_right);
    assert!(done.errors.contains("list them in deploy/image/libraries"), "{}", done.errors);
    assert!(done.errors.contains("libm.so.6"), "{}", done.errors);
}

#[test]
fn the_dockerfile_builds_every_program_and_runs_as_a_user_without_a_shell() {
    let dockerfile = text("Dockerfile");
    for name in lines("image/programs") {
        assert!(dockerfile.contains(&format!("--package {name} ")), "{name}");
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let version = version.unwrap().trim_matches('"');
    assert!(dockerfile.contains(&format!("FROM rust:{version}-slim-bookworm ")), "{version}");
    assert!(dockerfile.contains("deploy/image/root.sh target/release /image"));
    let last = dockerfile.rsplit("\nFROM ").next().unwrap();
    assert!(last.starts_with("scratch\n"), "{last}");
    assert!(last.contains(&format!("\nUSER {USER}:{USER}\n")), "{last}");
    assert!(!last.contains("\nRUN "), "{last}");
}

/// A command inside `place`, as the image's user. Without root it is the user of a new namespace.
fn inside(place: &Path, arguments: &[&str]) -> Command {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = if is_root {
        let mut chroot = Command::new("chroot");
        chroot.arg(format!("--userspec={USER}:{USER}"));
        chroot
    } else {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "chroot"]);
        unshare
    };
    if is_root {
        let owner = format!("{USER}:{USER}");
        output(Command::new("chown").arg(owner).arg(place.join("data")));
    }
    command.arg(place).args(arguments).env_clear().env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin");
    command
}

#[test]
fn every_program_starts_in_the_image() {
    let (_folder, place) = build();
    for name in lines("image/programs") {
        let path = format!("/usr/local/bin/{name}");
        let help = output(&mut inside(&place, &[&path, "--help"]));
        assert!(help.contains("Usage:"), "{name}: {help}");
    }
}

/// A running program; killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Names are resolved by the library of the image, data are written to `/data` alone, and the
/// process ends by itself when it is asked to.
#[test]
fn proffer_serves_in_the_image_and_writes_to_its_data_folder_alone() {
    let (_folder, place) = build();
    // A runtime brings this file.
    fs::write(place.join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    let before = all_files(&place);
    let arguments = [
        "/usr/local/bin/proffer",
        "serve",
        "--listen=localhost:0",
        "--admin-listen=127.0.0.1:0",
        "--data=/data",
    ];
    let mut command = inside(&place, &arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let mut printed = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut printed).unwrap();
    let Some(base) = base_in(&printed) else {
        let mut errors = String::new();
        running.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        panic!("{printed}{errors}");
    };
    let address = base.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).unwrap();
    let call = format!("GET /api/v1 HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    socket.write_all(call.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    output(Command::new("kill").args(["-TERM", &running.0.id().to_string()]));
    assert!(running.0.wait().unwrap().success());
    let written: BTreeSet<_> = all_files(&place).difference(&before).cloned().collect();
    assert!(written.contains("data/policy.sqlite"), "{written:?}");
    assert!(written.iter().all(|path| path.starts_with("data/")), "{written:?}");
}
