-- Visits of doctors to homes: one request, offers to one doctor after another, and every step with who and when.

CREATE TABLE visit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    elder_id text NOT NULL REFERENCES elder (id),
    alert_id bigint REFERENCES alert (id),
    class text NOT NULL CHECK (class IN ('emergency', 'urgent', 'same_day', 'by_date')),
    reason text NOT NULL,
    state text NOT NULL DEFAULT 'requested'
        CHECK (state IN ('requested', 'offered', 'accepted', 'on_the_way', 'at_home', 'done', 'cancelled')),
    doctor_id text REFERENCES doctor (id),
    requested_at timestamptz NOT NULL,
    requested_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    next_at timestamptz,
    rounds integer NOT NULL DEFAULT 0,
    findings text,
    outcome text CHECK (outcome IN ('well', 'treated', 'referred', 'emergency', 'not_met')),
    -- An open request always has a timer and a closed one never, so that none can be forgotten.
    CHECK ((next_at IS NOT NULL) = (state IN ('requested', 'offered'))),
    CHECK ((doctor_id IS NOT NULL) OR state IN ('requested', 'offered', 'cancelled')),
    CHECK ((state = 'done') = (findings IS NOT NULL AND outcome IS NOT NULL))
);
CREATE UNIQUE INDEX visit_one_open_per_alert ON visit (alert_id) WHERE state NOT IN ('done', 'cancelled');
CREATE INDEX visit_due ON visit (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX visit_by_change ON visit (changed_at);
CREATE INDEX visit_by_elder ON visit (elder_id, requested_at);

CREATE TABLE visit_offer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    visit_id bigint NOT NULL REFERENCES visit (id),
    round integer NOT NULL,
    doctor_id text NOT NULL REFERENCES doctor (id),
    why text NOT NULL CHECK (why IN ('own_doctor', 'own_team', 'fallback_team', 'by_hand')),
    offered_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    answer text CHECK (answer IN ('accepted', 'declined', 'expired', 'withdrawn')),
    answered_at timestamptz,
    decline_reason text CHECK (decline_reason IN ('with_patient', 'too_far', 'off_duty', 'not_my_field', 'other')),
    UNIQUE (visit_id, round, doctor_id),
    CHECK ((answer IS NULL) = (answered_at IS NULL)),
    CHECK ((answer IS NOT DISTINCT FROM 'declined') = (decline_reason IS NOT NULL))
);
CREATE UNIQUE INDEX visit_offer_one_winner ON visit_offer (visit_id) WHERE answer = 'accepted';
CREATE INDEX visit_offer_open ON visit_offer (doctor_id) WHERE answer IS NULL;

CREATE TABLE visit_step (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    visit_id bigint NOT NULL REFERENCES visit (id),
    at timestamptz NOT NULL,
    by text NOT NULL,
    state text NOT NULL,
    doctor_id text,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX visit_step_by_visit ON visit_step (visit_id, id);
CREATE TRIGGER visit_step_is_append_only BEFORE UPDATE OR DELETE ON visit_step FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
