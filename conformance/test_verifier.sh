#!/usr/bin/env bash
# The tables of the kernel's test_verifier: recorded on the running Linux, then replayed with all capabilities, without
# CAP_PERFMON, and without any (held against what the tables expect of the unprivileged).
#   test_verifier.sh [DIR] [SOURCE]        default: a folder of its own below the system's for temporary files
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${TMPDIR:-/tmp}/skep-test-verifier}
source=${2:-linux-source-6.12}
bash "$here/record.sh" "$dir" test_verifier "$source"
for caps in all noPerfmon table; do
	node "$here/../scripts/run.mjs" conformance/replay.ts "$dir/test_verifier-$source.jsonl" --caps "$caps" --list accept || true
done
