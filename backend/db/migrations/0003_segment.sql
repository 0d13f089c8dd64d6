-- Segments: one row per (series, batch), arrays of offsets and values. A hypertable where TimescaleDB is, else partitions by time.

DO $$
BEGIN
    IF current_setting('shared_preload_libraries') LIKE '%timescaledb%' THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
        CREATE TABLE segment (
            series_id integer NOT NULL REFERENCES series (id),
            start_at timestamptz NOT NULL,
            received_at timestamptz NOT NULL,
            offsets_ms integer[] NOT NULL,
            values_ real[] NOT NULL,
            CHECK (cardinality(offsets_ms) = cardinality(values_)),
            CHECK (cardinality(values_) > 0)
        );
        PERFORM create_hypertable('segment', 'start_at', chunk_time_interval => interval '1 day', create_default_indexes => false);
    ELSE
        CREATE TABLE segment (
            series_id integer NOT NULL REFERENCES series (id),
            start_at timestamptz NOT NULL,
            received_at timestamptz NOT NULL,
            offsets_ms integer[] NOT NULL,
            values_ real[] NOT NULL,
            CHECK (cardinality(offsets_ms) = cardinality(values_)),
            CHECK (cardinality(values_) > 0)
        ) PARTITION BY RANGE (start_at);
        -- Readings of any date find a place here even before the worker has made their day's partition.
        CREATE TABLE segment_default PARTITION OF segment DEFAULT;
    END IF;
END $$;

CREATE INDEX segment_by_series ON segment (series_id, start_at);

-- One row per reading, for people and for Grafana.
CREATE VIEW reading AS
SELECT s.elder_id, s.gateway_id, s.device_id, s.quantity, s.statistic,
       g.start_at + item.offset_ms * interval '1 ms' AS measured_at,
       g.received_at,
       item.value
FROM segment g
JOIN series s ON s.id = g.series_id
CROSS JOIN LATERAL unnest(g.offsets_ms, g.values_) AS item (offset_ms, value);
