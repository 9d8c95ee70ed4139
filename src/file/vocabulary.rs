//! Names of settings and values in other programs and books, and meanings of numbers. Used only in errors.

use crate::value::fault::Fault;
use crate::value::problem::{Cause, Problem};

/// The fault as a problem, with notes on its words.
pub fn problem(fault: Fault) -> Problem {
    explain(fault.into_problem())
}

/// The same problem, with notes on its words and what was probably meant.
pub fn explain(mut problem: Problem) -> Problem {
    let Some(cause) = problem.cause.as_deref_mut() else { return problem };
    let known = |meant: &'static [&str], accepted: &[&str]| meant.iter().copied().find(|name| accepted.contains(name));
    let (meant, note) = match cause {
        Cause::UnknownKey { key, accepted, meant } => {
            let synonym = known(keys(key), accepted);
            *meant = synonym.or(*meant);
            (synonym, note_on_key(key).map(|note| (0, note)))
        }
        Cause::UnknownName { name, accepted } => {
            (known(names(name), accepted), note_on_name(name).map(|note| (problem.help.len(), note)))
        }
        Cause::Unfit { key, hints } => (None, meaning(key).map(|note| (*hints, note))),
        Cause::HeaderTwice { .. } | Cause::MissingSection(_) | Cause::SaidTwice(_) | Cause::Warning(_) => {
            return problem;
        }
    };
    if let Some((position, note)) = note {
        problem.help.insert(position, note.to_owned());
    }
    match meant {
        Some(meant) => problem.meaning(meant),
        None => problem,
    }
}

/// What another program's key may be called here; the first name that is accepted in its place is meant.
pub fn keys(key: &str) -> &'static [&'static str] {
    match plain(key).as_str() {
        "learning_rate" | "lrate" | "eta" | "eta0" | "learning_rate_init" | "step_length" => &["lr"],
        "l2" | "weight_decay_lambda" | "l2_lambda" | "l2_penalty" => &["weight_decay"],
        "rho" => &["decay"],
        "alpha" => &["decay", "weight_decay"],
        "lambda" => &["weight_decay"],
        "epsilon" => &["eps"],
        "beta_1" | "betas" => &["beta1"],
        "beta_2" => &["beta2"],
        "weight_decay" => &["decoupled_weight_decay"],
        "lr_schedule" | "lr_scheduler" | "scheduler" | "lr_decay" => &["schedule"],
        "warmup" | "warmup_steps" | "warm_up_steps" | "num_warmup_steps" => &["warm_up"],
        "gamma" | "decay_rate" => &["factor"],
        "step_size" | "decay_steps" => &["every"],
        "t_max" | "total_steps" => &["over"],
        "eta_min" => &["min_lr"],
        "pct_start" => &["rise"],
        "div_factor" => &["start_divisor"],
        "final_div_factor" => &["end_divisor"],
        "clipnorm" | "clip_grad_norm" | "max_grad_norm" | "gradient_clip_norm" | "grad_clip" => &["clip_norm"],
        "minibatch" | "batch" | "mini_batch_size" | "minibatch_size" | "bs" => &["batch_size"],
        "iterations" | "max_iterations" | "max_iter" | "iters_num" | "n_iter" | "num_iterations" | "num_steps"
        | "max_steps" | "iters" => &["steps"],
        "num_epochs" | "n_epochs" | "max_epochs" | "nb_epoch" => &["epochs"],
        "shuffle" => &["sampling"],
        "loss" | "criterion" | "loss_function" | "loss_fn" => &["objective"],
        "dtype" => &["precision"],
        "hidden_size_list" | "hidden_sizes" | "hidden_size" | "hidden_layer_sizes" | "hidden_layers"
        | "hidden_units" | "hidden_dims" | "layer_sizes" => &["hidden"],
        "units" | "size" | "neurons" | "nodes" => &["width", "hidden"],
        "layers" => &["hidden", "network"],
        "use_batchnorm" | "batch_normalization" | "bn" => &["batch_norm"],
        "dropout_ratio" | "dropout_ration" | "use_dropout" | "dropout_rate" => &["dropout"],
        "nonlinearity" | "activation_function" => &["activation"],
        "use_bias" => &["bias"],
        "p" | "rate" => &["ratio"],
        "negative_slope" => &["slope"],
        "weight_init_std" | "weight_init" | "kernel_initializer" | "initializer" | "init_std" | "init_method" => {
            &["weights"]
        }
        "bias_initializer" => &["bias"],
        "stddev" | "sigma" | "scale" => &["std"],
        "train_size" | "n_train" | "max_train_samples" => &["train_rows"],
        "test_size" | "n_test" => &["test_share", "test_rows"],
        "validation_split" | "val_split" | "validation_fraction" => &["validation_share"],
        "n_samples" | "samples" => &["rows"],
        "n_features" => &["features"],
        "n_classes" | "num_classes" => &["classes"],
        "x_train" | "x" => &["features", "train_images"],
        "t_train" | "y_train" | "y" => &["targets", "train_labels", "target"],
        "x_test" => &["test_features", "test_images"],
        "t_test" | "y_test" => &["test_targets", "test_labels"],
        "label" | "target_column" => &["target"],
        "file" | "filename" | "csv" => &["path"],
        "sep" | "separator" => &["delimiter"],
        "n_trials" | "num_trials" | "max_trials" | "count" => &["trials"],
        "seed" | "random_state" | "random_seed" => &["seeds"],
        "optimiser" | "optimizers" | "optim" => &["optimizer"],
        "model" | "net" | "mlp" | "architecture" => &["network"],
        "training" | "trainer" | "fit" => &["train"],
        "dataset" | "datasets" => &["data"],
        "logging" | "log" | "metrics" | "callbacks" | "eval" => &["record", "evaluate"],
        "initialization" => &["init"],
        "regularizer" | "regularisation" => &["regularization"],
        "grid" | "search" | "hyperparameters" => &["sweep"],
        "variants" | "arm" | "arms" => &["variant"],
        "version" | "title" | "experiment" => &["name"],
        _ => &[],
    }
}

