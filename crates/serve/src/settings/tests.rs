use std::{collections::HashMap, fs, path::PathBuf};

use clap::{CommandFactory as _, builder::BoolishValueParser};

use super::*;

/// Settings of every kind.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "thing")]
struct Thing {
    /// Where.
    #[arg(long, env = "THING_LISTEN", default_value = "127.0.0.1:1", value_parser = address)]
    listen: std::net::SocketAddr,
    /// How many.
    #[arg(long, env = "THING_MANY", default_value_t = 3,
        value_parser = clap::value_parser!(u64).range(1..=9))]
    many: u64,
    /// How much.
    #[arg(long, env = "THING_SHARE", default_value_t = 1.0)]
    share: f64,
    /// Loud.
    #[arg(long, env = "THING_LOUD", value_parser = BoolishValueParser::new())]
    loud: bool,
    /// Names.
    #[arg(long = "name", env = "THING_NAMES", value_delimiter = ',')]
    names: Vec<String>,
    #[command(flatten)]
    store: StoreSettings,
    #[command(flatten)]
    source: SourceSettings,
}

impl Checked for Thing {
    fn faults(&self) -> Vec<String> {
        let is_wrong = self.loud && self.many == 1;
        is_wrong.then(|| "--loud needs --many of 2 or more".to_owned()).into_iter().collect()
    }
}

struct World {
    folder: tempfile::TempDir,
    variables: HashMap<String, String>,
}

impl World {
    fn new(variables: &[(&str, &str)]) -> Self {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: variables.iter().map(pair).collect(),
        }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// With this file as the settings file.
    fn with_file(mut self, text: &str) -> Self {
        let path = self.file("thing.toml", text).display().to_string();
        self.variables.insert("PROFFER_CONFIG".to_owned(), path);
        self
    }

    fn read(&self, flags: &[&str]) -> Result<Option<Thing>, Refusal> {
        let words: Vec<OsString> =
            std::iter::once("thing").chain(flags.iter().copied()).map(OsString::from).collect();
        read(&words, &|name| self.variables.get(name).map(OsString::from))
    }

    fn right(&self, flags: &[&str]) -> Thing {
        self.read(flags).unwrap().unwrap()
    }

    /// The faults, without the folder of the test.
    fn faults(&self, flags: &[&str]) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        match self.read(flags) {
            Err(Refusal::Faults(faults)) => {
                faults.iter().map(|fault| fault.replace(&folder, "")).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let file = "many = 2\nlisten = \"127.0.0.1:2\"\nname = [\"a\", \"b\"]\nloud = true\n";
    let thing = World::new(&[]).right(&[]);
    assert_eq!((thing.many, thing.listen.port(), thing.loud), (3, 1, false));
    assert!(thing.names.is_empty() && thing.store.migrate);

    let world = World::new(&[]).with_file(&format!("{file}share = 0.25\n"));
    let thing = world.right(&[]);
    assert_eq!((thing.many, thing.listen.port(), thing.loud), (2, 2, true));
    assert!((thing.share - 0.25).abs() < 1e-9, "{}", thing.share);
    let whole = World::new(&[]).with_file("share = 0").right(&[]);
    assert!(whole.share.abs() < 1e-9, "{}", whole.share);
    assert_eq!(thing.names, ["a", "b"]);

    let variables = [
        ("THING_MANY", "4"),
        ("THING_NAMES", "c,d"),
        ("THING_LOUD", "no"),
        ("PROFFER_MIGRATE", "off"),
    ];
    let world = World::new(&variables).with_file(file);
    let thing = world.right(&[]);
    assert_eq!((thing.many, thing.listen.port(), thing.loud), (4, 2, false));
    assert_eq!(thing.names, ["c", "d"]);
    assert!(!thing.store.migrate);

    let thing = world.right(&["--many", "5", "--name", "e", "--name=f,g", "--loud"]);
    assert_eq!((thing.many, thing.listen.port(), thing.loud), (5, 2, true));
    assert_eq!(thing.names, ["e", "f", "g"]);
}

#[test]
fn every_fault_is_found_at_once_and_names_its_place_and_the_remedy() {
    let file = "listen = 8080\nmany = \"2\"\nloud = \"yes\"\nname = [1]\n\
                databse-url = \"x\"\ncolour = 1\ndata = \"/x\"\nmigrate = 1\n";
    let world = World::new(&[("PROFFER_MIGRATE", "perhaps")]).with_file(file);
    assert_eq!(
        world.faults(&["--many", "ten"]),
        [
            "thing.toml line 6: `colour` is no setting; `--help` lists the flags, whose names are \
             the keys",
            "thing.toml line 5: `databse-url` is no setting; did you mean `database-url`?",
            "thing.toml line 1: `listen` must be text in quotes",
            "thing.toml line 3: `loud` must be true or false, without quotes",
            "thing.toml line 2: `many` must be a whole number, without quotes",
            "thing.toml line 8: `migrate` must be true or false, without quotes",
            "thing.toml line 4: `name` must be a list of texts, such as [\"one\", \"two\"]",
            "--many `ten`: write a whole number",
            "PROFFER_MIGRATE `perhaps`: write true or false",
        ]
    );
    let world = World::new(&[("THING_LISTEN", "8080")]).with_file("many = 10\n\nlog = \"x\"");
    assert_eq!(
        world.faults(&[]),
        [
            "thing.toml line 3: `log` is no setting; `--help` lists the flags, whose names are the \
             keys",
            "THING_LISTEN `8080`: write an address and a port, for example 127.0.0.1:8080 or \
             localhost:8080",
            "thing.toml line 1: `many` `10`: write a whole number in 1..=9",
        ]
    );
}

#[test]
fn settings_that_are_right_one_by_one_are_checked_together_beside_other_faults() {
    let world = World::new(&[("THING_LOUD", "1"), ("THING_MANY", "1"), ("THING_LISTEN", "x")]);
    let faults = world.faults(&["--check-config"]);
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].starts_with("THING_LISTEN `x`: "), "{faults:?}");
    assert_eq!(faults[1], "--loud needs --many of 2 or more");
}

