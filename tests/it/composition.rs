//! Experiments made from several parts: files that extend others, and arguments of `--set`.

use std::path::Path;

use paribus::file::Experiment;
use paribus::plan::Plan;
use proptest::prelude::*;

use crate::common::{Ran, SMALL, Scratch, settled};

/// The complete stderr of `paribus run small.toml` with these arguments of `--set`. Checks that nothing is written.
fn mistakes(files: &[(&str, &str)], set: &[&str]) -> String {
    let scratch = scratch(files);
    let ran = ran(&scratch, "run small.toml", set);
    assert_eq!(ran.code, 2, "{ran:#?}");
    assert_eq!(ran.stdout, "");
    assert_eq!(scratch.files("").len(), files.len(), "something was written");
    ran.stderr
}

/// The same for [`SMALL`] alone.
fn mistakes_of_set(set: &[&str]) -> String {
    mistakes(&[("small.toml", SMALL)], set)
}

fn scratch(files: &[(&str, &str)]) -> Scratch {
    let scratch = Scratch::new();
    for (name, text) in files {
        let folder = Path::new(name).parent().expect("a file is in a folder");
        std::fs::create_dir_all(scratch.path().join(folder)).expect("a folder can be made");
        scratch.write(name, text);
    }
    scratch
}

fn ran(scratch: &Scratch, command: &str, set: &[&str]) -> Ran {
    let mut command = scratch.command(command);
    set.iter().for_each(|argument| {
        command.args(["--set", argument]);
    });
    let output = command.output().expect("the program starts");
    Ran {
        stdout: String::from_utf8(output.stdout).expect("the program prints UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("the program prints UTF-8"),
        code: output.status.code().unwrap_or(-1),
    }
}

#[test]
fn bases_that_cannot_be_had() {
    let file = "extends = [\"base.tml\", \"sub\", 3, \"../elsewhere.toml\", \"latin.toml\", \"base.tml\"]\n";
    let scratch = scratch(&[("small.toml", file), ("base.toml", SMALL), ("sub/base.toml", SMALL)]);
    std::fs::write(scratch.path().join("latin.toml"), b"name = \"\xe4\"").expect("the file can be written");
    let ran = ran(&scratch, "check small.toml", &[]);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.stderr);
    insta::assert_snapshot!(mistakes(&[("small.toml", "extends = []")], &[]));
    insta::assert_snapshot!(mistakes(&[("small.toml", "extends = { file = \"base.toml\" }")], &[]));
}

#[test]
fn a_base_that_is_not_toml() {
    insta::assert_snapshot!(mistakes(
        &[
            ("small.toml", "extends = [\"sub/a.toml\", \"sub/b.toml\"]\n[train]\nsteps = 3\n"),
            ("sub/a.toml", "[data]\nsource = mnist\n"),
            ("sub/b.toml", "seeds = 3\nseeds = 4\n"),
        ],
        &[]
    ));
}

#[test]
fn characters_of_other_scripts_behind_a_value_are_shown() {
    let base = "extends = \"base.toml\"\n";
    let text =
        SMALL.replace("\"mnist\"", "\"mnist\"\u{a0}").replace("[20, 10]", "[20, 10]，").replace("[train]", "[train]é");
    insta::assert_snapshot!(mistakes(&[("small.toml", base), ("base.toml", &text)], &[]));
    insta::assert_snapshot!(mistakes_of_set(&["train.steps=[3]é"]));
}

#[test]
fn bases_that_lead_in_a_circle() {
    insta::assert_snapshot!(mistakes(&[("small.toml", "extends = \"./small.toml\"\n")], &[]));
    insta::assert_snapshot!(mistakes(
        &[
            ("small.toml", "extends = \"sub/a.toml\"\n"),
            ("sub/a.toml", "extends = [\"b.toml\"]\n"),
            ("sub/b.toml", "seeds = 3\nextends = [\"../c.toml\", \"a.toml\"]\n"),
            ("c.toml", SMALL),
        ],
        &[]
    ));
}

