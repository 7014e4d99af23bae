#!/bin/sh
# Compiles requirements*.in into requirements*.txt: one list for every platform and Python from 3.11 on, with hashes.
# usage: scripts/lock.sh [--upgrade | --upgrade-package NAME]
set -eu
cd "$(dirname "$0")/.."
for list in requirements requirements-dev; do
	.venv/bin/uv pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" "$@" "$list.in" -o "$list.txt"
done
if grep -nE 'file:|^(-i|--index-url|--extra-index-url|--find-links)|https?://' requirements.txt requirements-dev.txt; then
	echo "a compiled list names a place; see above" >&2
	exit 1
fi
