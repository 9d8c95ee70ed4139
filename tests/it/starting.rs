//! A newcomer's first steps: help, templates, completions, manual pages.

use crate::common::Scratch;

const COMMANDS: &[&str] =
    &["init", "check", "plan", "list", "show", "run", "status", "diff", "reproduce", "schema", "completions", "man"];

/// The help for a terminal of unknown width.
fn help(arguments: &str) -> String {
    let scratch = Scratch::new();
    let output = scratch.command(arguments).env_remove("COLUMNS").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments}");
    assert_eq!(output.stderr, b"");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_teaches() {
    insta::assert_snapshot!("help", help("--help"));
    for &command in COMMANDS {
        insta::assert_snapshot!(format!("help_{command}"), help(&format!("{command} --help")));
    }
}

#[test]
fn every_command_says_what_it_writes_and_which_exit_codes_it_has() {
    let summary = help("-h");
    for &command in COMMANDS {
        assert!(summary.contains(&format!("\n  {command} ")), "{command} is not listed");
        let long = help(&format!("help {command}"));
        assert_eq!(long, help(&format!("{command} --help")));
        assert!(long.contains("\nExamples:\n  paribus "), "{long}");
        assert!(long.contains("\nWrites "), "{long}");
        assert!(long.contains("\nExit codes: "), "{long}");
        let short = help(&format!("{command} -h"));
        assert!(!short.contains("Examples:"), "{short}");
        assert!(short.lines().count() <= 30, "{short}");
    }
    // Commands that are listed but not tested here.
    let listed = summary.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
    let mut untested: Vec<&str> = names.filter(|name| !COMMANDS.contains(name)).collect();
    untested.retain(|name| *name != "help");
    assert_eq!(untested, [] as [&str; 0]);
}

#[test]
fn every_template_passes_its_check() {
    let scratch = Scratch::new();
    let list = scratch.run("init --list").well();
    let names: Vec<&str> = list.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 10, "{}", list.stdout);
    assert!(scratch.files("").is_empty(), "listing wrote something");
    for name in &names {
        let made = scratch.run(&format!("init my-{name} --template {name}")).well();
        assert_eq!(made.stdout, "");
        assert!(made.stderr.contains(&format!("`paribus run my-{name}.toml` trains them")), "{}", made.stderr);
        let text = std::fs::read_to_string(scratch.path().join(format!("my-{name}.toml"))).unwrap();
        let first: Vec<&str> = text.lines().take(12).collect();
        assert!(first.iter().any(|line| line.starts_with(&format!("#     paribus run my-{name}.toml "))), "{first:#?}");
        scratch.run(&format!("check my-{name}.toml")).well();
    }
    let plan = scratch.run("plan my-minimal.toml").well().stdout;
    assert!(plan.starts_with("my-minimal: 6 runs"), "{plan}");
}

#[test]
fn init_overwrites_nothing_and_takes_names_of_experiments_only() {
    let scratch = Scratch::new();
    scratch.run("init first").well();
    scratch.write("first.toml", "mine");
    for typed in ["first", "first.toml"] {
        let again = scratch.run(&format!("init {typed} --template ch6"));
        assert_eq!(again.code, 2);
        assert_eq!(
            again.stderr,
            "error: `first.toml` already exists\nhelp: choose another name, or move the file away\n"
        );
    }
    assert_eq!(std::fs::read_to_string(scratch.path().join("first.toml")).unwrap(), "mine");

    let unnamed = scratch.run("init -- -first");
    assert_eq!(unnamed.code, 2);
    assert!(unnamed.stderr.starts_with("error: `-first` is not a valid name: "), "{}", unnamed.stderr);
    let nowhere = scratch.run("init nowhere/second");
    assert_eq!(nowhere.code, 1);
    assert!(nowhere.stderr.starts_with("error: cannot write `nowhere/second.toml`: "), "{}", nowhere.stderr);
    let unknown = scratch.run("init second --template overfti");
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("a similar value exists: 'overfit'"), "{}", unknown.stderr);
    assert_eq!(scratch.files("").len(), 2, "the file and the schema");
    assert_eq!(
        std::fs::read_to_string(scratch.path().join("paribus.schema.json")).unwrap(),
        scratch.run("schema").well().stdout
    );
}

#[test]
fn every_shell_completes_every_command() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = scratch.run(&format!("completions {shell}")).well().stdout;
        for &command in COMMANDS {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
        // clap_complete gives the other two shells no values.
        assert_eq!(script.contains("overfit"), ["bash", "zsh", "fish"].contains(&shell), "templates in {shell}");
        scratch.write(shell, &script);
    }
    let bash = std::process::Command::new("bash").arg("-n").arg(scratch.path().join("bash")).output();
    let bash = bash.expect("there is a bash");
    assert!(bash.status.success() && bash.stderr.is_empty(), "{bash:?}");
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let scratch = Scratch::new();
    let page = scratch.run("man").well().stdout;
    assert!(page.contains(".TH paribus 1") && page.contains(".SH EXAMPLES"), "{page}");
    scratch.run("man pages/man1").well();
    assert_eq!(std::fs::read_to_string(scratch.path().join("pages/man1/paribus.1")).unwrap(), page);
    for &command in COMMANDS {
        let page = std::fs::read_to_string(scratch.path().join(format!("pages/man1/paribus-{command}.1"))).unwrap();
        assert!(page.contains(&format!(".TH paribus-{command} 1")), "{page}");
        let examples = page.split(".SH EXAMPLES\n.nf\n").nth(1).unwrap_or_else(|| panic!("{page}"));
        assert!(examples.starts_with("  paribus ") && examples.contains("\n.SH EXIT STATUS\n"), "{page}");
    }
}