#[test]
fn bases_of_bases_without_end() {
    let names: Vec<String> = (0..20).map(|number| format!("{number:02}.toml")).collect();
    let texts: Vec<String> = (1..=20).map(|number| format!("extends = \"{number:02}.toml\"\n")).collect();
    let mut files: Vec<(&str, &str)> = vec![("small.toml", "extends = \"00.toml\"\n"), ("20.toml", SMALL)];
    files.extend(names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())));
    insta::assert_snapshot!(mistakes(&files, &[]));
    // Sixteen are allowed.
    files[0].1 = "extends = \"05.toml\"\n";
    assert_eq!(ran(&scratch(&files), "check small.toml", &[]).well().stdout, "small.toml: 4 runs, no mistakes\n");
}

#[test]
fn mistakes_in_a_base_are_shown_in_it() {
    let base = SMALL
        .replace("steps = 30", "step = 30")
        .replace("lr = 0.1", "lr = -0.1")
        .replace("train_rows = 500", "train_rows = 60001");
    let file = "extends = \"common/base.toml\"\n[train]\nbatch_size = 7.5\n[optimizer.momentum]\nmomentum = 2\n";
    insta::assert_snapshot!(mistakes(&[("small.toml", file), ("common/base.toml", &base)], &[]));
    let base = SMALL.replace("train_rows = 500", "train_rows = 60001");
    insta::assert_snapshot!(mistakes(&[("small.toml", "extends = \"base.toml\""), ("base.toml", &base)], &[]));
}

#[test]
fn a_base_and_a_file_that_contradict_each_other() {
    let file = "extends = \"base.toml\"\n[train]\nepochs = 3\nbatch_size = 1000\nsampling = \"shuffle\"\n";
    insta::assert_snapshot!(mistakes(&[("small.toml", file), ("base.toml", SMALL)], &[]));
    // Keys of one source do not go with another.
    let file = "extends = \"base.toml\"\n[data]\nsource = \"spiral\"\n[init.weights]\nkind = \"orthogonal\"\n\
                [optimizer.adam]\nkind = \"sgd\"\n";
    let base = SMALL
        .replace("[optimizer.adam]", "[optimizer.adam]\nbeta1 = 0.8")
        .replace("[record]", "[init.weights]\nkind = \"uniform\"\nbound = 0.1\n[record]")
        .replace("test_rows = 100", "")
        .replace("source = \"mnist\"", "source = \"normal\"\nfeatures = 3\nrows = 9");
    insta::assert_snapshot!(mistakes(&[("small.toml", file), ("base.toml", &base)], &[]));
    // The `kind` is not taken as that of all optimizers in the file.
    let base = SMALL.replace("[optimizer.sgd]\nlr = 0.1\n[optimizer.adam]", "[optimizer]\nkind = \"sgd\"");
    let file = "extends = \"base.toml\"\n[optimizer.adam]\n";
    insta::assert_snapshot!(mistakes(&[("small.toml", file), ("base.toml", &base)], &[]));
    insta::assert_snapshot!(mistakes(
        &[("small.toml", "extends = \"b.toml\"\n[train]\nsteps = []\n"), ("b.toml", "")],
        &[]
    ));
}

#[test]
fn keys_of_the_whole_file_stay_out_of_sections_and_variants() {
    let file = format!("{SMALL}[variant.a]\nextends = \"a.toml\"\n[train.extends]\n");
    insta::assert_snapshot!(mistakes(&[("small.toml", &file)], &[]));
}

#[test]
fn keys_to_set_that_are_not_there() {
    insta::assert_snapshot!(mistakes_of_set(&["train.step=3"]));
    insta::assert_snapshot!(mistakes_of_set(&["steps=3"]));
    insta::assert_snapshot!(mistakes_of_set(&["trian.steps=3", "network.activation=tanh", "sweep.trials=10"]));
    insta::assert_snapshot!(mistakes_of_set(&[
        "optimizer.sgd.learning_rate=1",
        "name.x=1",
        "optimizer.adam.learning_rate=1"
    ]));
    let several = SMALL.replace("[optimizer.adam]", "[optimizer.adam]\nlr = 0.01");
    insta::assert_snapshot!(mistakes(&[("small.toml", &several)], &["lr=0.2"]));
    // With a base too.
    let file = "extends = \"base.toml\"\nseeds = 1";
    insta::assert_snapshot!(mistakes(&[("small.toml", file), ("base.toml", SMALL)], &["optimizer.sdg.lr=1"]));
}

