-- Readings, events, and what makes each of them count exactly once.

-- One row per outbox file of a gateway: which of its sequences are committed. Moved in the transaction that stores them.
CREATE TABLE gateway_log (
    gateway_id text NOT NULL REFERENCES gateway (id),
    log_id text NOT NULL,
    stored int8multirange NOT NULL DEFAULT '{}',
    readings bigint NOT NULL DEFAULT 0,
    events bigint NOT NULL DEFAULT 0,
    repeats bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (gateway_id, log_id)
);

CREATE TABLE series (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway_id text NOT NULL REFERENCES gateway (id),
    device_id text NOT NULL,
    quantity text NOT NULL,
    statistic text NOT NULL CHECK (statistic IN ('sample', 'mean', 'min', 'max')),
    elder_id text REFERENCES elder (id),
    last_at timestamptz,
    last_value real,
    UNIQUE (gateway_id, device_id, quantity, statistic)
);
CREATE INDEX series_by_elder ON series (elder_id, quantity);

CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway_id text NOT NULL REFERENCES gateway (id),
    event_id text NOT NULL,
    device_id text NOT NULL,
    elder_id text REFERENCES elder (id),
    kind text NOT NULL,
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    confidence real CHECK (confidence BETWEEN 0 AND 1),
    detail text,
    acceleration jsonb,
    alert_id bigint,
    UNIQUE (gateway_id, event_id)
);
CREATE INDEX event_by_elder ON event (elder_id, at);
CREATE INDEX event_by_alert ON event (alert_id);

-- Bytes nobody could read, kept for a human. They were answered, so the home is not blocked by them.
CREATE TABLE ingest_reject (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    topic text NOT NULL,
    gateway_id text,
    digest text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    payload bytea NOT NULL
);
CREATE UNIQUE INDEX ingest_reject_once ON ingest_reject (topic, digest);
