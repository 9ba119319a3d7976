#!/bin/sh
# Writes infra/secrets, once: keys of the S3 server and Grafana's password, for compose.yaml. What is
# there stays. To change one, delete its file, run this again, and then: docker compose up --detach
#
# The folder is its owner's alone; the files in it can be read by whichever user a container has.
set -eu

cd "$(dirname "$0")"
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

umask 077
mkdir -p secrets
write() {
  if [ -e "secrets/$1" ]; then return; fi
  printf '%s' "$2" >"secrets/$1"
  chmod 444 "secrets/$1"
}

write s3-credentials "[default]
aws_access_key_id = cutline
aws_secret_access_key = $(random)
"
write grafana-password "$(random)"
