//! The output of `paribus show`, as users and the program itself read it.

use std::process::Command;

use crate::common::{SMALL, Scratch};

impl Scratch {
    /// The output of `plan` for the command that a shown file names, typed into a shell.
    fn plan_as_typed(&self, shown: &str) -> String {
        let command = shown.lines().find_map(|line| line.strip_prefix("#     paribus run ")).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{} plan {command}", env!("CARGO_BIN_EXE_paribus"))]).current_dir(self.path());
        String::from_utf8(shell.output().unwrap().stdout).unwrap()
    }
}

/// The id in the comments of a shown run.
fn id(shown: &str) -> &str {
    shown.lines().find_map(|line| line.strip_prefix("# run_id ")).expect("a shown run has its id in a comment")
}

#[test]
fn a_file_is_shown_as_it_is_read() {
    assert_eq!(Scratch::with(SMALL).run("show small.toml").well().stdout, SMALL);
}

#[test]
fn the_file_of_a_run_has_that_run_alone_with_the_same_id() {
    let scratch = Scratch::with(SMALL);
    let shown = scratch.command("show small.toml").arg("adam, seed 1").output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    insta::assert_snapshot!(shown);
    scratch.write("adam.toml", &shown);
    let planned = scratch.run("plan adam.toml").well().stdout;
    assert!(planned.contains(": 1 run, 30 steps") && planned.contains(id(&shown)), "{planned}");
    // The reverse: shown again, it has the same settings.
    let again = scratch.run("show adam.toml adam").well().stdout;
    let settings = |text: &str| -> Vec<String> {
        let before_comment = |line: &str| line.split(" # ").next().unwrap_or_default().trim_end().to_owned();
        let is_setting = |line: &&str| !line.starts_with('#') && !line.starts_with("name = ");
        text.lines().filter(is_setting).map(before_comment).collect()
    };
    assert_eq!(settings(&again), settings(&shown));
}

#[test]
fn paths_are_found_wherever_the_file_is_saved() {
    let scratch = Scratch::new();
    std::fs::create_dir_all(scratch.path().join("a/data")).unwrap();
    std::fs::create_dir_all(scratch.path().join("b")).unwrap();
    scratch.write("a/data/points.csv", "x,y\n1,0.5\n2,0.7\n3,0.1\n");
    scratch.write(
        "a/points.toml",
        "data = { source = \"csv\", path = \"data/points.csv\", target = \"y\" }\nnetwork.hidden = []\n\
         train = { steps = 3, batch_size = 2, objective = \"mse\" }\noptimizer = \"sgd\"\n",
    );
    let shown = scratch.run("show a/points.toml sgd").well().stdout;
    scratch.write("b/sgd.toml", &shown);
    assert!(scratch.run("plan b/sgd.toml").well().stdout.contains(id(&shown)));
}

#[test]
fn a_part_of_a_script_cannot_stand_alone() {
    let scratch = Scratch::with(&format!("rng = {{ kind = \"numpy\", group = [\"optimizer\"] }}\n{SMALL}"));
    let shown = scratch.command("show small.toml").arg("adam, seed 1").output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    insta::assert_snapshot!(shown);
    scratch.write("small.toml", &shown);
    let planned = scratch.plan_as_typed(&shown);
    assert!(planned.contains("1 run of 4") && planned.contains(id(&shown)), "{planned}");
}

#[test]
fn the_command_that_is_shown_can_be_typed_into_a_shell() {
    let scratch = Scratch::with(
        "rng = 'numpy'\ndata = { source = 'csv', path = 'data.csv', target = 'y' }\nnetwork.hidden = []\n\
         train = { steps = 3, batch_size = 2, objective = 'mse' }\noptimizer = 'sgd'\n",
    );
    scratch.write("my data.csv", "x,y\n1,0.5\n2,0.7\n3,0.1\n");
    let mut command = scratch.command("show small.toml sgd --set");
    let shown = String::from_utf8(command.arg("data.path='my data.csv'").output().unwrap().stdout).unwrap();
    let planned = scratch.plan_as_typed(&shown);
    assert!(planned.contains("1 run") && planned.contains(id(&shown)), "{planned}");
}

#[test]
fn a_run_that_is_not_there_is_guessed() {
    let ran = Scratch::with(SMALL).run("show small.toml adan");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(ran.stderr);
}

#[test]
fn what_is_set_is_shown() {
    let scratch = Scratch::with(SMALL);
    let shown = scratch.run("show small.toml adam,\u{20}seed --set train.steps=7");
    assert_eq!(shown.code, 2, "one run is asked for: {shown:#?}");
    let id = "show small.toml --set train.steps=7 --set seeds=1 adam";
    let shown = scratch.run(id).well().stdout;
    assert!(shown.contains("steps = 7") && shown.contains("--set train.steps=7"), "{shown}");
}
