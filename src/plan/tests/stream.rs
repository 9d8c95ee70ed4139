//! The stream of cells finds the same as reading each cell separately; excluded cells are in no plan.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;

use super::{ids, labels, plan};
use crate::file::{Experiment, Section, SectionSet, Sections, Under};
use crate::plan::contradiction::Contradiction;
use crate::plan::exclude::Exclusion;
use crate::plan::lower::{Known, Lowered};
use crate::plan::odometer::Odometer;
use crate::plan::*;
use crate::value::Choice;
use crate::value::problem::Problem;
use engine::spec::RunSpec;

const LEAST: &str = "data.source = 'mnist'\nnetwork.hidden = []\n";

fn with(rest: &str) -> String {
    format!("{LEAST}{rest}")
}

fn mistakes(text: &str) -> String {
    let experiment = Experiment::parse("test.toml", text.to_owned(), "test", std::path::PathBuf::new());
    experiment.and_then(Plan::new).err().map_or_else(String::new, |mistakes| mistakes.render(false))
}

/// A cell, read separately.
struct Alone {
    spec: RunSpec,
    choice: Choice,
    settings: Vec<(&'static str, String)>,
    contradictions: Vec<Contradiction>,
}

/// The cells that are not excluded, in the order of the file, each read as a whole and lowered from scratch.
fn one_by_one(experiment: &Experiment) -> Vec<Alone> {
    let space = Space::of(experiment).unwrap();
    let mut exclusion = Exclusion::of(experiment).unwrap();
    let mut all = Vec::new();
    for index in 0..space.size().unwrap() {
        let odometer = Odometer::at(experiment, &space, index);
        let file = super::file_under(experiment, odometer.choice());
        let sections = Sections {
            data: file.data,
            network: file.network,
            function: file.function,
            init: file.init,
            regularization: file.regularization,
            optimizer: Some(file.optimizer),
            train: Some(file.train),
            record: file.record,
        };
        let mut lowered = Lowered::default();
        lowered.update(&sections, SectionSet::ALL, &Known::default());
        let marks = exclusion.of_axes(&odometer).and(exclusion.of_settings(lowered.settings()));
        if exclusion.leaves_out(marks) {
            continue;
        }
        let settings = lowered.settings().map(|(name, value)| (name, format!("{value:?}"))).collect();
        let contradictions = lowered.contradictions(&sections);
        let choice = odometer.choice().clone();
        all.push(Alone { choice, settings, contradictions, spec: lowered.into_spec().unwrap() });
    }
    all
}

/// The place of a mistake, and its message.
type Mistake = (String, String);

fn place(problem: &Problem) -> String {
    format!("{:?}", problem.origin)
}

/// The mistakes of all cells, each read as a whole. Those that are told as one have the same key.
fn mistakes_one_by_one(experiment: &Experiment) -> BTreeMap<(String, String), BTreeSet<Mistake>> {
    let mut wrong: BTreeMap<_, BTreeSet<Mistake>> = BTreeMap::new();
    for cell in one_by_one(experiment) {
        for found in cell.contradictions {
            let rule = found.rule_of_generated(experiment, &cell.choice);
            let Some(problem) = found.into_problem(experiment, &cell.choice) else { continue };
            let what = rule.map_or_else(|| problem.message.clone(), |rule| format!("{rule:?}"));
            wrong.entry((place(&problem), what)).or_default().insert((place(&problem), problem.message));
        }
    }
    wrong
}

/// The stream finds the same as reading each cell separately.
fn agrees(plan: &Plan) {
    let seeds = plan.experiment.seeds.get();
    let alone = one_by_one(&plan.experiment);
    let all = plan.space.size().unwrap() as u64;
    assert_eq!(alone.len() as u64 + plan.excluded(), all);
    assert_eq!((plan.len() / seeds.len()) as u64 + plan.duplicates() + plan.excluded(), all);
    let mut seen = HashSet::new();
    let different: Vec<&Alone> = alone
        .iter()
        .filter(|cell| {
            let mut settings = cell.settings.clone();
            settings.sort();
            seen.insert(settings)
        })
        .collect();
    assert_eq!(different.len() * seeds.len(), plan.len());
    let is_script = plan.experiment.rng != engine::random::Rng::Paribus;
    for (run, cell) in plan.runs().zip(different.iter().flat_map(|cell| seeds.iter().map(move |_| cell))) {
        assert_eq!((run.steps(), run.cost()), (cell.spec.steps(), Cost::of(&cell.spec)));
        let spec = cell.spec.with_seed(run.seed());
        if !is_script {
            assert_eq!(run.id(), spec.settings().run_id(spec.fingerprint()));
            assert_eq!(run.spec(), spec);
        } else {
            let spec = run.spec();
            assert_eq!(run.id(), spec.settings().run_id(spec.fingerprint()));
        }
    }
    let counted: u64 = plan.shapes(plan.runs()).iter().map(|shape| shape.cells).sum();
    assert_eq!(counted, plan.len() as u64);
}

#[test]
fn every_experiment_that_is_shipped_is_streamed_as_its_cells_are() {
    for path in std::fs::read_dir("experiments").unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|extension| extension == "toml") {
            agrees(&Experiment::read(&path).and_then(Plan::new).unwrap());
        }
    }
}

