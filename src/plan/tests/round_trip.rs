//! Files survive being written and read: typed files, and the files of single runs.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::plan;
use crate::file::{Experiment, Name, single};
use crate::plan::*;
use crate::value::serialize::serialize;
use crate::value::write::{Layout, document};

/// Every cell's typed file survives being written and read, and the file of each run declares only that run.
fn check(plan: &Plan) {
    for run in plan.runs().step_by(plan.experiment.seeds.get().len()) {
        let file = super::file_under(&plan.experiment, &plan.choice(run));
        let written = document(&serialize(&file).unwrap(), &Layout::of_values(&|_| None));
        let again = Experiment::parse("again.toml", written.clone(), "again", PathBuf::new());
        let again = again.unwrap_or_else(|mistakes| panic!("{}\n{written}", mistakes.render(false)));
        assert_eq!(super::file_under(&again, &again.tree.first_choice()), file, "{written}");
    }
    for run in plan.runs().filter(|_| plan.experiment.rng == engine::random::Rng::Paribus) {
        let name = Name::try_from("single".to_owned()).unwrap();
        let written = single(&run.spec(), name, &plan.experiment, &plan.choice(run), Path::new("")).unwrap();
        let again = super::plan(&written);
        let found: Vec<_> = again.runs().map(|run| (run.id(), run.identity())).collect();
        assert_eq!(found, [(run.id(), run.identity())], "{written}");
        assert_eq!(again.space.size(), Some(1), "{written}");
    }
}

#[test]
fn the_files_of_the_book_survive() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let mut found = 0;
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            check(&plan(&text));
            // The scripts of the book, too.
            check(&plan(&text.replacen("\n# rng = ", "\nrng = ", 1)));
            found += 1;
        }
    }
    assert_eq!(found, 11);
}

#[test]
fn a_file_says_what_a_run_uses() {
    let plan = plan(
        "seeds = [3, 5]\nname = 'x'\ndescription = 'y'\ndata.source = 'digits'\ndata.test_share = 0.25\n\
         network.hidden = [[], [7]]\n\
         train.epochs = 2\n[optimizer.fast]\nkind = 'adam'\nlr = { log_uniform = [1e-3, 1e-1] }\nschedule = 'cosine'\n\
         [sweep]\ntrials = 2",
    );
    let run = plan.run(find(&plan, "hidden=7, trial 001, seed 5").unwrap());
    let name = Name::try_from("single".to_owned()).unwrap();
    insta::assert_snapshot!(single(&run.spec(), name, &plan.experiment, &plan.choice(run), Path::new("")).unwrap());
}

#[test]
fn a_run_is_found_by_what_messages_call_it() {
    let plan = plan(
        "seeds = 2\ndata.source = 'mnist'\nnetwork.hidden = []\ntrain.steps = 5\n[optimizer.sgd]\nlr = [0.1, 0.2]\n\
         [optimizer.adam]",
    );
    let run = plan.run(3);
    assert_eq!(run.name(), "sgd, lr=0.2, seed 1");
    assert_eq!(find(&plan, "sgd, lr=0.2, seed 1"), Ok(3));
    assert_eq!(find(&plan, &run.id().to_string()), Ok(3));
    assert_eq!(find(&plan, &run.id().to_string()[..6].to_uppercase()), Ok(3));
    let said = |text: &str| find(&plan, text).unwrap_err().to_string();
    insta::assert_snapshot!(
        ["adam", "adm", "sgd, lr=0.3", "sgd, lr=0.2, seed 2", "nothing", &run.id().to_string()[..3]]
            .map(said)
            .join("\n")
    );
}

/// One of these lines.
fn line(lines: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(lines)
}