#[test]
fn a_check_of_right_settings_starts_nothing() {
    assert!(World::new(&[]).read(&["--check-config"]).unwrap().is_none());
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_named_with_its_line() {
    let world = World::new(&[]);
    let faults = world.faults(&["--config", "/nowhere/thing.toml"]);
    assert!(faults[0].starts_with("--config: cannot read /nowhere/thing.toml: "), "{faults:?}");
    let world = World::new(&[]).with_file("many = 2\nloud true\n");
    let faults = world.faults(&[]);
    assert!(faults[0].starts_with("thing.toml line 2: "), "{faults:?}");
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn a_secret_comes_from_a_file_without_its_one_line_end() {
    let url = "postgres://me:secret@localhost/thing";
    let of = |text: &str| {
        let mut world = World::new(&[]);
        let path = world.file("url", text).display().to_string();
        world.variables.insert("PROFFER_DATABASE_URL_FILE".to_owned(), path);
        world.right(&[]).store.place.database_url.unwrap().expose().to_owned()
    };
    assert_eq!(of(url), url);
    assert_eq!(of(&format!("{url}\n")), url);
    assert_eq!(of(&format!("{url}\r\n")), url);
    assert_eq!(of(&format!("{url} \n")), format!("{url} "));

    let mut world = World::new(&[]);
    let path = world.file("url", url).display().to_string();
    world = world.with_file(&format!("database-url-file = \"{path}\"\n"));
    let thing = world.right(&[]);
    assert_eq!(thing.store.place.database_url.unwrap().expose(), url);
    let other = "postgres://localhost/other";
    let thing = world.right(&["--database-url", other]);
    assert_eq!(thing.store.place.database_url.unwrap().expose(), other);
}

#[test]
fn a_secret_that_is_given_twice_names_both_places() {
    let variables = [
        ("PROFFER_DATABASE_URL", "postgres://me:secret@localhost/thing"),
        ("PROFFER_DATABASE_URL_FILE", "/nowhere"),
    ];
    assert_eq!(
        World::new(&variables).faults(&[]),
        ["PROFFER_DATABASE_URL and PROFFER_DATABASE_URL_FILE are both set: keep the one that \
             holds the secret, and unset the other"]
    );
    let file = "database-url = \"postgres://me:secret@localhost/thing\"\n\
                database-url-file = \"/nowhere\"\n";
    assert_eq!(
        World::new(&[]).with_file(file).faults(&[]),
        ["thing.toml line 2: `database-url-file` and `database-url` are both set: keep one \
             of them"]
    );
}

#[test]
fn a_secret_is_in_no_message_and_not_in_help() {
    let wrong = "mysql://me:secret@localhost/thing";
    let mut world = World::new(&[("PROFFER_DATABASE_URL", wrong)]);
    let path = world.file("url", wrong).display().to_string();
    let said = [
        world.faults(&[]),
        World::new(&[]).faults(&["--database-url", wrong]),
        World::new(&[]).with_file(&format!("database-url = \"{wrong}\"")).faults(&[]),
        World::new(&[]).with_file(&format!("database-url = \"{wrong}")).faults(&[]),
        World::new(&[("PROFFER_DATABASE_URL_FILE", &path)]).faults(&[]),
        World::new(&[("PROFFER_DATABASE_URL_FILE", "/nowhere")]).faults(&[]),
    ];
    for faults in said {
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(!faults[0].contains("secret"), "{faults:?}");
    }
    world.variables.insert("PROFFER_DATABASE_URL".to_owned(), wrong.replace("mysql", "postgres"));
    let shown = format!("{:?}", world.right(&[]));
    assert!(!shown.contains("secret"), "{shown}");
    let hidden = Thing::command().get_arguments().filter(|one| argument::is_secret(one)).count();
    assert_eq!(hidden, 1);
}

#[test]
fn an_unknown_flag_and_a_call_for_help_are_answered_as_usual() {
    for (flag, kind) in [
        ("--nonsense", clap::error::ErrorKind::UnknownArgument),
        ("--help", clap::error::ErrorKind::DisplayHelp),
    ] {
        match World::new(&[("THING_MANY", "ten")]).read(&[flag]) {
            Err(Refusal::Usage(error)) => assert_eq!(error.kind(), kind),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_table_has_a_row_for_every_setting_and_names_its_programs() {
    let table = settings_table(&[("one", Thing::command()), ("two", Thing::command())]);
    let row = |start: &str| table.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    assert_eq!(
        row("| `--many <MANY>`"),
        "| `--many <MANY>` | `THING_MANY` | `many` | `3` | all | How many |"
    );
    assert!(row("| `--database-url").contains("`PROFFER_DATABASE_URL_FILE`"));
    assert!(row("| `--config").contains("| `PROFFER_CONFIG` |  |"));
    assert!(!table.contains("check-config"));
    let other = settings_table(&[("one", Thing::command()), ("two", Command::new("two"))]);
    assert!(other.contains("| one |"), "{other}");
}