#[test]
fn keys_to_set_where_none_are() {
    insta::assert_snapshot!(mistakes_of_set(&["seeds.count=3", "record.evaluate.on.first=train"]));
    let listed = SMALL
        .replace("[optimizer.sgd]\nlr = 0.1\n[optimizer.adam]", "[init]")
        .replace("seeds = 2", "optimizer = [\"sgd\", \"adam\"]");
    insta::assert_snapshot!(mistakes(&[("small.toml", &listed)], &["optimizer.adam.lr=0.1"]));
}

#[test]
fn keys_to_add_that_nothing_has() {
    insta::assert_snapshot!(mistakes_of_set(&["+train.stepz=3", "+regularisation.l1=0.1", "+optimizer.sgd.beta1=0.9"]));
}

#[test]
fn values_to_set_that_are_not_accepted() {
    insta::assert_snapshot!(mistakes_of_set(&[
        "train.steps=many",
        "optimizer.sgd.lr=[0.1, -0.1]",
        "network.hidden=[[5], 6]",
        "+init.weights=hee",
        "name=a/b",
    ]));
    insta::assert_snapshot!(mistakes_of_set(&["train.batch_size=600", "+train.sampling=shuffle"]));
    insta::assert_snapshot!(mistakes_of_set(&["+train.epochs=2"]));
    // Together with a mistake in the file.
    let file = SMALL.replace("hidden = [20, 10]", "hiden = [20, 10]");
    insta::assert_snapshot!(mistakes(&[("small.toml", &file)], &["train.step=3", "seeds=none"]));
}

#[test]
fn values_to_set_that_are_not_toml() {
    insta::assert_snapshot!(mistakes_of_set(&["optimizer=[sgd, adam]"]));
    insta::assert_snapshot!(mistakes_of_set(&["+description=what I want to know"]));
    insta::assert_snapshot!(mistakes_of_set(&["network.hidden=[5, 6", "train.steps=1O", "data={source=\"digits\""]));
}

#[test]
fn arguments_of_set_that_are_none() {
    insta::assert_snapshot!(mistakes_of_set(&[
        "train.steps",
        "=5",
        "train..steps=5",
        "train.steps=",
        "seeds=1\ntrain.steps=2"
    ]));
    insta::assert_snapshot!(mistakes_of_set(&["+extends=base.toml"]));
}

#[test]
fn what_one_argument_sets_is_not_undone_by_another() {
    insta::assert_snapshot!(mistakes_of_set(&[
        "train.steps=5",
        "train.steps=6",
        "train={ steps = 7, batch_size = 5 }"
    ]));
}

#[test]
fn plan_tells_where_each_key_comes_from() {
    let file = "extends = [\"base.toml\", \"more.toml\"]\nname = \"composed\"\n[train]\nbatch_size = [25, 50]\n";
    let more = "[init]\nweights = [\"he\", 0.01]\n[optimizer]\nlr = 0.3\n";
    let scratch = scratch(&[("small.toml", file), ("base.toml", SMALL), ("more.toml", more)]);
    let set = ["train.steps=3", "record.evaluate.every=10", "init.weights=he", "+optimizer.adam.beta1=0.8"];
    insta::assert_snapshot!(settled(&ran(&scratch, "plan small.toml", &set).well().stdout));
}