/// What another program's value may be called here; the first name that is accepted in its place is meant.
fn names(name: &str) -> &'static [&'static str] {
    match plain(name).as_str() {
        "dense" | "fully_connected" | "fc" => &["affine"],
        "linear" => &["affine", "identity"],
        "none" => &["identity", "constant"],
        "bn" | "batch_normalization" | "batchnorm1d" => &["batch-norm"],
        "lrelu" | "leaky" => &["leaky-relu"],
        "logistic" => &["sigmoid"],
        "mean_squared_error" | "squared_error" | "l2" | "mseloss" | "mse_loss" => &["mse"],
        "softmax"
        | "nll"
        | "categorical_crossentropy"
        | "sparse_categorical_crossentropy"
        | "crossentropyloss"
        | "log_loss" => &["cross-entropy"],
        "kaiming" | "kaiming_normal" | "kaiming_normal_" | "kaiming_uniform" | "kaiming_uniform_" | "he_normal"
        | "he_uniform" => &["he"],
        "xavier_normal" | "xavier_normal_" | "xavier_uniform" | "xavier_uniform_" | "glorot_normal"
        | "glorot_uniform" => &["glorot"],
        "lecun_normal" | "lecun_uniform" => &["lecun"],
        "random_normal" | "gaussian" => &["normal"],
        "val" | "valid" | "dev" => &["validation"],
        "float32" | "float" | "single" => &["f32"],
        "float64" | "double" => &["f64"],
        "steplr" => &["step"],
        "exponentiallr" => &["exponential"],
        "cosineannealinglr" | "cosine_annealing" => &["cosine"],
        "onecyclelr" => &["one-cycle"],
        "standardscaler" | "zscore" | "z_score" => &["standard"],
        "minmaxscaler" => &["min-max"],
        _ => &[],
    }
}

/// A note on a key that has another form here, or does not exist.
fn note_on_key(key: &str) -> Option<&'static str> {
    Some(match plain(key).as_str() {
        "betas" => "`betas = [0.9, 0.999]` is `beta1 = 0.9` and `beta2 = 0.999` here",
        "shuffle" => "`sampling = \"shuffle\"` goes through all rows, `\"with-replacement\"` draws each batch anew",
        "use_dropout" => "`dropout` is a share: `dropout = 0.2`, or 0 for none",
        "weight_init_std" | "init_std" => "a number is a standard deviation: `weights = 0.01` in [init]",
        "seed" | "random_state" | "random_seed" => "`seeds = [5]` means the seed 5, `seeds = 5` the seeds 0 to 4",
        "input_size" | "input_dim" | "n_inputs" | "output_size" | "output_dim" | "n_outputs" => {
            "the data determines the number of inputs and outputs: leave this out"
        }
        "depth" | "num_layers" | "n_layers" => {
            "`hidden` has a width for each hidden layer: `hidden = [100, 100]` means two layers"
        }
        "device" | "gpu" | "cuda" => "everything runs on the CPU: leave this out",
        "jobs" | "num_workers" | "workers" | "n_jobs" => {
            "`paribus run --jobs N` sets how many runs train at the same time"
        }
        "early_stopping" | "patience" => "every run makes all of its steps; all of its evaluations are in the results",
        "method" => "all combinations of the axes are trained; with distributions, `trials` is the number of draws",
        _ => return None,
    })
}