#[test]
fn what_a_condition_holds_for_is_left_out() {
    let grid =
        "train.steps = 5\n[optimizer]\nlr = [0.1, 0.01, 0.001]\n[optimizer.sgd]\n[optimizer.fast]\nkind = 'adam'\n";
    let excluding = |exclude: &str| labels(&with(&format!("sweep.exclude = {exclude}\n{grid}")));
    let all = labels(&with(grid));
    assert_eq!(all.len(), 6);
    assert_eq!(excluding("[{ optimizer = 'sgd', lr = 0.001 }]"), [&all[..2], &all[3..]].concat());
    assert_eq!(excluding("[{ optimizer = 'sgd', lr = [0.1, 0.001] }]"), [&all[1..2], &all[3..]].concat());
    assert_eq!(
        excluding("[{ lr = { above = 0.001, below = 0.1 } }]"),
        ["sgd, lr=0.1", "sgd, lr=0.001", "fast, lr=0.1", "fast, lr=0.001"]
    );
    // By its name in the file, by its kind, and by a setting that is not an axis.
    assert_eq!(excluding("[{ optimizer = 'fast' }]"), all[..3]);
    assert_eq!(excluding("[{ optimizer = 'adam' }]"), all[..3]);
    assert_eq!(excluding("[{ beta1 = 0.9 }]"), all[..3]);
    assert_eq!(excluding("[{ optimizer = 'sgd' }, { lr = { below = 0.05 } }]"), ["fast, lr=0.1"]);
    // A condition on settings matches cells that another one excludes by their axes.
    assert_eq!(excluding("[{ optimizer = 'fast' }, { beta1 = 0.9 }]"), all[..3]);
    assert_eq!(
        excluding("[{ lr = [0.1, 0.01] }, { optimizer = 'fast', lr = 0.1, beta1 = 0.9 }]"),
        [&all[2], &all[5]].map(String::clone)
    );
}

#[test]
fn lists_are_left_out_as_they_are_written() {
    let excluding = |hidden: &str| {
        labels(&format!(
            "data.source = 'mnist'\nnetwork.hidden = [[20, 20], [20], [10, 5]]\ntrain.steps = 5\noptimizer = 'sgd'\n\
             sweep.exclude = [{{ hidden = {hidden} }}]"
        ))
    };
    let [all, one, other] = ["hidden=20-20", "hidden=20", "hidden=10-5"];
    assert_eq!(excluding("[20, 20]"), [one, other]);
    assert_eq!(excluding("[10, 5]"), [all, one]);
    assert_eq!(excluding("'20-20'"), [one, other]);
    assert_eq!(excluding("[[20, 20], [10, 5]]"), [one]);
    assert_eq!(excluding("20"), [all, other]);
}

#[test]
fn leaving_out_changes_no_id_of_what_is_left() {
    let grid = "train.steps = 5\nseeds = 2\ninit.weights = ['he', 0.1]\noptimizer = { kind = 'sgd', lr = [0.1, 0.01] }";
    let all = ids(&with(grid));
    let left = ids(&with(&format!("sweep.exclude = [{{ weights = 'he', lr = 0.01 }}]\n{grid}")));
    assert_eq!(left, [&all[..2], &all[4..]].concat());
}

#[test]
fn spaced_numbers_are_left_out_by_what_labels_call_them() {
    let text = with(
        "train.steps = 5\nsweep.exclude = [{ lr = 0.0316 }]\n\
         optimizer = { kind = 'sgd', lr = { geomspace = [1.0, 0.001, 3] } }",
    );
    assert_eq!(labels(&text), ["lr=1", "lr=0.001"]);
}