#[test]
fn what_is_set_has_a_folder_of_its_own() {
    let scratch = Scratch::with(SMALL);
    let folder = |command: &str, set: &[&str]| {
        let ran = ran(&scratch, command, set).well();
        let found = ran.stdout.lines().rev().find_map(|line| line.strip_prefix("results in ")).map(str::to_owned);
        found.map(|found| found.split_whitespace().next().unwrap_or_default().to_owned())
    };
    let set = ["train.steps=3", "seeds=1"];
    let there = folder("run small.toml", &set).expect("run says where");
    assert!(there.starts_with("results/small@") && there.len() == "results/small@".len() + 6, "{there}");
    assert!(scratch.path().join(&there).join("experiment.toml").is_file());
    assert!(!scratch.path().join("results/small").exists());
    let text = std::fs::read_to_string(scratch.path().join(&there).join("experiment.toml")).expect("it can be read");
    insta::assert_snapshot!(text);
    // The text kept there is a different experiment from the file's own.
    let again = ran(&scratch, &format!("plan {there}/experiment.toml"), &[]).well().stdout;
    assert!(again.contains(&format!("results in {}", there.replace('@', "-"))), "{again}");
    assert!(ran(&scratch, &format!("reproduce {there}"), &[]).code == 0);
    assert!(ran(&scratch, &format!("status {there}"), &[]).code == 0);
    // In any order and spelling, and with an unchanged name.
    assert_eq!(folder("plan small.toml", &["seeds = 0x1", "+train.steps=3 # few"]).as_ref(), Some(&there));
    assert_eq!(folder("plan small.toml", &["name=small", set[0], set[1]]).as_ref(), Some(&there));
    // Settings that change no run do not change the folder.
    let silent = "+allow_warnings=[]";
    assert_eq!(folder("plan small.toml", &["+description=few", set[0], set[1]]).as_ref(), Some(&there));
    let experiment = Experiment::read_with(&scratch.path().join("small.toml"), &[silent.to_owned()]);
    assert_eq!(experiment.expect("there are no mistakes").mark, None);
    let planned = ran(&scratch, "plan small.toml", &set).well().stdout;
    assert!(planned.contains("\n2 finished (kept)\n"), "{planned}");
    let checked = ran(&scratch, "check small.toml small.toml", &["seeds=5"]).well().stdout;
    assert_eq!(checked, "small.toml: 10 runs, no mistakes\n".repeat(2));
    // Another name already means another folder, and so does `--results`.
    assert_eq!(folder("run small.toml", &["name=other", set[0], set[1]]).as_deref(), Some("results/other"));
    assert_eq!(folder("run small.toml --results here", &set).as_deref(), Some("here"));
    assert_ne!(folder("plan small.toml", &["train.steps=4", "seeds=1"]).as_ref(), Some(&there));
}

#[test]
fn a_file_that_is_made_from_nothing_else_is_kept_as_it_is() {
    let text = format!("# a comment\n{SMALL}");
    let scratch = Scratch::with(&text);
    let experiment = Experiment::read(&scratch.path().join("small.toml")).expect("there are no mistakes");
    assert_eq!((experiment.text, experiment.mark), (text, None));
}

#[test]
fn paths_of_data_start_at_the_file_that_says_them() {
    let table = "a,y\n1,0\n2,1\n3,0\n4,1\n";
    let base = "[data]\nsource = \"csv\"\npath = [\"d.csv\", \"../e.csv\"]\ntarget = \"y\"\n[network]\nhidden = [3]\n\
                [train]\nsteps = 1\n\
                batch_size = 2\n[optimizer.sgd]\n[variant.a]\n[variant.b.data]\npath = \"f.csv\"\n";
    let files = [
        ("in/small.toml", "extends = \"../common/base.toml\"\n[data]\ntest_path = { values = [\"t.csv\"] }\n"),
        ("common/base.toml", base),
        ("common/d.csv", table),
        ("common/f.csv", "a,y\n1,0\n2,1\n"),
        ("e.csv", "a,y\n3,0\n2,1\n"),
        ("in/t.csv", table),
    ];
    let scratch = scratch(&files);
    assert!(ran(&scratch, "check in/small.toml", &[]).well().stdout.starts_with("in/small.toml: 3 runs, no mistakes"));
    let experiment = Experiment::read(&scratch.path().join("in/small.toml")).expect("there are no mistakes");
    insta::assert_snapshot!(experiment.text);
    // Paths in `--set` are taken as if the file contained them.
    ran(&scratch, "check in/small.toml", &["data.path=t.csv"]).well();
    std::fs::remove_file(scratch.path().join("common/d.csv")).expect("the file can be removed");
    insta::assert_snapshot!(ran(&scratch, "check in/small.toml", &[]).stderr);
}

