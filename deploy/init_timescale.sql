-- Once, as the superuser of a PostgreSQL with shared_preload_libraries = 'timescaledb', before `python -m backend migrate`:
--   psql --set password="$JIAHU_DATABASE_PASSWORD" --file deploy/init_timescale.sql
-- The backend itself needs no superuser.

CREATE ROLE jiahu LOGIN PASSWORD :'password';
-- The migrations look whether TimescaleDB is preloaded.
GRANT pg_read_all_settings TO jiahu;
CREATE DATABASE jiahu OWNER jiahu ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0;
\connect jiahu
CREATE EXTENSION IF NOT EXISTS timescaledb;
