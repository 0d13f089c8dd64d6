-- Messages to people, written with the alert, sent afterwards: one row per (alert, step, person).

CREATE TABLE notification (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id bigint NOT NULL REFERENCES alert (id),
    step text NOT NULL,
    person text NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    body jsonb NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    sent_at timestamptz,
    error text,
    UNIQUE (alert_id, step, person)
);
CREATE INDEX notification_due ON notification (due_at) WHERE state = 'waiting';

-- What the backend asks of a gateway; sent by ingest, which holds the connection to the broker.
CREATE TABLE command (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway_id text NOT NULL REFERENCES gateway (id),
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    sent_at timestamptz,
    done_at timestamptz
);
CREATE INDEX command_open ON command (until) WHERE done_at IS NULL;
