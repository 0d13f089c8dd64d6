-- What rules said, in event time: an alert is what people work on, an episode is when the rule's condition held, as far as is known now.
-- Late data rewrite episodes; they never unmake an alert.

CREATE TABLE episode (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    elder_id text REFERENCES elder (id),
    gateway_id text NOT NULL REFERENCES gateway (id),
    rule_id text NOT NULL,
    rule_version integer NOT NULL,
    overrides bigint[] NOT NULL DEFAULT '{}',
    source text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    last_at timestamptz NOT NULL,
    steps jsonb NOT NULL,
    peak double precision NOT NULL,
    known_at timestamptz NOT NULL,
    samples jsonb NOT NULL DEFAULT '[]',
    alert_id bigint REFERENCES alert (id),
    FOREIGN KEY (rule_id, rule_version) REFERENCES rule (id, version),
    CHECK (closed_at >= opened_at)
);
CREATE UNIQUE INDEX episode_once ON episode ((coalesce(elder_id, 'gateway:' || gateway_id)), rule_id, source, opened_at);
CREATE INDEX episode_by_end ON episode ((coalesce(elder_id, 'gateway:' || gateway_id)), (coalesce(closed_at, 'infinity')));
CREATE INDEX episode_by_alert ON episode (alert_id);
CREATE INDEX episode_by_rule ON episode (rule_id, opened_at);

-- When something was last heard of an elder: rules that miss it ask this row, not hours of readings.
CREATE TABLE last_sign (
    elder_id text NOT NULL REFERENCES elder (id) ON DELETE CASCADE,
    name text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (elder_id, name)
);
CREATE INDEX last_sign_by_name ON last_sign (name, at);

-- An elder who is away, or in hospital: what does not happen at home then alarms nobody. It ends by itself.
CREATE TABLE away (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    elder_id text NOT NULL REFERENCES elder (id) ON DELETE CASCADE,
    from_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    reason text NOT NULL,
    by text NOT NULL,
    CHECK (until_at > from_at)
);
CREATE INDEX away_by_elder ON away (elder_id, until_at);

-- What no device of a home says, filled in by a person: on oxygen, and awake (NEWS2).
CREATE TABLE observation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    elder_id text NOT NULL REFERENCES elder (id) ON DELETE CASCADE,
    at timestamptz NOT NULL,
    on_oxygen boolean,
    consciousness text CHECK (consciousness IN ('A', 'C', 'V', 'P', 'U')),
    by text NOT NULL,
    CHECK (on_oxygen IS NOT NULL OR consciousness IS NOT NULL)
);
CREATE INDEX observation_by_elder ON observation (elder_id, at);

CREATE INDEX event_by_device ON event (gateway_id, device_id, kind, at);

-- What is open now goes on: an alert that a number raised has an episode from here.
INSERT INTO episode (elder_id, gateway_id, rule_id, rule_version, source, opened_at, last_at, steps, peak, known_at, alert_id)
SELECT a.elder_id, a.gateway_id, a.rule_id, a.rule_version, coalesce(a.evidence -> 'devices' ->> 0, ''), a.opened_at, a.last_at,
    jsonb_build_array(jsonb_build_array((extract(epoch FROM a.opened_at) * 1000000)::bigint, jsonb_build_array(a.level))),
    coalesce((a.evidence ->> 'value')::double precision, 0), a.known_at, a.id
FROM alert a JOIN rule r ON r.id = a.rule_id AND r.version = a.rule_version
WHERE a.state <> 'closed' AND a.condition IN ('active', 'silent') AND a.gateway_id IS NOT NULL AND r.body ->> 'kind' = 'threshold';