#[test]
fn a_contradiction_can_be_left_out() {
    let grid = "data.source = 'mnist'\noptimizer = 'sgd'\nnetwork = { hidden = [5], batch_norm = [false, true] }\n\
                train = { steps = 5, batch_size = [1, 10] }";
    assert!(mistakes(grid).contains("batch normalization needs batches of at least two rows"));
    let left = format!("sweep.exclude = [{{ batch_norm = true, batch_size = 1 }}]\n{grid}");
    assert_eq!(labels(&left).len(), 3);
    agrees(&plan(&left));
}

#[test]
fn conditions_that_leave_out_nothing_are_mistakes() {
    let with = |exclude: &str| {
        mistakes(&with(&format!(
            "seeds = 2\ntrain.steps = 5\nsweep.exclude = {exclude}\noptimizer = {{ kind = 'sgd', lr = [0.1, 0.01] }}"
        )))
    };
    insta::assert_snapshot!(with("[{ lr = 0.5 }]"));
    insta::assert_snapshot!(with("[{ learning_rate = 0.1 }, { lrr = 0.1 }]"));
    insta::assert_snapshot!(with("[{ lr = 0.1, steps = 5 }, { lr = 0.1, optimizer = 'adam' }]"));
    insta::assert_snapshot!(with("[{ seed = 1, lr = 0.1 }]"));
    insta::assert_snapshot!(with("[{ lr = [0.1, 0.01] }]"));
    insta::assert_snapshot!(with("[{}, 3, { lr = [] }, { lr = { over = 1 } }, { lr = {} }]"));
}

/// A file with single and combined axes, perhaps with variants, trials, precision and exclusions.
fn file() -> impl Strategy<Value = String> {
    let lrs = prop::sample::subsequence(vec!["0.1", "0.01", "1e-3"], 1..=3);
    let batches = prop::sample::subsequence(vec!["1", "10", "20"], 1..=3);
    let decays = prop::sample::subsequence(vec!["0", "0.1", "0.1", "0.0"], 1..=4);
    let rest = prop::sample::subsequence(
        vec![
            "network.batch_norm = [false, true]",
            "train.precision = ['f32', 'f64']",
            "init.weights = ['he', 0.1, { kind = 'uniform', bound = 0.1 }]",
            "init.bias = [0.0, 0.1]",
            "regularization.l1 = { uniform = [0.0, 1.0] }\nsweep.trials = 3",
            "variant.a = {}\nvariant.b.regularization.weight_decay = 0.5\nvariant.c.train.epochs = [1, 2]",
            "optimizer.adam.beta1 = [0.9, 0.8]\noptimizer.adam.beta2 = [0.9, 0.99]",
            "optimizer.slow = { kind = 'sgd', lr = 0.001 }",
            "optimizer.warm = { kind = 'sgd', warm_up = [1, 2], schedule = 'cosine' }",
            "optimizer.own = { kind = 'sgd', lr = { uniform = [0.5, 0.6] } }\n\
             optimizer.other = { kind = 'momentum', lr = { uniform = [1e-45, 1e-38] }, momentum = { uniform = [0.1, \
             0.2] } }\nsweep.trials = 2",
            "optimizer.third = { kind = 'sgd', lr = [0.3, 1e-40, 0.5] }\nregularization.clip_norm = [1.0, 2.0, 1e-40]\n\
             sweep.zip = [['lr', 'clip_norm']]",
        ],
        0..=6,
    );
    let exclude = prop::sample::select(vec![
        "",
        "sweep.exclude = [{ batch_size = 1, batch_norm = true }]",
        "sweep.exclude = [{ batch_norm = true }, { lr = 0.1 }]",
        "sweep.exclude = [{ weight_decay = { above = 0 } }]",
        "sweep.exclude = [{ optimizer = 'sgd', lr = { below = 0.05 } }, { beta1 = 0.8, beta2 = 0.9 }]",
    ]);
    (lrs, batches, decays, rest, exclude, 1..3).prop_map(|(lrs, batches, decays, rest, exclude, seeds)| {
        format!(
            "seeds = {seeds}\ndata.source = 'digits'\nnetwork.hidden = [5]\ntrain.batch_size = [{}]\n\
             regularization.weight_decay = [{}]\n\
             {exclude}\noptimizer.sgd.lr = [{}]\n{}\n{}",
            batches.join(", "),
            decays.join(", "),
            if rest.iter().any(|line| line.contains("zip")) { "0.1, 0.2, 0.4".to_owned() } else { lrs.join(", ") },
            if rest.iter().any(|line| line.starts_with("variant")) {
                "variant.a.train.steps = 3\nvariant.b.train.steps = 4"
            } else {
                "train.steps = 5"
            },
            once(&rest.join("\n").replace("variant.a = {}\n", "")),
        )
    })
}

