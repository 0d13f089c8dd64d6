-- Cases: what people work on. An alert stays the condition of one rule; related alerts of one home within minutes are one case, and what
-- people do (take, call, send a doctor, resolve, close with a code) is done to the case. See backend/cases/lifecycle.py for the table of moves.
-- `alert.acknowledged_by` and the state `acknowledged` are no longer written; programs of the release before may still read them.

CREATE TABLE care_case (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    elder_id text REFERENCES elder (id),
    gateway_id text REFERENCES gateway (id),
    is_group boolean NOT NULL DEFAULT false,
    priority text NOT NULL CHECK (priority IN ('high', 'medium', 'low', 'technical')),
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'taken', 'in_hand', 'resolved', 'closed')),
    opened_at timestamptz NOT NULL,
    known_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    waiting_since timestamptz NOT NULL,
    taken_by text,
    taken_at timestamptz,
    begun_at timestamptz,
    resolved_at timestamptz,
    closed_by text,
    closed_at timestamptz,
    disposition text CHECK (disposition IN ('real', 'false', 'test', 'technical', 'no_reply')),
    -- The one timer of an open case: which step of its ladder is next, and when. What has been told and flagged stays in case_step.
    next_step text,
    next_at timestamptz,
    asked text[] NOT NULL DEFAULT '{}',
    flagged_at timestamptz,
    CHECK (is_group = (elder_id IS NULL AND gateway_id IS NULL)),
    CONSTRAINT care_case_one_timer CHECK ((state <> 'closed') = (next_step IS NOT NULL AND next_at IS NOT NULL)),
    CONSTRAINT care_case_closed_with_a_code CHECK ((state = 'closed') = (closed_at IS NOT NULL AND closed_by IS NOT NULL AND disposition IS NOT NULL)),
    CONSTRAINT care_case_new_is_nobodys CHECK (state <> 'new' OR (taken_by IS NULL AND taken_at IS NULL)),
    CONSTRAINT care_case_taken_by_somebody CHECK (state IN ('new', 'closed') OR (taken_by IS NOT NULL AND taken_at IS NOT NULL))
);
CREATE INDEX care_case_open ON care_case ((coalesce(elder_id, 'gateway:' || gateway_id))) WHERE state <> 'closed';
CREATE INDEX care_case_due ON care_case (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX care_case_by_elder ON care_case (elder_id, opened_at);
CREATE INDEX care_case_open_groups ON care_case (id) WHERE is_group AND state <> 'closed';

-- The table of moves again, kept by the database. `new` may only be closed by the system: everything in it has ended by itself.
CREATE FUNCTION refuse_case_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = NEW.state AND (
        OLD.state <> 'closed' OR (OLD.taken_by, OLD.closed_by, OLD.closed_at, OLD.disposition) IS NOT DISTINCT FROM
                                 (NEW.taken_by, NEW.closed_by, NEW.closed_at, NEW.disposition)
    ) THEN
        RETURN NEW;
    END IF;
    IF (OLD.state, NEW.state) IN (
        ('new', 'taken'), ('taken', 'in_hand'), ('taken', 'resolved'), ('in_hand', 'resolved'), ('resolved', 'in_hand'), ('resolved', 'closed'),
        ('taken', 'new'), ('in_hand', 'new'), ('resolved', 'new')
    ) OR (NEW.state = 'closed' AND OLD.state <> 'closed' AND NEW.closed_by = 'system') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'case % cannot go from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER care_case_moves BEFORE UPDATE ON care_case FOR EACH ROW EXECUTE FUNCTION refuse_case_move();

CREATE TABLE case_step (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id bigint NOT NULL REFERENCES care_case (id),
    at timestamptz NOT NULL,
    by text NOT NULL,
    action text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX case_step_by_case ON case_step (case_id, id);
CREATE INDEX case_step_by_time ON case_step (at) WHERE action IN ('opened', 'reopened');
CREATE TRIGGER case_step_is_append_only BEFORE UPDATE OR DELETE ON case_step FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE alert ADD COLUMN case_id bigint REFERENCES care_case (id);
CREATE INDEX alert_by_case ON alert (case_id);

-- What is open becomes one case per home and kind (for technical trouble, and for everything else), taken by whoever has taken any of it.
CREATE TEMPORARY TABLE opening ON COMMIT DROP AS
SELECT array_agg(id) AS alert_ids, elder_id, CASE WHEN elder_id IS NULL THEN gateway_id END AS gateway_id,
       (array_agg(priority ORDER BY array_position(ARRAY['high', 'medium', 'low', 'technical'], priority)))[1] AS priority,
       min(opened_at) AS opened_at, min(known_at) AS known_at, max(changed_at) AS changed_at,
       (array_agg(acknowledged_by ORDER BY acknowledged_at DESC NULLS LAST))[1] AS taken_by, max(acknowledged_at) AS taken_at
FROM alert WHERE state <> 'closed' GROUP BY elder_id, CASE WHEN elder_id IS NULL THEN gateway_id END, priority = 'technical';

DO $$
DECLARE
    one record;
    made bigint;
BEGIN
    FOR one IN SELECT * FROM opening LOOP
        INSERT INTO care_case (elder_id, gateway_id, priority, state, opened_at, known_at, changed_at, waiting_since, taken_by, taken_at, next_step, next_at)
        VALUES (one.elder_id, one.gateway_id, one.priority, CASE WHEN one.taken_by IS NULL THEN 'new' ELSE 'taken' END, one.opened_at, one.known_at,
                one.changed_at, one.known_at, one.taken_by, one.taken_at, CASE WHEN one.taken_by IS NULL THEN 'second' ELSE 'idle' END, now())
        RETURNING id INTO made;
        INSERT INTO case_step (case_id, at, by, action) VALUES (made, one.known_at, 'system', 'opened');
        IF one.taken_by IS NOT NULL THEN
            INSERT INTO case_step (case_id, at, by, action) VALUES (made, one.taken_at, one.taken_by, 'taken');
        END IF;
        UPDATE alert SET case_id = made, state = 'new', acknowledged_by = NULL, acknowledged_at = NULL WHERE id = ANY(one.alert_ids);
    END LOOP;
END $$;
