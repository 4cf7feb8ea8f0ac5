#!/usr/bin/env bash
# Makes the virtual environment of the example client: pinned packages, and the code that grpcio-tools
# generates from proto/ragstone/v1. usage: setup.sh VENV [PYTHON]
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
venv="${1:?usage: setup.sh VENV [PYTHON]}"
python="${2:-python3}"

rm -rf "$venv"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --disable-pip-version-check --no-cache-dir --quiet \
  --only-binary :all: --no-deps --require-hashes --requirement "$here/requirements.txt"
site="$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
"$venv/bin/python" -m grpc_tools.protoc --proto_path="$root/proto" \
  --python_out="$site" --grpc_python_out="$site" "$root"/proto/ragstone/v1/*.proto
echo "made $venv"
