#!/usr/bin/env bash
# A database and a role of its own for each service; PostgreSQL's image runs this once, when the cluster is made.
set -euo pipefail
make_database() {
    if [ -z "$2" ]; then
        echo "roles: the password of $1 is not set: \`make env\` writes one into .env" >&2
        exit 1
    fi
    # psql quotes what it is given, and passwords stay out of its command line
    PASSWORD="$2" psql --set=ON_ERROR_STOP=1 --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname postgres --set=name="$1" <<'SQL'
\getenv password PASSWORD
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
}
make_database gateway "${GATEWAY_DATABASE_PASSWORD:-}"
make_database bot "${BOT_DATABASE_PASSWORD:-}"
make_database mlflow "${MLFLOW_DATABASE_PASSWORD:-}"
