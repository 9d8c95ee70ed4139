//! The schema and the plan agree about files.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use proptest::prelude::*;

use crate::file::Experiment;
use crate::file::schema::schema;
use crate::plan::*;

/// Whether the schema accepts a text, and its messages if not.
pub(super) fn verdict(text: &str) -> Result<(), String> {
    thread_local! {
        static COMPILED: OnceCell<(Schemas, SchemaIndex)> = const { OnceCell::new() };
    }
    let instance: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
    // As Taplo does; `inf` becomes null.
    let instance = serde_json::to_value(instance).map_err(|error| error.to_string())?;
    COMPILED.with(|compiled| {
        let (schemas, index) = compiled.get_or_init(|| {
            const URL: &str = "https://example.com/paribus.schema.json";
            let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
            compiler.add_resource(URL, schema()).unwrap();
            let index = compiler.compile(URL, &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
            (schemas, index)
        });
        schemas.validate(&instance, *index).map_err(|error| format!("{error:#}"))
    })
}

fn is_accepted(text: &str, folder: PathBuf) -> bool {
    Experiment::parse("test.toml", text.to_owned(), "test", folder).and_then(Plan::new).is_ok()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The TOML files of a folder, by name; none if the folder does not exist.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let toml = entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let read = |path: PathBuf| {
        (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap())
    };
    toml.map(read).collect()
}

#[test]
fn the_shipped_schema_is_that_of_the_types() {
    let shipped = std::fs::read_to_string(root().join("experiments/paribus.schema.json")).unwrap_or_default();
    assert!(
        shipped == format!("{:#}\n", schema()),
        "the types have changed: just schema, or paribus schema > experiments/paribus.schema.json"
    );
}

#[test]
fn every_experiment_names_the_schema_and_is_accepted() {
    let experiments = files(&root().join("experiments"));
    assert!(experiments.len() >= 10);
    for (name, text) in experiments {
        assert!(text.starts_with("#:schema ./paribus.schema.json\n"), "{name}");
        verdict(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let script = text.replacen("\n# rng = ", "\nrng = ", 1);
        verdict(&script).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Files that both accept.
const ACCEPTED: [&str; 24] = [
    "sweep.trials = 3\noptimizer = { kind = 'sgd', lr = { choice = [0.1, { log_uniform = [1e-3, 1] }, { geomspace = \
     [0.1, 1, 3] }] } }",
    "sweep.trials = 3\noptimizer = { kind = 'sgd', lr = [0.1, { uniform = [0.1, 1] }] }",
    "optimizer = 'sgd'",
    "optimizer = ['sgd', 'adam', { kind = 'nesterov', form = ['memo', 'lookahead'] }]",
    "optimizer = { kind = 'sgd', lr = [0.1, 1] }",
    "optimizer = { values = ['sgd'] }",
    "[optimizer]\nkind = ['sgd', 'adam']\nlr = 0.1",
    "[optimizer]\nlr = { geomspace = [1, 1e-3, 4] }\n[optimizer.sgd]\n[optimizer.fast]\nkind = 'adam'\n\
     beta1 = { linspace = [0, 0.9, 3] }",
    "[optimizer]\nschedule = { kind = 'step', every = [10, 20] }\n[optimizer.sgd]\nwarm_up = { values = [1] }",
    "optimizer = 'sgd'\nregularization = { clip_norm = inf, weight_decay = [0, 1e-4] }",
    "optimizer = 'sgd'\nregularization.clip_norm = [inf, 1]",
    "optimizer = 'sgd'\ninit.weights = ['he', 0.1, { kind = 'uniform', bound = [0.1, 0.2] }]\ninit.bias = -1",
    "optimizer = 'sgd'\n[init]\nweights = { choice = ['he', 0.1] }\nbias = { uniform = [-1, 1] }\n[sweep]\ntrials = 3\n\
     seed = 8",
    "train.batch_size = [1, 2]\n[optimizer.sgd]\nlr = { log_uniform = [1e-4, 1] }\n[sweep]\ntrials = 3\n\
     draw = ['batch_size']",
    "optimizer = 'sgd'\ntrain.batch_size = { int_uniform = [1, 9] }\nsweep.trials = 4",
    "optimizer = 'sgd'\ninit.weights = [0.1, 0.2]\ninit.bias = [0, 1]\nsweep.zip = ['weights', 'init_bias']",
    "optimizer = 'sgd'\nseeds = [3, 1]\nname = 'a.b'\nrecord = { loss = 'after-update', evaluate = { on = ['test'], \
     every = 'epoch' } }",
    "optimizer = 'sgd'\nrecord.loss = { every = 3 }\nrecord.histograms = { of = ['weights'], at = ['start', 1, 'end'], \
     range = [0, 1] }",
    "optimizer = 'sgd'\nrng = { kind = 'numpy', group = ['weights'] }\ninit.weights = ['he', 'xavier']",
    "optimizer = 'sgd'\nrng = 'numpy'",
    "[optimizer.sgd]\n[variant.plain]\n[variant.wide]\nnetwork.hidden = [[50], [50, 50]]\n\
     [variant.adam.optimizer.adam]\nlr = 0.1",
    "optimizer = 'sgd'\nvariant.a.data = { source = 'digits', test_share = 0.1 }",
    "optimizer = 'sgd'\nnetwork.dropout = [0.1, { ratio = 0.2, scaling = 'inverted' }]\n\
     network.activation = ['relu', { kind = 'elu', alpha = [1, 2] }]",
    "optimizer = 'sgd'\ndata.validation_rows = [10, 20]\ndata.normalize = 'standard'",
];

/// Files that both refuse.
const REFUSED: [&str; 38] = [
    "",
    "optimizer = 'sgd'\nseed = 5",
    "optimizer = 'sgd'\nseeds = 0",
    "optimizer = 'sgd'\nseeds = [1, 1]",
    "optimizer = 'sgd'\nname = 'a b'",
    "optimizer = 'sgd'\nname = ['a', 'b']",
    "optimizer = 'adamm'",
    "optimizer = 'sgd'\nrng = ['numpy', 'paribus']",
    "[optimizer]\nlr = 0.1",
    "[optimizer.sgd]\nlearning_rate = 0.1",
    "[optimizer.sgd]\nlr = -0.1",
    "[optimizer.sgd]\nlr = inf",
    "[optimizer.sgd]\nlr = '0.1'",
    "[optimizer.sgd]\nlr = [[0.1]]",
    "[optimizer.sgd]\nlr = []",
    "[optimizer.sgd]\nbeta1 = 0.9",
    "[optimizer.mine]\nlr = 0.1",
    "[optimizer.mine]\nkind = 'sgd'\nbeta1 = 0.1",
    "[optimizer.'a b']\nkind = 'sgd'",
    "[optimizer]\nkind = 'sgd'\nbeta1 = 0.1",
    "[optimizer.adam]\nbeta1 = 1",
    "[optimizer.sgd]\nschedule = 'step'",
    "[optimizer.sgd]\nschedule = { kind = 'cosine', every = 3 }",
    "optimizer = 'sgd'\ntrain.epochs = 3",
    "optimizer = 'sgd'\ntrain.batch_size = 1.5",
    "optimizer = 'sgd'\ntrain.batch_size = { uniform = [1, 2] }\nsweep.trials = 2",
    "optimizer = 'sgd'\nnetwork.activation = 'Relu'",
    "optimizer = 'sgd'\nnetwork.layers = ['affine']",
    "optimizer = 'sgd'\nnetwork.dropout = 1",
    "optimizer = 'sgd'\ninit.weights = { kind = 'normal' }",
    "optimizer = 'sgd'\nrecord.loss = ['before-update', 'after-update']",
    "optimizer = 'sgd'\ndata.path = 'x'",
    "optimizer = 'sgd'\nfunction = { kind = 'beale', start = [1, 2] }",
    "optimizer = 'sgd'\nvariant.a.seeds = 3",
    "optimizer = 'sgd'\nextends = []",
    "optimizer = 'sgd'\nextends = ''",
    "optimizer = 'sgd'\nextends = ['a.toml', 'a.toml']",
    "optimizer = 'sgd'\nnetwork.dropout = { int_uniform = [0, 1] }\nsweep.trials = 2",
];

const LEAST: &str = "data.source = 'mnist'\nnetwork.hidden = [3]\ntrain.steps = 5\n";

#[test]
fn schema_and_plan_agree_on_what_is_accepted() {
    for text in ACCEPTED.map(|rest| LEAST.to_owned() + rest) {
        verdict(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let found = Experiment::parse("test.toml", text.clone(), "test", PathBuf::new()).and_then(Plan::new);
        found.unwrap_or_else(|mistakes| panic!("{text}\n{}", mistakes.render(false)));
    }
    for text in REFUSED.map(|rest| LEAST.to_owned() + rest) {
        assert!(!is_accepted(&text, PathBuf::new()), "the plan accepts\n{text}");
        assert!(verdict(&text).is_err(), "the schema accepts\n{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_a_plan_accepts_the_schema_accepts(text in super::round_trip::file()) {
        prop_assume!(is_accepted(&text, PathBuf::new()));
        verdict(&text).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn every_definition_is_used() {
    let schema = schema();
    let text = schema.to_string();
    for name in schema["$defs"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"#/$defs/{name}\"")), "{name}");
    }
}

/// Mistakes that a schema cannot detect, by file name, and why.
const UNSEEN: [(&str, &str); 25] = [
    ("batch_norm_of_one_row", "what two keys say contradicts each other"),
    ("batch_size_beyond_the_split", "how many rows there are is not in the file"),
    ("distribution_backwards", "words of JSON Schema do not compare two numbers of a file"),
    ("distribution_without_trials", "a distribution in one section asks for a key in another"),
    ("draw_no_axis", "names of axes hang on the rest of the file"),
    ("function_with_seeds", "what two keys say contradicts each other"),
    ("histogram_at_a_step_that_is_not_there", "what two keys say contradicts each other"),
    ("histogram_range_reversed", "words of JSON Schema do not compare two numbers of a file"),
    ("layers_without_an_output", "what a list of layers comes to has no words in JSON Schema"),
    ("layers_wrong_output", "how many classes there are is not in the file"),
    ("no_test_data", "how many rows there are is not in the file"),
    ("no_validation_data", "what two keys say contradicts each other"),
    ("path_that_is_not_there", "a schema looks at no other file"),
    ("shuffle_a_larger_batch", "how many rows there are is not in the file"),
    ("steps_as_float", "JSON does not tell 2000.0 from 2000"),
    ("test_share_of_mnist", "which data has test data is not in the file"),
    ("too_many_rows", "how many rows there are is not in the file"),
    ("too_many_runs", "a schema does not multiply"),
    ("too_many_steps", "a schema does not multiply"),
    ("trials_without_a_distribution", "a distribution may stand anywhere in the file"),
    ("validation_rows_and_share", "what two keys say contradicts each other"),
    ("validation_takes_everything", "how many rows there are is not in the file"),
    ("zip_by_path", "names of axes hang on the rest of the file"),
    ("zip_no_axis", "names of axes hang on the rest of the file"),
    ("zip_unequal", "words of JSON Schema do not compare the lengths of two lists"),
];

#[test]
fn the_schema_sees_the_mistakes_that_people_make() {
    let folder = root().join("tests/it/corpus");
    let mistakes = files(&folder);
    assert!(mistakes.len() >= 60, "{} files", mistakes.len());
    let mut wrong: Vec<String> = Vec::new();
    for (name, text) in &mistakes {
        let unseen = UNSEEN.iter().find(|(unseen, _)| unseen == name);
        match (is_accepted(text, folder.clone()), verdict(text), unseen) {
            (false, Ok(()), None) => wrong.push(format!("{name}: the schema accepts it, and the plan does not")),
            (true, Err(error), _) => {
                wrong.push(format!("{name}: the plan accepts it, and the schema does not\n{error}"))
            }
            (false, Err(error), Some((_, reason))) => {
                wrong.push(format!("{name}: seen after all, in spite of this: {reason}\n{error}"));
            }
            _ => {}
        }
    }
    let is_there = |name: &str| mistakes.contains_key(name);
    wrong.extend(
        UNSEEN.iter().filter(|(name, _)| !is_there(name)).map(|(name, _)| format!("{name}: there is no such file")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