/// A note on a value that has another form here, or does not exist.
fn note_on_name(name: &str) -> Option<&'static str> {
    Some(match plain(name).as_str() {
        "softmax" => "the objective `cross-entropy` includes the softmax, so the outputs need none",
        "xavier_normal" | "xavier_normal_" | "glorot_normal" => {
            "`glorot` is a Gaussian with standard deviation √(2 / (inputs + outputs)); `xavier`, as in the book, has \
             √(1 / inputs)"
        }
        "xavier_uniform" | "xavier_uniform_" | "glorot_uniform" => {
            "`glorot` is a Gaussian with the same standard deviation, √(2 / (inputs + outputs))"
        }
        "kaiming_uniform" | "kaiming_uniform_" | "he_uniform" => {
            "`he` is a Gaussian with the same standard deviation, √(2 / inputs)"
        }
        "conv" | "conv1d" | "conv2d" | "convolution" | "maxpool2d" | "lstm" | "embedding" => {
            "networks here are dense: every unit is connected to all units of the layer before it"
        }
        "cifar10" | "cifar100" | "imagenet" | "iris" => {
            "your own data comes from files: `source = \"csv\"`, \"parquet\", \"npy\" or \"idx\", with their paths"
        }
        name if [".csv", ".csv.gz"].iter().any(|end| name.ends_with(end)) => {
            "name the file with `path`: `source = \"csv\"` and `path = \"...\"`"
        }
        name if name.ends_with(".parquet") => "name the file with `path`: `source = \"parquet\"` and `path = \"...\"`",
        name if name.ends_with(".npy") => "name the arrays with `features` and `targets`, beside `source = \"npy\"`",
        _ => return None,
    })
}

/// The meaning of the key's value, with an accepted example.
fn meaning(key: &str) -> Option<&'static str> {
    Some(match key {
        "lr" => "the learning rate scales a step that already goes downhill: `lr = 0.01`",
        "dropout" | "ratio" => "dropout is the share of units that are dropped in a step: 0.2 is one in five",
        "momentum" => "momentum is the share of the last step that goes into the next: 0.9, or 0.99 for a long memory",
        "decay" | "beta1" | "beta2" => "it is the share of a running mean that a step keeps: 0.9, or 0.999",
        "batch_size" => "a batch size is a number of rows; for full batches, write the number of training rows",
        "steps" => "`steps = 2000` makes 2000 updates; `epochs = 10` goes through the data ten times",
        "epochs" => "`epochs = 10` goes through the data ten times",
        "hidden" => "`hidden` has the number of units of each hidden layer: `[100]` is one layer, `[]` is none",
        "validation_share" | "test_share" => "a share of the rows: 0.2 is one in five",
        "weight_decay" | "l1" => "it is the strength of a penalty, such as 1e-4; 0 is none",
        "every" => "it is a number of steps, and 1 means every step; for never, leave the whole table out",
        "trials" => "`trials = 100` draws a hundred times",
        "seeds" => "`seeds = 3` means the seeds 0, 1 and 2, `seeds = [5]` the seed 5; leave it out for the seed 0",
        "name" => "it also names the results folder; `description` takes any text",
        "range" => "a range is `[0.0, 1.0]`; leave it out to use the smallest and the largest value",
        "start" => "a start is a point of the plane: `[-7.0, 2.0]`",
        "target" => "it names the column to learn: `target = \"species\"`",
        _ => return None,
    })
}

/// Normalizes spellings that people do not distinguish.
fn plain(word: &str) -> String {
    word.to_lowercase().replace(['-', ' '], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_that_people_do_not_tell_apart_are_one() {
        assert_eq!(keys("Learning-Rate"), ["lr"]);
        assert_eq!(names("Kaiming_Normal_"), ["he"]);
        assert_eq!(keys("lr"), [""; 0]);
        assert!(note_on_name("data/Iris.CSV").is_some());
    }
}
