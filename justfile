# What CI runs, by the same names. `just` lists them.

default:
    @just --list

# Sets up what the tests need (PostgreSQL) and runs them all.
test *ARGS:
    bash .ci/test {{ARGS}}

# Everything CI checks.
check:
    bash .ci/run

# Formats the code.
fmt:
    cargo fmt

# Lints as CI does.
lint:
    cargo clippy --all-targets -- -D warnings

# Looks at what the dependencies may do, and whether each is used.
dependencies:
    bash .ci/dependencies

# Checks the chart with real Helm engines.
chart:
    bash .ci/chart

# Asks the running API for a minute what its description allows and forbids.
api:
    bash .ci/api

# Tries a restore, a lost database, a new master key, restarts and kills.
operations:
    bash .ci/operations

# Runs the program of the schema before beside today's tables.
upgrade:
    bash .ci/upgrade

# Builds the image twice and runs it as the chart does.
image:
    bash .ci/image

# Plants wrongs in a copy of the program, one at a time: the tests must catch each (docs/mutants.md).
mutants *ARGS:
    tests/mutants/run {{ARGS}}

# Changes every operator and every answer in src/plan, one at a time: some forty minutes (docs/mutants.md).
mutants-law *ARGS:
    tests/mutants/law {{ARGS}}

# Shows the whole job on a made-up clinic.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# Prints what runs cost (docs/performance.md).
bench *ARGS:
    cargo run --profile bench -- bench {{ARGS}}

# Rehearses made-up worlds for so many minutes (docs/rehearsal.md).
soak MINUTES="240" *ARGS:
    cargo run --release -- rehearse --minutes {{MINUTES}} --keep-going --keep target/rehearsal {{ARGS}}
