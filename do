#!/bin/sh
# Sets up what a task needs, without root and inside this checkout, and runs the task.
# The lock files say which packages; .venv/.oneos-lock remembers which lock .venv was made from.
set -eu
cd "$(dirname "$0")"

PYTHON=.venv/bin/python
STAMP=.venv/.oneos-lock

say() { echo "do: $*" >&2; }
die() { say "$*"; exit 1; }

help() {
    cat <<'END'
usage: ./do TASK [ARGUMENT...]

  demo      start three Runtimes on this machine and run the main job
  test      run all tests: unit, and system tests that start real clusters
  check     format, lint, types, import layers and unit tests
  bench     measure, and print a table and JSON
  shell     start a small cluster and a OneOS shell on it
  nightly   the longer form of the tests
  lock      write the lock files anew from pyproject.toml (--upgrade for newer versions)

The first run makes .venv from requirements.lock; arguments go to the task (./do test -k join).
END
}

# Prints a Python >= 3.11 that can make a virtual environment. A pyenv shim may exist and fail,
# so each candidate has to run.
find_python() {
    for candidate in python3.14 python3.13 python3.12 python3.11 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1-9]*/bin/python3 /usr/bin/python3; do
        if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' \
            >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    die "needs Python 3.11 or newer with venv; install it (Debian, Ubuntu: apt install python3-venv)"
}

node_is_new() {
    node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' >/dev/null 2>&1
}

# Runs a command whose output matters only if it fails.
quietly() {
    if ! "$@" >.venv/setup.log 2>&1; then
        cat .venv/setup.log >&2
        die "setting up failed at: $*"
    fi
}

pip_install() { quietly "$PYTHON" -m pip install --no-input --disable-pip-version-check "$@"; }

# What .venv has to match: the place (its scripts name it), the locks, and where Node comes from.
wanted() {
    pwd
    cksum pyproject.toml requirements.lock
    node_is_new || cksum requirements-node.lock
}

set_up() {
    want=$(wanted)
    have=$(cat "$STAMP" 2>/dev/null || :)
    if [ -x "$PYTHON" ] && [ "$have" = "$want" ]; then
        return
    fi
    if [ "${have%%
*}" != "$PWD" ] || ! "$PYTHON" -c '' 2>/dev/null; then
        python=$(find_python)
        say "making .venv with $("$python" -V)"
        "$python" -m venv --clear .venv || die "cannot make .venv with $python"
    fi
    "$PYTHON" -m pip --version >/dev/null 2>&1 || quietly "$PYTHON" -m ensurepip
    say "installing the packages of requirements.lock (about a minute the first time)"
    pip_install --require-hashes -r requirements.lock
    if ! node_is_new; then
        say "no node >= 20 on PATH: installing the one of requirements-node.lock"
        pip_install --require-hashes -r requirements-node.lock
    fi
    pip_install --no-deps --no-build-isolation -e .
    echo "$want" >"$STAMP"
    say "ready"
}

# Writes one lock file. What is locked stays as it is unless --upgrade is given or it must change.
lock() {
    uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
        --custom-compile-command './do lock' "$@" || die "the lock was not renewed"
}

task=${1:-help}
[ $# -eq 0 ] || shift
case $task in
help | -h | --help) help; exit ;;
lock)
    command -v uv >/dev/null || die "needs uv to resolve versions; install it (pip install uv)"
    lock "$@" --group dev --group build pyproject.toml -o requirements.lock
    lock "$@" --group node -o requirements-node.lock
    exit
    ;;
demo | test | check | bench | shell | nightly) ;;
*) help >&2; die "unknown task: $task" ;;
esac

# What only the nightly form wants of the system; without it the tests that do are skipped.
nightly_tools() {
    for tool in fio stress-ng; do
        command -v "$tool" >/dev/null && continue
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            say "installing $tool"
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$tool" >/dev/null 2>&1 && continue
        fi
        say "$tool is not installed, so its tests are skipped (Debian, Ubuntu: apt install $tool)"
    done
}

set_up
# The tools of .venv come first, also for what they start.
PATH=$PWD/.venv/bin:$PATH
export PATH

case $task in
demo) exec "$PYTHON" examples/demo.py "$@" ;;
bench) exec "$PYTHON" -m bench "$@" ;;
shell) exec oneos cluster 3 --shell "$@" ;;
test) exec pytest -m 'not nightly' "$@" ;;
nightly)
    nightly_tools
    exec pytest --hypothesis-profile=nightly "$@"
    ;;
check)
    ruff format --check .
    ruff check .
    mypy
    lint-imports --no-logo
    # Two workers: most unit tests wait for a process they started.
    exec pytest -m 'not nightly' -n 2 tests/unit "$@"
    ;;
esac