#[test]
fn paths_of_data_start_at_the_base_whatever_names_its_source() {
    let data = "path = \"d.csv\"\ntarget = \"y\"\n";
    let rest = "[network]\nhidden = [3]\n[train]\nsteps = 1\nbatch_size = 2\n[optimizer.sgd]\n";
    for base in [
        format!("[data]\nsource = {{ values = [\"csv\"] }}\n{data}{rest}"),
        format!("[data]\n{data}{rest}[variant.a.data]\nsource = \"csv\"\n"),
    ] {
        let scratch = scratch(&[
            ("small.toml", "extends = \"common/base.toml\"\n"),
            ("common/base.toml", &base),
            ("common/d.csv", "a,y\n1,0\n2,1\n3,0\n4,1\n"),
        ]);
        assert_eq!(runs(&read(&scratch, &[])).len(), 1);
    }
}

#[test]
fn silenced_warnings_stand_at_the_top_of_the_text() {
    let file = "extends = \"base.toml\"\nallow_warnings = []\n";
    let scratch = scratch(&[("small.toml", file), ("base.toml", SMALL)]);
    let text = read(&scratch, &[]).text;
    assert!(text.contains("\nallow_warnings = []\nseeds = 2\n"), "{text}");
    assert!(text.contains("\n[train]\n"), "{text}");
}

#[test]
fn a_base_that_is_reached_twice_counts_once() {
    let scratch = scratch(&[
        ("small.toml", "extends = [\"a.toml\", \"b.toml\"]\nname = \"small\"\n"),
        ("a.toml", "extends = \"base.toml\"\ntrain.steps = 1\n"),
        ("b.toml", "extends = \"base.toml\"\nseeds = 1\ndescription = \"of b\"\n"),
        ("base.toml", SMALL),
    ]);
    let experiment = Experiment::read(&scratch.path().join("small.toml")).expect("there are no mistakes");
    insta::assert_snapshot!(experiment.text);
}

#[test]
fn optimizers_are_merged_by_name_and_replaced_as_a_list() {
    let labels_of = |base: &str, file: &str, set: &[&str]| {
        let base = format!("data.source = 'mnist'\nnetwork.hidden = []\ntrain.steps = 1\n{base}");
        let scratch = scratch(&[("small.toml", &format!("extends = 'base.toml'\n{file}")), ("base.toml", &base)]);
        runs(&read(&scratch, set)).into_iter().map(|(_, label)| label).collect::<Vec<_>>()
    };
    let tables = "[optimizer.sgd]\nlr = [1, 2]\n[optimizer.adam]\n";
    assert_eq!(
        labels_of(tables, "[optimizer.adam]\nlr = [3, 4]\n[optimizer.lion]\n", &[]),
        ["sgd, lr=1", "sgd, lr=2", "adam, lr=3", "adam, lr=4", "lion"]
    );
    assert_eq!(labels_of(tables, "optimizer = ['lion', 'adam']", &[]), ["lion", "adam"]);
    assert_eq!(labels_of("optimizer = ['lion', 'adam']", tables, &[]), ["sgd, lr=1", "sgd, lr=2", "adam"]);
    assert_eq!(labels_of(tables, "optimizer = { sgd = {}, lion = {} }", &[]), ["sgd", "lion"]);
    assert_eq!(labels_of(tables, "", &["optimizer=lion"]), ["lion"]);
    // Optimizers that are only named can be given settings.
    assert_eq!(
        labels_of("optimizer = ['lion', 'adam']", "", &["+optimizer.adam.lr=[1, 2]"]),
        ["lion", "adam, lr=1", "adam, lr=2"]
    );
    assert_eq!(labels_of("optimizer = 'adam'", "", &["+optimizer.lr=[1, 2]"]), ["lr=1", "lr=2"]);
    assert_eq!(
        labels_of(
            "[variant.a]\noptimizer = 'adam'\n[variant.b.optimizer]\nkind = 'sgd'",
            "[variant.b.optimizer]\nlr = 3\n",
            &["variant.b.optimizer.lr=[1, 2]"]
        ),
        ["a", "b, lr=1", "b, lr=2"]
    );
}

