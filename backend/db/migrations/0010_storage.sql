-- Storage that lasts. What homes send lands in `segment`, cut into chunks of ten minutes by the time it was *received*: a chunk that is over
-- is complete, whatever the age of its readings, so nothing has to remember what is new. The worker empties it: some thousand series per
-- transaction become long segments (history) and are added to the rollups. See docs/storage.md.

-- How long readings are kept: a few classes, because whole chunks can only be dropped where all they hold expires together.
CREATE TABLE retention_class (
    name text PRIMARY KEY CHECK (name IN ('brief', 'usual', 'lasting')),
    raw_days integer NOT NULL CHECK (raw_days >= 1),
    minute_days integer NOT NULL,
    rollup_days integer NOT NULL CHECK (rollup_days <= 36525),
    source text NOT NULL,
    CHECK (raw_days <= minute_days AND minute_days <= rollup_days)
);
INSERT INTO retention_class VALUES
    ('brief', 7, 30, 1096, 'project''s choice: technical and very fast quantities'),
    ('usual', 30, 180, 3653, 'project''s choice: continuous vital signs'),
    ('lasting', 5479, 5479, 5479, '医疗机构病历管理规定(2013年版) 第二十九条: outpatient records are kept for at least 15 years');

-- A quantity that is not named here is `usual`.
CREATE TABLE retention (
    quantity text PRIMARY KEY,
    class text NOT NULL REFERENCES retention_class (name)
);
INSERT INTO retention VALUES
    ('beat_interval', 'brief'), ('body_movement', 'brief'), ('battery', 'brief'),
    ('blood_pressure_systolic', 'lasting'), ('blood_pressure_diastolic', 'lasting'), ('blood_pressure_mean', 'lasting'),
    ('body_temperature', 'lasting'), ('glucose', 'lasting'), ('weight', 'lasting');

DROP VIEW reading;

-- A table of chunks by time: a hypertable where TimescaleDB is, else range partitions that the worker makes ahead, and one for all the rest.
CREATE FUNCTION make_chunked(name text, columns text, by text, chunk interval) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        EXECUTE format('CREATE TABLE %I (%s)', name, columns);
        PERFORM create_hypertable(name::regclass, by::name, chunk_time_interval => chunk, create_default_indexes => false);
    ELSE
        EXECUTE format('CREATE TABLE %I (%s) PARTITION BY RANGE (%I)', name, columns, by);
        EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', name || '_default', name);
    END IF;
END $$;

SELECT make_chunked('inbox', $$
    series_id integer NOT NULL,
    start_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    offsets_ms integer[] NOT NULL,
    values_ real[] NOT NULL,
    CHECK (cardinality(offsets_ms) = cardinality(values_)),
    CHECK (cardinality(values_) > 0)
$$, 'received_at', '10 minutes');
INSERT INTO inbox SELECT series_id, start_at, received_at, offsets_ms, values_ FROM segment;
DROP TABLE segment;
ALTER TABLE inbox RENAME TO segment;
ALTER TABLE IF EXISTS inbox_default RENAME TO segment_default;
CREATE INDEX segment_by_series ON segment (series_id, start_at);

-- history: readings of one series within one clock hour (UTC), oldest first. Instants: start_at, then `step_ms` apart, or `gaps_ms` each after
-- the one before (the first gap is 0; wide_gaps_ms where one does not fit 16 bits). Values: scaled / 10^decimals, or values_ where those would
-- not give the same 32-bit float again. They were received in received_from..received_to, each at most delay_ms_max after it was measured.
-- rollup_minute: minutes of one clock hour; rollup_day: hours of one day (UTC) and the day. Arrays have one place per bucket that has
-- plausible readings, in order.
DO $$
DECLARE
    class text;
    history_days integer;
    minute_days integer;
    day_days integer;
BEGIN
    FOR class, history_days, minute_days, day_days IN VALUES ('brief', 1, 7, 30), ('usual', 1, 7, 90), ('lasting', 30, 30, 365) LOOP
        PERFORM make_chunked('history_' || class, $c$
            series_id integer NOT NULL,
            start_at timestamptz NOT NULL,
            received_from timestamptz NOT NULL,
            received_to timestamptz NOT NULL,
            delay_ms_max bigint NOT NULL,
            step_ms integer,
            decimals smallint,
            gaps_ms smallint[],
            wide_gaps_ms integer[],
            scaled smallint[],
            values_ real[],
            CHECK (num_nonnulls(step_ms, gaps_ms, wide_gaps_ms) = 1),
            CHECK (num_nonnulls(scaled, values_) = 1 AND num_nonnulls(scaled, decimals) IN (0, 2)),
            CHECK (cardinality(coalesce(gaps_ms::integer[], wide_gaps_ms)) = coalesce(cardinality(scaled), cardinality(values_)))
        $c$, 'start_at', make_interval(days => history_days));
        EXECUTE format('CREATE INDEX %I ON %I (series_id, start_at)', 'history_' || class || '_by_series', 'history_' || class);

        PERFORM make_chunked('rollup_minute_' || class, $c$
            series_id integer NOT NULL,
            start_at timestamptz NOT NULL,
            minutes smallint[] NOT NULL,
            counts integer[] NOT NULL,
            means real[] NOT NULL,
            lows real[] NOT NULL,
            highs real[] NOT NULL
        $c$, 'start_at', make_interval(days => minute_days));
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (series_id, start_at)', 'rollup_minute_' || class || '_once', 'rollup_minute_' || class);

        PERFORM make_chunked('rollup_day_' || class, $c$
            series_id integer NOT NULL,
            start_at timestamptz NOT NULL,
            count integer NOT NULL,
            mean double precision NOT NULL,
            low real NOT NULL,
            high real NOT NULL,
            hours smallint[] NOT NULL,
            counts integer[] NOT NULL,
            means double precision[] NOT NULL,
            lows real[] NOT NULL,
            highs real[] NOT NULL
        $c$, 'start_at', make_interval(days => day_days));
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (series_id, start_at)', 'rollup_day_' || class || '_once', 'rollup_day_' || class);
    END LOOP;