/// The text with `sweep.trials` only once.
fn once(text: &str) -> String {
    let (mut lines, mut seen): (Vec<&str>, bool) = (Vec::new(), false);
    for line in text.lines() {
        if !(line.starts_with("sweep.trials") && std::mem::replace(&mut seen, true)) {
            lines.push(line);
        }
        seen |= line.starts_with("sweep.trials");
    }
    lines.join("\n")
}

#[test]
fn optimizers_with_values_of_their_own_are_told_apart() {
    let zipped = |last: &str| {
        format!(
            "data.source='digits'\nnetwork.hidden=[5]\ntrain.steps=5\nregularization.weight_decay=[0.1,0.2]\n\
             sweep.zip=[['lr','weight_decay']]\n\
             optimizer.a={{kind='sgd',lr=[0.1,0.2]}}\noptimizer.b={{kind='sgd',lr=[0.3,{last}]}}"
        )
    };
    assert!(mistakes(&zipped("1e-40")).contains("outside the range of f32"));
    agrees(&plan(&zipped("0.4")));
    let drawn = "data.source='digits'\nnetwork.hidden=[5]\ntrain.steps=5\nsweep.trials=4\n\
                 regularization.l1={uniform=[0,1]}\n\
                 [optimizer.sgd]\nlr={log_uniform=[1e-3,1.0]}\n[optimizer.adam]\nlr={log_uniform=[1e-5,1e-2]}\n\
                 beta1={uniform=[0.5,0.9]}\n\
                 [optimizer.twin]\nkind='sgd'\nlr={log_uniform=[1e-5,1e-2]}";
    agrees(&plan(drawn));
    assert_eq!(plan(drawn).duplicates(), 0);
}

#[test]
fn generated_numbers_that_break_one_rule_are_reported_once() {
    let data = |rest: &str| format!("network.hidden = []\ntrain.steps = 5\noptimizer = 'sgd'\n{rest}");
    let told = |text: &str| mistakes(&data(text)).matches("error:").count();
    let shuffled = "data = { source = 'normal', rows = 30, features = 4, classes = 2 }\ntrain.sampling = 'shuffle'\n";
    let with_batch_size = |size: &str| told(&format!("{shuffled}train.batch_size = {size}"));
    assert_eq!(with_batch_size("{ linspace = [31, 80, 50] }"), 1);
    assert_eq!(with_batch_size("{ int_uniform = [31, 80] }\nsweep.trials = 50"), 1);
    assert_eq!(with_batch_size("[31, 32]"), 2);
    // The rows of a spiral are a multiple of its arms.
    let with_rows = |rows: &str| told(&format!("data = {{ source = 'spiral', rows = {rows} }}"));
    assert_eq!(with_rows("{ linspace = [300, 351, 52] }"), 1);
    assert_eq!(with_rows("{ int_uniform = [300, 351] }\nsweep.trials = 50"), 1);
}

#[test]
fn generated_numbers_elsewhere_hide_no_mistake() {
    let told = |text: &str| {
        ["[0.1, 0.2]", "{ linspace = [0.1, 0.2, 2] }", "{ uniform = [0.1, 0.2] }\nsweep.trials = 2"].map(|lr| {
            let said = mistakes(&format!("{text}\ntrain.steps = 5\noptimizer.kind = 'sgd'\noptimizer.lr = {lr}"));
            (said.matches("error:").count(), said)
        })
    };
    let files = "network.hidden = []\ndata = { source = 'csv', path = ['b.csv', 'c.csv'], target = 'y' }";
    for (count, said) in told(files) {
        assert!(count == 2 && said.contains("b.csv") && said.contains("c.csv"), "{said}");
    }
    let normal = "source = 'normal', rows = 80, features = 4, classes = 2";
    let layers = "[{ kind = 'leaky-relu', slope = 1e-40 }, { kind = 'elu', alpha = 1e-41 }, { kind = 'affine' }]";
    for (count, said) in told(&format!("data = {{ {normal} }}\nnetwork.layers = {layers}")) {
        assert!(count == 2 && said.contains("slope") && said.contains("alpha"), "{said}");
    }
    let shuffled = "network.hidden = []\ntrain.sampling = 'shuffle'\ntrain.batch_size = 100";
    for (count, said) in told(&format!("{shuffled}\ndata = {{ {normal}, train_rows = [50, 60] }}")) {
        assert!(count == 2 && said.contains("there are 50") && said.contains("there are 60"), "{said}");
    }
    let variants = "variant.a.data.train_rows = 50\nvariant.b.data.train_rows = 60";
    for (count, said) in told(&format!("{shuffled}\ndata = {{ {normal} }}\n{variants}")) {
        assert!(count == 2 && said.contains("the variant `a`") && said.contains("the variant `b`"), "{said}");
    }
}