#[test]
fn the_text_of_a_composed_experiment_keeps_optimizers_in_their_order() {
    let base = SMALL
        .replace("seeds = 2", "seeds = 2\nrng = { kind = \"numpy\", group = [\"optimizer\"] }")
        .replace("[optimizer.sgd]\nlr = 0.1\n", "");
    let file = "extends = \"base.toml\"\n[optimizer]\nsgd = { lr = 0.1 }\nlion = {}\n";
    let scratch = scratch(&[("small.toml", file), ("base.toml", &base)]);
    let composed = read(&scratch, &[]);
    scratch.write("small.toml", &composed.text);
    assert_eq!(runs(&read(&scratch, &[])), runs(&composed), "{}", composed.text);
}

#[test]
fn a_header_changes_a_table_in_braces_and_braces_replace_it() {
    let base = SMALL
        .replace("[train]\nbatch_size = 50\nsteps = 30\n", "")
        .replace("seeds = 2", "seeds = 2\ntrain = { steps = 30, batch_size = 50 }");
    let ids = |file: &str, set: &[&str]| {
        let scratch = scratch(&[("small.toml", &format!("extends = \"base.toml\"\n{file}")), ("base.toml", &base)]);
        runs(&read(&scratch, set))
    };
    let set = ids("", &["train.steps=5"]);
    assert_eq!(ids("[train]\nsteps = 5\n", &[]), set);
    assert_eq!(ids("train.steps = 5\n", &[]), set);
    assert_ne!(ids("train = { steps = 5 }\n", &[]), set);
    // A variant patches in the same way as a file.
    let ids_alone = |ids: Vec<(String, String)>| ids.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids_alone(ids("[variant.a.train]\nsteps = 5\n", &[])), ids_alone(set));
}

#[test]
fn the_experiments_of_the_repository_are_written_as_they_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let files =
        std::fs::read_dir(&folder).expect("the folder can be read").map(|entry| entry.expect("it is there").path());
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "toml")) {
        let parse = |set: &[String]| {
            Experiment::read_with(&file, set).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)))
        };
        let composed = parse(&["+description=another".to_owned()]);
        let again = Experiment::parse("again.toml", composed.text.clone(), "again", folder.clone());
        let again = again.unwrap_or_else(|mistakes| panic!("{}\n{}", mistakes.render(false), composed.text));
        assert_eq!(runs(&again), runs(&parse(&[])), "{}", composed.text);
    }
}

fn read(scratch: &Scratch, set: &[&str]) -> Experiment {
    let set: Vec<String> = set.iter().map(|&argument| argument.to_owned()).collect();
    let read = Experiment::read_with(&scratch.path().join("small.toml"), &set);
    read.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)))
}

/// The id and the label of each run, in the order of the plan.
fn runs(experiment: &Experiment) -> Vec<(String, String)> {
    let plan = Plan::new(experiment.clone());
    let plan = plan.unwrap_or_else(|mistakes| panic!("{}\n{}", mistakes.render(false), experiment.text));
    plan.runs().map(|run| (run.id().to_string(), run.label())).collect()
}

