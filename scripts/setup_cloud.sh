#!/bin/sh
# From a bare Debian or Ubuntu machine to one that runs Polyprover; safe to run again: it does what is missing.
#
#   sh scripts/setup_cloud.sh [--data DIR] [--extras LIST] [--without-sertop] [--no-check]
#
# --data DIR        a volume that outlives the machine: models, unpacked Coqs and runs go there, and
#                   DIR/env.sh says so to a shell (`. DIR/env.sh`)
# --extras LIST     of the package. Default: analysis,ray,tokens; with an NVIDIA GPU models too
# --without-sertop  leave out SerAPI of Coq 8.20, which unpacks a Debian root of 1.7 GB
# --no-check        leave out the two theorems that are proved at the end
#
# Runs as root, or as a user who may sudo. Where apt-get has to go by a proxy, it takes it from its own
# configuration, pip from PIP_* variables or pip.conf, as always.
set -eu
cd "$(dirname "$0")/.."

DATA=
EXTRAS_WANTED=
SERTOP=sertop
CHECK=yes
VENV=${VENV:-.venv}

say() { printf 'setup_cloud: %s\n' "$*"; }

die() {
    printf 'setup_cloud: %s\n' "$*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
        --data | --extras)
            [ $# -ge 2 ] || die "$1 needs a value"
            if [ "$1" = --data ]; then DATA=$2; else EXTRAS_WANTED=$2; fi
            shift
            ;;
        --without-sertop) SERTOP= ;;
        --no-check) CHECK= ;;
        -h | --help) sed -n '2,15s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) die "unknown option $1 (see --help)" ;;
    esac
    shift
done

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        die "this step needs root, and there is no sudo: $*"
    fi
}

# --- the system's packages --------------------------------------------------------------------------

command -v apt-get >/dev/null 2>&1 || die "this system has no apt-get; see docs/cloud.md for what it needs by hand"
missing=
for package in ca-certificates git make python3 python3-venv; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    say "installing$missing"
    as_root apt-get update -qq
    # shellcheck disable=SC2086 # several words on purpose
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing \
        >/dev/null </dev/null
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "python3 is older than 3.11: take Debian 12, Ubuntu 24.04 or newer"

# --- where things go --------------------------------------------------------------------------------

if [ -n "$DATA" ]; then
    mkdir -p "$DATA/cache" "$DATA/huggingface" "$DATA/runs" 2>/dev/null ||
        { as_root mkdir -p "$DATA/cache" "$DATA/huggingface" "$DATA/runs" && as_root chown -R "$(id -u)" "$DATA"; }
    DATA=$(cd "$DATA" && pwd)
    POLYPROVER_CACHE=$DATA/cache
    export POLYPROVER_CACHE
    cat >"$DATA/env.sh" <<ENV
export POLYPROVER_CACHE='$DATA/cache' HF_HOME='$DATA/huggingface'
export PATH='$(pwd)/$VENV/bin':"\$PATH"
ENV
    if [ ! -e runs ] && [ ! -L runs ]; then
        ln -s "$DATA/runs" runs
        say "runs is now $DATA/runs"
    elif [ "$(readlink -f runs)" != "$(readlink -f "$DATA/runs")" ]; then
        say "WARNING: there is a folder runs here already: new runs go there and not to $DATA/runs, unless --out says so"
    fi
fi

# --- Polyprover -------------------------------------------------------------------------------------

GPU=
if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; then
    GPU=$(nvidia-smi -L | head -n 1)
fi
EXTRAS=${EXTRAS_WANTED:-analysis,ray,tokens${GPU:+,models}}
OPTIONAL= # what setup.sh adds for the tests: PyTorch, also where there is no GPU
export EXTRAS OPTIONAL VENV
say "extras: $EXTRAS${GPU:+ ($GPU)}"
# shellcheck disable=SC2086 # nothing, or one word
sh scripts/setup.sh python coq $SERTOP sandbox
if [ -n "$GPU" ] && "$VENV/bin/python" -c 'import torch' 2>/dev/null; then
    "$VENV/bin/python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' ||
        die "PyTorch sees no GPU although nvidia-smi does: the driver is too old for this PyTorch; see docs/cloud.md"
fi

# --- does it work -----------------------------------------------------------------------------------

if [ -n "$CHECK" ]; then
    folder=$(mktemp -d)
    say "proving two theorems of Coq's library"
    "$VENV/bin/prover" run --env coq --model tactics --data coq-stdlib:Bool --limit 2 --budget 60t \
        --out "$folder/check" || die "the check failed; its run is in $folder/check"
    rm -rf "$folder"
fi

say "done. Next:"
[ -z "$DATA" ] || say "  . $DATA/env.sh"
say "  $VENV/bin/prover doctor                  # what is installed, and how to get what is missing"
say "  $VENV/bin/prover run --help              # docs/cloud.md: what to rent, sizes, spot instances"
