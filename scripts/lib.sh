# shellcheck shell=bash
# What the scripts share; to be sourced. Sets ROOT, TOOLS and VENV, and changes into ROOT.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
TOOLS="${AIRSTORE_TOOLS:-${XDG_CACHE_HOME:-${HOME:?set HOME or AIRSTORE_TOOLS}/.cache}/airstore/tools/bin}"
VENV="$ROOT/.venv"
export AIRSTORE_TOOLS="$TOOLS"
unset PYTHONDONTWRITEBYTECODE # where it is set each command compiles all it imports, half of a short one's time
export PIP_DEFAULT_TIMEOUT="${PIP_DEFAULT_TIMEOUT:-60}" PIP_RETRIES="${PIP_RETRIES:-5}"
cd "$ROOT" || exit

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# step NAME COMMAND...: say what runs, and say its name again if it ends the script. The command is not
# run under `||` or `if`: there bash would carry on after a failure inside a function.
step() {
    STEP="$1"
    shift
    printf '== %s\n' "$STEP"
    "$@"
    STEP=""
}

# What a script leaves behind is removed at its end, whatever ends it.
STEP="" SCRATCH=""
at_end() {
    [ "$1" -eq 0 ] || [ -z "$STEP" ] || printf "== FAILED: %s\n" "$STEP" >&2
    [ -z "$SCRATCH" ] || rm -rf "$SCRATCH"
}
trap 'at_end $?' EXIT

# Print the first Python on PATH that is new enough.
find_python() {
    local candidate
    # shellcheck disable=SC2086
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed: apt-get install python3 python3-venv, or set PYTHON"
}

# make_venv PYTHON DIRECTORY: an empty virtual environment with a pip that knows dependency groups.
make_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$1 cannot make virtual environments: apt-get install python3-venv"
    "$1" -m venv --clear "$2"
    pip_of "$2" install --upgrade 'pip>=25.1'
}

# pip_of DIRECTORY ARGUMENT...
pip_of() {
    local python="$1/bin/python"
    shift
    "$python" -m pip --quiet --disable-pip-version-check "$@"
}

# A cargo that is new enough to build the native codec: the system's, or one that scripts/tools fetches.
need_cargo() {
    PATH="$PATH:$TOOLS"
    if ! cargo --version 2>/dev/null | grep -qE ' 1\.(8[5-9]|9[0-9]|[1-9][0-9]{2})\.'; then
        "$ROOT/scripts/tools" cargo
        PATH="$TOOLS:$PATH"
    fi
    export PATH
}

# What the native codec is built from.
codec_stamp() {
    (cd "$ROOT/airstore/codec/crate" && find . -path ./target -prune -o -type f -print0 | sort -z | xargs -0 sha256sum)
}

# The project's own environment; it is made anew when its stamp says that something has changed.
setup_venv() {
    local python stamp
    need_cargo
    python="$(find_python)"
    stamp="$(printf '%s\n' "$ROOT" "$("$python" -V)" && sha256sum "$ROOT"/{pyproject.toml,requirements.lock})"
    if [ "$(cat "$VENV/stamp" 2>/dev/null)" != "$stamp" ]; then
        make_venv "$python" "$VENV"
        pip_of "$VENV" install --require-hashes --requirement "$ROOT/requirements.lock"
        pip_of "$VENV" install --editable "$ROOT" --no-deps
        printf '%s\n' "$stamp" >"$VENV/stamp"
        codec_stamp >"$VENV/codec-stamp"
    elif [ "$(codec_stamp)" != "$(cat "$VENV/codec-stamp" 2>/dev/null)" ]; then
        pip_of "$VENV" install --editable "$ROOT" --no-deps
        codec_stamp >"$VENV/codec-stamp"
    fi
    export PATH="$VENV/bin:$TOOLS:$PATH"
}

# once_more DIRECTORY CODE ARGUMENTS...: what became of tests, after those that failed ran again by themselves.
# Real parts are late where everything runs side by side; more than two failures are no accident of time.
once_more() {
    local cache="$1" code="$2" failed
    shift 2
    [ "$code" -eq 1 ] || return "$code" # 0 is fine, everything else is not about single tests
    failed="$(python -c 'import json, sys; print("\n".join(json.load(sys.stdin)))' <"$cache/v/cache/lastfailed")"
    printf '== these tests failed:\n%s\n' "$failed"
    [ "$(wc -l <<<"$failed")" -le 2 ] || return 1
    printf '== once more, by themselves\n'
    pytest -o cache_dir="$cache" --last-failed --last-failed-no-failures none "$@"
}

# tests ARGUMENTS...: pytest. In CI, which says so by AIRSTORE_AGAIN, those that failed run once more.
tests() {
    local cache code=0
    if [ -z "${AIRSTORE_AGAIN:-}" ]; then
        pytest "$@"
        return
    fi
    cache="$(mktemp -d)"
    pytest -o cache_dir="$cache" "$@" || code=$?
    if once_more "$cache" "$code" "$@"; then code=0; fi
    rm -rf "$cache"
    return "$code"
}