/// Lines that can each be in one file or the other: key and value.
const LINES: [(&str, &str); 17] = [
    ("seeds", "[3, 1]"),
    ("data.source", "'mnist'"),
    ("data.train_rows", "[100, 200]"),
    ("network.hidden", "[[4], [3, 2]]"),
    ("network.dropout", "0.5"),
    ("init.weights", "['he', 0.1]"),
    ("train.steps", "10"),
    ("train.batch_size", "{ linspace = [10, 20, 2] }"),
    ("optimizer.eps", "1e-9"),
    ("optimizer.rmsprop.lr", "[0.1, 0.01]"),
    ("optimizer.adagrad", "{ lr = 0.3 }"),
    ("optimizer.adam.beta1", "{ uniform = [0.5, 0.9] }"),
    ("optimizer.\"adam.2\".kind", "'adam'"),
    ("record.evaluate", "{ on = ['train'], every = 5 }"),
    ("sweep.trials", "2"),
    ("variant.a.train.steps", "[5, 6]"),
    ("variant.b.regularization", "{ l1 = 0.5 }"),
];

fn text(lines: &[(&str, &str)]) -> String {
    lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
}

/// What a slip of the finger, an editor or a web page may insert in the wrong place.
fn slip() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[\\[\\]{}=.,:\"'#\\\\\r\n 0-9a-z-]{1,2}",
        "[é，＝“„\u{a0}\u{200b}\u{3000}\u{feff}😀]{1,2}",
        any::<String>(),
    ]
}

