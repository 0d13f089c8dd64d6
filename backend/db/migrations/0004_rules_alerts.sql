-- Rules with their history, and the alerts they raise.

CREATE TABLE rule (
    id text NOT NULL CHECK (id ~ '^[a-z][a-z0-9_]{0,39}$'),
    version integer NOT NULL CHECK (version >= 1),
    body jsonb NOT NULL,
    valid_from timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    is_retired boolean NOT NULL DEFAULT false,
    PRIMARY KEY (id, version)
);

-- One alert is one work item. `state` is what people did, `condition` is what the body or the device does.
CREATE TABLE alert (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    elder_id text REFERENCES elder (id),
    gateway_id text REFERENCES gateway (id),
    rule_id text NOT NULL,
    rule_version integer NOT NULL,
    priority text NOT NULL CHECK (priority IN ('high', 'medium', 'low', 'technical')),
    level text NOT NULL,
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'acknowledged', 'closed')),
    condition text NOT NULL DEFAULT 'active' CHECK (condition IN ('active', 'silent', 'recovered', 'cancelled')),
    opened_at timestamptz NOT NULL,
    known_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    count integer NOT NULL DEFAULT 1,
    last_at timestamptz NOT NULL,
    evidence jsonb NOT NULL DEFAULT '{}',
    acknowledged_by text,
    acknowledged_at timestamptz,
    closed_by text,
    closed_at timestamptz,
    disposition text CHECK (disposition IN ('real', 'false', 'test', 'technical', 'no_reply')),
    FOREIGN KEY (rule_id, rule_version) REFERENCES rule (id, version),
    CHECK (elder_id IS NOT NULL OR gateway_id IS NOT NULL),
    CHECK ((state = 'closed') = (closed_at IS NOT NULL AND closed_by IS NOT NULL AND disposition IS NOT NULL)),
    CHECK (state <> 'acknowledged' OR (acknowledged_by IS NOT NULL AND acknowledged_at IS NOT NULL))
);
CREATE UNIQUE INDEX alert_one_open ON alert ((coalesce(elder_id, 'gateway:' || gateway_id)), rule_id) WHERE state <> 'closed';
CREATE INDEX alert_by_change ON alert (changed_at);
CREATE INDEX alert_by_elder ON alert (elder_id, opened_at);

ALTER TABLE event ADD FOREIGN KEY (alert_id) REFERENCES alert (id);

CREATE TABLE alert_step (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id bigint NOT NULL REFERENCES alert (id),
    at timestamptz NOT NULL,
    by text NOT NULL,
    action text NOT NULL CHECK (action IN ('opened', 'repeated', 'raised', 'silent', 'recovered', 'cancelled', 'reopened', 'acknowledged', 'noted', 'dispatched', 'closed')),
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX alert_step_by_alert ON alert_step (alert_id, id);
CREATE TRIGGER alert_step_is_append_only BEFORE UPDATE OR DELETE ON alert_step FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
