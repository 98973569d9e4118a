#!/usr/bin/env bash
# bash scripts/hw3_1.sh IMAGE_DIR OUT.json
# Captions all images of a folder with the fully trained model: {"name without extension": "caption"}.
set -euo pipefail
if [ $# -ne 2 ]; then
  echo "usage: bash $0 IMAGE_DIR OUT.json" >&2
  exit 2
fi
root=$(dirname -- "$0")/..
PYTHONPATH=$root/src exec "$root/.venv/bin/python" -m vltune.cli caption "$1" "$2" --method full --root "$root"