/// Checks that every mistake in what was read can be shown.
fn is_rendered(read: Result<Experiment, paribus::file::Mistakes>) -> Result<(), TestCaseError> {
    match read {
        Ok(experiment) => {
            let is_sound = experiment.is_sound();
            let shown = experiment.into_mistakes(Vec::new()).render(false);
            prop_assert_eq!(shown.contains("error: "), !is_sound);
        }
        Err(mistakes) => prop_assert!(mistakes.render(false).contains("error: ")),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn moving_keys_into_a_base_keeps_ids_and_labels(
        of_base in prop::array::uniform17(any::<bool>()),
        first in 0usize..=17,
    ) {
        let whole = runs(&read(&scratch(&[("small.toml", &text(&LINES))]), &[]));
        // Moving the first lines keeps even the order.
        let file = format!("extends = 'base.toml'\n{}", text(&LINES[first..]));
        let composed = read(&scratch(&[("small.toml", &file), ("base.toml", &text(&LINES[..first]))]), &[]);
        prop_assert_eq!(runs(&composed), whole.clone());
        // Moving any lines may change the order of the axes.
        let (base, file): (Vec<_>, Vec<_>) = LINES.iter().zip(of_base).partition(|(_, of_base)| *of_base);
        let [base, file] = [base, file].map(|lines| text(&lines.into_iter().map(|(line, _)| *line).collect::<Vec<_>>()));
        let scratch = scratch(&[("small.toml", &format!("extends = 'base.toml'\n{file}")), ("base.toml", &base)]);
        let words = |runs: Vec<(String, String)>| {
            let mut runs: Vec<(String, Vec<String>)> = runs
                .into_iter()
                .map(|(id, label)| {
                    let mut words: Vec<String> = label.split(", ").map(str::to_owned).collect();
                    words.sort();
                    (id, words)
                })
                .collect();
            runs.sort();
            runs
        };
        prop_assert_eq!(words(runs(&read(&scratch, &[]))), words(whole));
    }

    #[test]
    fn any_argument_of_set_is_understood_or_refused(
        arguments in prop::collection::vec(
            prop_oneof![
                "[+a-c.\"'=\\[\\]{}, ä#\n0-9]{0,12}",
                "\\+?(train|optimizer|seeds)(\\.[a-s]{1,5}){0,2}=[\\[{\"a-d1é,=\\]}]{0,6}",
                any::<String>(),
            ],
            1..4,
        ),
    ) {
        let scratch = Scratch::with(SMALL);
        let read = Experiment::read_with(&scratch.path().join("small.toml"), &arguments);
        is_rendered(read)?;
    }

    #[test]
    fn any_slip_in_a_file_is_shown_without_a_panic(
        slips in prop::collection::vec((any::<prop::sample::Index>(), 0usize..3, slip()), 1..4),
        in_base in any::<bool>(),
    ) {
        let mut characters: Vec<char> = SMALL.chars().collect();
        for (at, replaced, slip) in slips {
            let at = at.index(characters.len());
            let end = (at + replaced).min(characters.len());
            characters.splice(at..end, slip.chars());
        }
        let text: String = characters.into_iter().collect();
        let file = if in_base { "extends = 'base.toml'" } else { &text };
        let scratch = scratch(&[("small.toml", file), ("base.toml", &text)]);
        is_rendered(Experiment::read_with(&scratch.path().join("small.toml"), &[]))?;
    }

    #[test]
    fn what_is_set_is_what_would_be_written(
        values in prop::collection::btree_map(0usize..8, 0usize..3, 0..4),
        in_base in any::<bool>(),
    ) {
        const OTHERS: [(&str, [&str; 3]); 8] = [
            ("seeds", ["2", "[7]", "1"]),
            ("data", ["{ source = 'digits', test_share = 0.2 }", "'mnist'", "{ source = 'mnist', train_rows = 50 }"]),
            ("network.hidden", ["[5]", "[[5], [6]]", "[]"]),
            ("init.weights", ["'xavier'", "0.5", "{ kind = 'uniform', bound = 0.1 }"]),
            ("train.steps", ["3", "[3, 4]", "{ values = [7] }"]),
            ("optimizer.rmsprop.lr", ["0.5", "{ log_uniform = [0.01, 0.1] }", "[1, 2, 3]"]),
            ("variant.a.train.steps", ["8", "[8, 9]", "{ geomspace = [1, 100, 3] }"]),
            ("sweep.trials", ["1", "3", "2"]),
        ];
        let changes: Vec<(&str, &str)> = values.into_iter().map(|(key, value)| (OTHERS[key].0, OTHERS[key].1[value])).collect();
        let mut edited: Vec<(&str, &str)> = Vec::new();
        for (key, value) in LINES {
            let section = changes.iter().find(|(changed, _)| key == *changed || key.starts_with(&format!("{changed}.")));
            match section {
                Some(change) if edited.contains(change) => {}
                Some(change) => edited.push(*change),
                None => edited.push((key, value)),
            }
        }
        let arguments: Vec<String> = changes.iter().rev().map(|(key, value)| format!("{key}={value}")).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let lines = text(&LINES);
        let set = if in_base {
            read(&scratch(&[("small.toml", "extends = 'base.toml'"), ("base.toml", &lines)]), &arguments)
        } else {
            read(&scratch(&[("small.toml", &lines)]), &arguments)
        };
        let expected = runs(&read(&scratch(&[("small.toml", &text(&edited))]), &[]));
        prop_assert_eq!(runs(&set), expected);
        prop_assert_eq!(set.mark.is_some(), !changes.is_empty());
    }

    #[test]
    fn the_text_of_a_composed_experiment_is_read_as_the_same(
        of_base in prop::array::uniform17(any::<bool>()),
        set in 0usize..4,
        has_variants in any::<bool>(),
    ) {
        // The text moves no lines if there are variants, so experiments with and without them are tested.
        let lines = LINES.iter().zip(of_base).filter(|((key, _), _)| has_variants || !key.starts_with("variant"));
        let (base, file): (Vec<_>, Vec<_>) = lines.partition(|(_, of_base)| *of_base);
        let [base, file] = [base, file].map(|lines| text(&lines.into_iter().map(|(line, _)| *line).collect::<Vec<_>>()));
        let scratch = scratch(&[("small.toml", &format!("extends = 'base.toml'\n{file}")), ("base.toml", &base)]);
        let arguments =
            ["train={ steps = 1, batch_size = [10, 20] }", "+network.batch_norm=[true, false]", "+optimizer.lr=0.5"];
        let composed = read(&scratch, &arguments[..set]);
        scratch.write("again.toml", &composed.text);
        let again = Experiment::read(&scratch.path().join("again.toml"));
        let again = again.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
        prop_assert_eq!(runs(&again), runs(&composed));
        prop_assert_eq!(again.folder_name(), composed.folder_name().replace('@', "-"));
        prop_assert_eq!(again.seeds, composed.seeds);
    }
}