END $$;
DROP FUNCTION make_chunked;

CREATE VIEW history AS
SELECT series_id, start_at, received_from, received_to, delay_ms_max, step_ms, decimals, gaps_ms, wide_gaps_ms, scaled, values_ FROM history_brief
UNION ALL
SELECT series_id, start_at, received_from, received_to, delay_ms_max, step_ms, decimals, gaps_ms, wide_gaps_ms, scaled, values_ FROM history_usual
UNION ALL
SELECT series_id, start_at, received_from, received_to, delay_ms_max, step_ms, decimals, gaps_ms, wide_gaps_ms, scaled, values_ FROM history_lasting;

CREATE VIEW rollup_minute AS
SELECT series_id, start_at, minutes, counts, means, lows, highs FROM rollup_minute_brief
UNION ALL
SELECT series_id, start_at, minutes, counts, means, lows, highs FROM rollup_minute_usual
UNION ALL
SELECT series_id, start_at, minutes, counts, means, lows, highs FROM rollup_minute_lasting;

CREATE VIEW rollup_day AS
SELECT series_id, start_at, count, mean, low, high, hours, counts, means, lows, highs FROM rollup_day_brief
UNION ALL
SELECT series_id, start_at, count, mean, low, high, hours, counts, means, lows, highs FROM rollup_day_usual
UNION ALL
SELECT series_id, start_at, count, mean, low, high, hours, counts, means, lows, highs FROM rollup_day_lasting;

CREATE FUNCTION long_offsets_ms(step_ms integer, gaps integer[], length integer) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN step_ms IS NOT NULL THEN ARRAY(SELECT place * step_ms FROM generate_series(0, length - 1) AS place)
        ELSE ARRAY(SELECT sum(gap) OVER (ORDER BY place)::integer FROM unnest(gaps) WITH ORDINALITY AS one (gap, place) ORDER BY place)
    END
$$;
CREATE FUNCTION long_values(scaled smallint[], decimals smallint) RETURNS real[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY(
        SELECT (number / (10::double precision ^ decimals))::real FROM unnest(scaled) WITH ORDINALITY AS one (number, place) ORDER BY place
    )
$$;

-- Fresh and long segments in one shape. received_at + delay: an instant at which each reading had been received.
CREATE VIEW any_segment AS
SELECT series_id, start_at, received_at, NULL::bigint AS delay_ms_max, offsets_ms, values_ FROM segment
UNION ALL
SELECT series_id, start_at, received_to, delay_ms_max,
       long_offsets_ms(step_ms, coalesce(gaps_ms::integer[], wide_gaps_ms), coalesce(cardinality(scaled), cardinality(values_))),
       coalesce(values_, long_values(scaled, decimals))
FROM history;

-- One row per reading, for people and for Grafana. A query of a span should name segment_at too, from an hour before it: that is indexed.
CREATE VIEW reading AS
SELECT s.elder_id, s.gateway_id, s.device_id, s.quantity, s.statistic,
       g.start_at + item.offset_ms * interval '1 ms' AS measured_at,
       CASE WHEN g.delay_ms_max IS NULL THEN g.received_at
            ELSE least(g.received_at, g.start_at + (item.offset_ms + g.delay_ms_max) * interval '1 ms') END AS received_at,
       item.value,
       g.start_at AS segment_at
FROM any_segment g
JOIN series s ON s.id = g.series_id
CROSS JOIN LATERAL unnest(g.offsets_ms, g.values_) AS item (offset_ms, value);

-- Rollups, one row per bucket. They lack what was received in the last minutes and lies in `segment` still.
CREATE VIEW reading_minute AS
SELECT s.elder_id, s.gateway_id, s.device_id, s.quantity, s.statistic, r.start_at + item.minute * interval '1 minute' AS at,
       item.count, item.mean, item.low, item.high, r.start_at AS segment_at
FROM rollup_minute r
JOIN series s ON s.id = r.series_id
CROSS JOIN LATERAL unnest(r.minutes, r.counts, r.means, r.lows, r.highs) AS item (minute, count, mean, low, high);

CREATE VIEW reading_hour AS
SELECT s.elder_id, s.gateway_id, s.device_id, s.quantity, s.statistic, r.start_at + item.hour * interval '1 hour' AS at,
       item.count, item.mean, item.low, item.high, r.start_at AS segment_at
FROM rollup_day r
JOIN series s ON s.id = r.series_id
CROSS JOIN LATERAL unnest(r.hours, r.counts, r.means, r.lows, r.highs) AS item (hour, count, mean, low, high);

CREATE VIEW reading_day AS
SELECT s.elder_id, s.gateway_id, s.device_id, s.quantity, s.statistic, r.start_at AS at, r.count, r.mean, r.low, r.high, r.start_at AS segment_at
FROM rollup_day r
JOIN series s ON s.id = r.series_id;

-- What the worker's storage jobs did last, for the health dashboard.
CREATE TABLE storage_job (
    name text PRIMARY KEY,
    done_at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    readings bigint NOT NULL DEFAULT 0,
    detail text NOT NULL DEFAULT ''
);
