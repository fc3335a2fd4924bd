#!/bin/sh
# sh deploy/make-env.sh [FILE]: makes the passwords and keys that docker-compose.yml asks for, once, in `.env` (readable by its owner alone).
# What is there already is kept, so it may be run again after an update. PostgreSQL keeps the passwords of its first start: to begin with
# new ones, `docker compose down --volumes` first.
set -eu
file=${1:-$(dirname "$0")/../.env}
umask 077
touch "$file"
chmod 600 "$file"

hex() { od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n'; }
# No word of it goes to the terminal or into a process's arguments.
add() { grep -q "^$1=." "$file" || printf '%s=%s\n' "$1" "$($2)" >>"$file"; }
checkpoint_key() { { printf '\060\056\002\001\000\060\005\006\003\053\145\160\004\042\004\040'; dd if=/dev/urandom bs=32 count=1 2>/dev/null; } | base64 | tr -d '\n'; }
master_key() { dd if=/dev/urandom bs=32 count=1 2>/dev/null | base64; }

for name in POSTGRES_PASSWORD REDIS_PASSWORD FRAUD_HASH_KEY PROVIDER_API_KEY PROVIDER_WEBHOOK_SECRET GRAFANA_PASSWORD \
  ORDER_COMMAND_DB_PASSWORD ORDER_QUERY_DB_PASSWORD WALLET_DB_PASSWORD PAYMENT_SAGA_DB_PASSWORD FRAUD_DB_PASSWORD PROVIDER_SANDBOX_DB_PASSWORD
do add "$name" hex; done
# Wraps the data keys of persons. Keep a copy apart from the data: without it nobody can read them.
add MASTER_KEY master_key
# Signs checkpoints of the event stores: Ed25519 in PKCS#8, which is these 16 bytes and 32 of chance. The public half, to verify with:
# `printf -- '-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n' "$CHECKPOINT_KEY" | openssl pkey -pubout`
add CHECKPOINT_KEY checkpoint_key
echo "passwords and keys are in $file"
