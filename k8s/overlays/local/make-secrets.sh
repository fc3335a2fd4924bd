#!/bin/sh
# sh k8s/overlays/local/make-secrets.sh [FOLDER]: makes secrets.yaml, which the overlay needs and which is never committed, from the passwords
# and keys of deploy/make-env.sh. Made once: PostgreSQL keeps the passwords of its first start.
set -eu
here=$(dirname "$0")
folder=${1:-$here}
umask 077
sh "$here/../../../deploy/make-env.sh" "$folder/.env" >/dev/null
. "$folder/.env"

secret() { # secret NAME KEY=VALUE...
  printf -- '---\napiVersion: v1\nkind: Secret\nmetadata: { name: %s }\nstringData:\n' "$1"
  shift
  for pair in "$@"; do printf "  %s: '%s'\n" "${pair%%=*}" "${pair#*=}"; done
}
{
  secret postgres "password=$POSTGRES_PASSWORD"
  secret redis "password=$REDIS_PASSWORD"
  secret bahi-keys "master-key=$MASTER_KEY" "fraud-hash-key=$FRAUD_HASH_KEY"
  secret checkpoint-key "key=$CHECKPOINT_KEY"
  secret provider "api-key=$PROVIDER_API_KEY" "webhook-secret=$PROVIDER_WEBHOOK_SECRET"
  secret order-command-database "password=$ORDER_COMMAND_DB_PASSWORD"
  secret order-query-database "password=$ORDER_QUERY_DB_PASSWORD"
  secret wallet-database "password=$WALLET_DB_PASSWORD"
  secret payment-saga-database "password=$PAYMENT_SAGA_DB_PASSWORD"
  secret fraud-database "password=$FRAUD_DB_PASSWORD"
  secret provider-sandbox-database "password=$PROVIDER_SANDBOX_DB_PASSWORD"
} >"$folder/secrets.yaml"
echo "passwords and keys are in $folder/secrets.yaml"