/// A file whose settings mostly go together, some of them axes.
pub(in crate::plan) fn file() -> impl Strategy<Value = String> {
    let data = line(&[
        "source = 'mnist'\ntrain_rows = 500\nvalidation_rows = 100",
        "source = 'mnist'\ntest_rows = [10, 20]\nvalidation_share = 0.1",
        "source = 'digits'\ntest_share = 0.2\nnormalize = ['standard', 'min-max', 'none']",
        "source = 'normal'\nrows = 30\nfeatures = 4\nclasses = [2, 3]\nseed = 8",
        "source = 'spiral'\nrows = 60\nnoise = [0.1, 0.25]",
        "source = ['moons', 'blobs']\ntest_share = 0.5",
        "source = 'sine'\ntrain_rows = 70",
    ]);
    let network = line(&[
        "hidden = []",
        "hidden = [[], [3, 2]]\nactivation = ['tanh', 'leaky-relu', { kind = 'elu', alpha = 0.3 }]",
        "hidden = [5]\nbatch_norm = [true, false]\ndropout = [0, 0.25, { ratio = 0.5, scaling = 'inverted' }]\n\
         bias = false",
        "hidden = [5]\noutput = { kind = 'leaky-relu', slope = 0.2 }",
        "layers = ['batch-norm', { kind = 'affine', width = 3, bias = false }, 'elu', { kind = 'dropout', ratio = 0.1 \
         }, 'affine']",
        "layers = [{ kind = 'affine', width = 3 }, 'relu', 'affine']",
    ]);
    let init = line(&[
        "",
        "[init]\nweights = ['he', 'glorot', 0.01, { kind = 'uniform', bound = 0.1 }]",
        "[init]\nweights = { geomspace = [1.0, 1e-3, 3] }\nbias = 0.1",
    ]);
    let regularization = line(&[
        "",
        "[regularization]\nweight_decay = [0, 1e-4]\nclip_norm = [inf, 2]",
        "[regularization]\nl1 = { linspace = [0, 0.1, 3] }",
    ]);
    let train = line(&[
        "steps = 0",
        "steps = [40, 50]\nbatch_size = 7",
        "epochs = 11\nsampling = 'shuffle'\nbatch_size = [5, 9]\nprecision = 'f64'",
    ]);
    let objective = line(&["", "objective = 'mse'"]);
    let record = line(&[
        "",
        "[record]\nloss = 'after-update'\nevaluate = { on = ['train'], every = 3 }",
        "[record]\nloss = { at = 'before-update', every = 4 }\nlayers = { what = ['dead-share'], every = 'epoch' }",
        "[record]\nhistograms = { of = ['weights', 'activations'], at = ['start'], range = [-1, 0.5], rows = 9 }\n\
         evaluate = {}",
        "[record]\ngradient_checks = { at = ['start'], h = 1e-3, rows = 5, parameters = 3 }",
    ]);
    let optimizer = line(&[
        "[optimizer.sgd]",
        "[optimizer]\nlr = [0.1, 1e-5]\n[optimizer.a]\nkind = 'nesterov'\nform = 'memo'\n[optimizer.rmsprop]\n\
         warm_up = 2",
        "[optimizer.adamw]\ndecoupled_weight_decay = [0, 0.1]\nschedule = { kind = 'step', every = 10 }",
        "[optimizer.lion]\nschedule = [{ kind = 'one-cycle', over = 9, rise = 0.4 }, { kind = 'exponential', factor = \
         0.99 }]",
        "[sweep]\ntrials = 2\n[optimizer.adam]\nlr = { log_uniform = [1e-6, 1e-2] }\nbeta1 = { uniform = [0.5, 0.9] }",
        "[sweep]\ntrials = 2\nsampler = 'sobol'\n[optimizer.rmsprop]\nlr = { uniform = [0.1, 0.2] }",
    ]);
    let seeds = line(&["", "seeds = 2", "seeds = [7, 3]"]);
    (seeds, data, network, init, regularization, (train, objective), record, optimizer).prop_map(
        |(seeds, data, network, init, regularization, (train, objective), record, optimizer)| {
            format!(
                "{seeds}\n[data]\n{data}\n[network]\n{network}\n{init}\n{regularization}\n[train]\n{train}\n\
                 {objective}\n{record}\n{optimizer}"
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(file in file()) {
        let experiment = Experiment::parse("test.toml", file.clone(), "test", PathBuf::new()).and_then(Plan::new);
        // Some of the settings exclude each other.
        prop_assume!(experiment.is_ok());
        let plan = experiment.unwrap();
        prop_assume!(plan.len() <= 100);
        check(&plan);
    }

    #[test]
    fn functions_are_read_again(
        kind in line(&[
            "kind = 'beale'",
            "kind = 'rosenbrock'\nb = [3, 0.5]",
            "kind = 'quadratic'\ncoefficients = [[1, 2], [0.5, 1e-3]]",
        ]),
        x in -9.0..9.0f64,
    ) {
        check(&plan(&format!("[function]\n{kind}\nstart = [{x:?}, 2]\n[train]\nsteps = 5\n[optimizer.sgd]\n")));
    }
}
