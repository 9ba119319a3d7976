#!/bin/sh
# The image's entry point: its first argument names one of the programs in apps/, the rest are that
# program's own. `exec` makes Node the process that receives SIGTERM, so that workers can finish the
# batches in hand.
set -eu

root=$(dirname "$0")/..
program=${1:-}
main=$root/apps/$program/dist/main.js

if [ -z "$program" ] || [ ! -f "$main" ]; then
  printf 'Expected the name of a program, found "%s". The programs are:' "$program" >&2
  for each in "$root"/apps/*/dist/main.js; do
    [ ! -f "$each" ] || printf ' %s' "$(basename "${each%/dist/main.js}")" >&2
  done
  printf '.\n' >&2
  exit 64
fi

shift
exec node --enable-source-maps "$main" "$@"
