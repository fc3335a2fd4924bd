#!/bin/bash
# Run by the postgres image on its first start: a database and a role for each app, and no way from one to another's.
set -euo pipefail

for app in order_command order_query wallet payment_saga fraud provider_sandbox; do
  password_variable="${app^^}_DB_PASSWORD"
  # The password comes by a variable of psql that it reads from its environment: not in arguments, which `ps` shows.
  PASSWORD=${!password_variable:?} psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres --quiet <<SQL
\getenv password PASSWORD
CREATE ROLE $app LOGIN PASSWORD :'password';
CREATE DATABASE $app OWNER $app;
REVOKE ALL ON DATABASE $app FROM PUBLIC;
SQL
done

# The keys of persons, apart from what they open: made and destroyed by order-command, made by wallet too, read by who shows or sends what is sealed.
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres --quiet <<SQL
CREATE DATABASE keys OWNER order_command;
REVOKE ALL ON DATABASE keys FROM PUBLIC;
GRANT CONNECT ON DATABASE keys TO order_query, payment_saga, wallet;
\connect keys
CREATE SCHEMA keys AUTHORIZATION order_command;
GRANT USAGE ON SCHEMA keys TO order_query, payment_saga, wallet;
ALTER DEFAULT PRIVILEGES FOR ROLE order_command IN SCHEMA keys GRANT SELECT ON TABLES TO order_query, payment_saga;
ALTER DEFAULT PRIVILEGES FOR ROLE order_command IN SCHEMA keys GRANT SELECT, INSERT ON TABLES TO wallet;
SQL