#[test]
fn too_many_conditions_are_refused_at_their_place() {
    let conditions: Vec<String> = (0..129).map(|number| format!("{{ lr = {number} }}")).collect();
    let grid = format!("train.steps = 5\noptimizer = 'sgd'\nsweep.exclude = [{}]", conditions.join(", "));
    let said = mistakes(&with(&grid));
    assert!(said.contains("names more than 128 settings") && said.contains("test.toml:5"), "{said}");
}

#[test]
fn a_mistake_names_its_variants_in_the_order_of_the_file() {
    let variants = "variant.b.data.train_rows = 50\nvariant.c = {}\nvariant.a.data.train_rows = 50";
    let said = mistakes(&format!(
        "data = {{ source = 'normal', rows = 200, features = 4, classes = 2 }}\nnetwork.hidden = []\n{variants}\n\
         train = {{ sampling = 'shuffle', batch_size = 100, steps = 5 }}\noptimizer = 'sgd'"
    ));
    assert!(said.contains("this applies to the variants `b` and `a`"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A stream finds every cell, and every mistake in any of them.
    #[test]
    fn a_stream_finds_what_its_cells_are(text in file()) {
        let experiment = Experiment::parse("test.toml", text.clone(), "test", std::path::PathBuf::new()).unwrap();
        let wrong = mistakes_one_by_one(&experiment);
        let of_the_file = experiment.clone().into_mistakes(Vec::new()).problems.len();
        match Plan::new(experiment) {
            Ok(plan) => {
                prop_assert!(wrong.is_empty(), "{}", text);
                agrees(&plan);
            }
            // A condition that matches nothing is a mistake of the file, not of a cell.
            Err(mistakes) if wrong.is_empty() => {
                prop_assert!(of_the_file > 0 || mistakes.render(false).contains("exclude"), "{}", text);
            }
            Err(mistakes) => {
                let of_cells = &mistakes.problems[of_the_file..];
                let told: BTreeSet<Mistake> =
                    of_cells.iter().map(|problem| (place(problem), problem.message.clone())).collect();
                let all: BTreeSet<&Mistake> = wrong.values().flatten().collect();
                prop_assert!(told.iter().all(|mistake| all.contains(mistake)), "{}\n{:?}\n{:?}", text, told, all);
                for same in wrong.values() {
                    prop_assert_eq!(same.intersection(&told).count(), 1, "{}\n{:?}\n{:?}", text, told, same);
                }
                prop_assert_eq!(told.len(), of_cells.len());
            }
        }
    }

    /// Reading a section again only when one of its axes has moved gives the same as reading the whole file.
    #[test]
    fn sections_are_read_again_where_they_change(text in super::round_trip::file()) {
        let experiment = Experiment::parse("test.toml", text.clone(), "test", std::path::PathBuf::new()).unwrap();
        let space = Space::of(&experiment).unwrap();
        let mut odometer = Odometer::at(&experiment, &space, 0);
        let mut under = Under::new(&experiment);
        let (mut index, mut read) = (0, 0);
        loop {
            let moved = odometer.moved();
            read += Section::ALL.into_iter().filter(|section| moved.has(*section)).count();
            under.turn(odometer.choice(), moved);
            let (again, mut whole) = (Odometer::at(&experiment, &space, index), Under::new(&experiment));
            prop_assert_eq!(again.choice(), odometer.choice());
            whole.turn(again.choice(), SectionSet::ALL);
            prop_assert_eq!(under.sections(), whole.sections(), "cell {} of {}", index, text);
            let labels = |odometer: &Odometer| (odometer.label(), odometer.varies());
            prop_assert_eq!(labels(&again), labels(&odometer));
            index += 1;
            if !odometer.advance() {
                break;
            }
        }
        prop_assert_eq!(Some(index), space.size());
        prop_assert!(index < 4 || read < index as usize * Section::ALL.len(), "something is read once");
    }
}
