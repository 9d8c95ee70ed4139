# The recipes that CI runs, one by one. `just` alone lists them.

_default:
    @just --list

# Formatting and lints, warnings denied.
check:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings

# All Rust tests.
test:
    cargo test --locked

# Benchmarks: products, a step, an optimizer's update, gathering, writing, a whole small experiment.
bench *ARGUMENTS:
    cargo bench --locked {{ ARGUMENTS }}

# The JSON Schema that editors read, made anew from the types.
schema:
    cargo run --locked -- schema > experiments/paribus.schema.json

# Licenses, advisories and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny --locked check

# Everything that must hold before a change lands.
ci:
    .ci/run
