# `just` without arguments lists the recipes. The checks are steps of .ci/run, which CI runs too.

_default:
    @just --list

# Formatting, lints and docs, warnings denied.
check:
    .ci/run format lints docs

# All Rust tests except the long ones.
test:
    .ci/run tests

# Benchmarks: products, a step, an optimizer's update, gathering, writing, a whole small experiment.
bench *ARGUMENTS:
    cargo build --release --locked
    cargo bench --locked -p paribus-benches {{ ARGUMENTS }}

# Regenerates the JSON Schema that editors read from the types.
schema:
    cargo run --locked -- schema > experiments/paribus.schema.json

# Everything that must hold before a change lands.
ci:
    .ci/run

# The same, with the tests that take long. Run it before an issue closes.
full:
    .ci/full
