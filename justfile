# `just` alone lists the recipes. What CI does stands in .ci/run; the recipes only call its steps.

_default:
    @just --list

# Formatting, lints and docs, warnings denied.
check:
    .ci/run format lints docs

# All Rust tests but the long ones.
test:
    .ci/run tests

# Benchmarks: products, a step, an optimizer's update, gathering, writing, a whole small experiment.
bench *ARGUMENTS:
    cargo bench --locked {{ ARGUMENTS }}

# The JSON Schema that editors read, made anew from the types.
schema:
    cargo run --locked -- schema > experiments/paribus.schema.json

# Everything that must hold before a change lands.
ci:
    .ci/run

# The same, with the tests that take long: before an issue closes.
full:
    .ci/full
