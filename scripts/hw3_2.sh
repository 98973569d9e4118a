#!/usr/bin/env bash
# bash scripts/hw3_2.sh IMAGE_DIR OUT.json DECODER.bin
# Captions all images of a folder with the method that `method` in params.yaml names, on the course's decoder.
set -euo pipefail
if [ $# -ne 3 ]; then
  echo "usage: bash $0 IMAGE_DIR OUT.json DECODER.bin" >&2
  exit 2
fi
root=$(dirname -- "$0")/..
method=$(sed -nE 's/^method: *([A-Za-z0-9_]+).*/\1/p' "$root/params.yaml")
PYTHONPATH=$root/src exec "$root/.venv/bin/python" -m vltune.cli caption "$1" "$2" --method "$method" --decoder "$3" --root "$root"
