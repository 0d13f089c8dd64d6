-- What surrounds a case: who is on duty, whom one calls, what rests for a while, and messages to everybody who works on it.

-- Who answers calls when. `second` is asked when nobody has taken a call for 60 s; `on_call` is at home with a telephone.
CREATE TABLE duty (
    account_name text NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    part text NOT NULL CHECK (part IN ('desk', 'second', 'supervisor', 'on_call')),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    PRIMARY KEY (account_name, part, starts_at)
);
CREATE INDEX duty_by_end ON duty (ends_at);

-- The note from one shift to the next, and the cases that went with it.
CREATE TABLE handover (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    from_name text NOT NULL REFERENCES account (name),
    to_name text NOT NULL REFERENCES account (name) CHECK (to_name <> from_name),
    note text NOT NULL CHECK (note <> ''),
    case_ids bigint[] NOT NULL DEFAULT '{}',
    read_at timestamptz
);
CREATE INDEX handover_unread ON handover (to_name) WHERE read_at IS NULL;

-- One row per telephone call of the contact plan; one at a time per case.
CREATE TABLE contact_try (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id bigint NOT NULL REFERENCES care_case (id),
    person text NOT NULL,
    name text NOT NULL,
    by text NOT NULL,
    called_at timestamptz NOT NULL,
    ended_at timestamptz,
    result text CHECK (result IN ('reached', 'no_answer', 'busy', 'switched_off', 'wrong_number', 'refused')),
    CHECK ((result IS NULL) = (ended_at IS NULL))
);
CREATE INDEX contact_try_by_case ON contact_try (case_id, id);
CREATE UNIQUE INDEX contact_try_one_at_a_time ON contact_try (case_id) WHERE result IS NULL;

-- What rests for a while, with a reason and an end: a rule or device of a home that is shelved, a home under maintenance, an elder away.
CREATE TABLE rest (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('shelved', 'maintenance', 'away', 'hospital')),
    rule_id text,
    device_id text,
    reason text NOT NULL CHECK (reason <> ''),
    by text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    ended_at timestamptz,
    ended_by text,
    CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CHECK (kind <> 'shelved' OR rule_id IS NOT NULL)
);
CREATE INDEX rest_in_force ON rest (subject) WHERE ended_at IS NULL;
ALTER TABLE care_case ADD COLUMN rests_until timestamptz;

-- How a person is told: a channel and an address for some priorities, never without consent. `person`: account:NAME or contact:ELDER:POSITION.
CREATE TABLE notify_route (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('log', 'webhook', 'email', 'service')),
    address text NOT NULL,
    priorities text[] NOT NULL CHECK (priorities <@ ARRAY['high', 'medium', 'low', 'technical'] AND cardinality(priorities) > 0),
    quiet_from time,
    quiet_to time,
    quiet_spares_high boolean NOT NULL DEFAULT true,
    zone text NOT NULL DEFAULT 'Asia/Shanghai',
    consented_at timestamptz NOT NULL,
    consented_to text NOT NULL,
    withdrawn_at timestamptz,
    CHECK ((quiet_from IS NULL) = (quiet_to IS NULL))
);
CREATE UNIQUE INDEX notify_route_once ON notify_route (person, channel, address) WHERE withdrawn_at IS NULL;

ALTER TABLE contact DROP CONSTRAINT contact_notify_channel_check;
ALTER TABLE contact ADD CONSTRAINT contact_notify_channel_check CHECK (notify_channel IN ('log', 'webhook', 'email', 'service'));

-- A message belongs to an alert (the elder's contacts) or to a step of a case (operators and supervisors). `key` is the same at every try.
ALTER TABLE notification ALTER COLUMN alert_id DROP NOT NULL;
ALTER TABLE notification ADD COLUMN case_id bigint REFERENCES care_case (id);
ALTER TABLE notification ADD COLUMN key uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE notification ADD COLUMN read_at timestamptz;
ALTER TABLE notification ADD COLUMN read_by text;
ALTER TABLE notification ADD CONSTRAINT notification_about_something CHECK (alert_id IS NOT NULL OR case_id IS NOT NULL);
CREATE UNIQUE INDEX notification_once_per_case ON notification (case_id, step, person) WHERE alert_id IS NULL;
CREATE UNIQUE INDEX notification_by_key ON notification (key);
CREATE INDEX notification_by_case ON notification (case_id) WHERE case_id IS NOT NULL;

-- When a message may go that is known at `at`: at once, or when the quiet hours it falls into are over.
CREATE FUNCTION after_quiet(at timestamptz, zone text, quiet_from time, quiet_to time) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN quiet_from IS NULL OR NOT CASE
            WHEN quiet_from <= quiet_to THEN clock >= quiet_from AND clock < quiet_to
            ELSE clock >= quiet_from OR clock < quiet_to
        END THEN at
        ELSE (day + quiet_to + CASE WHEN clock < quiet_to THEN interval '0' ELSE interval '1 day' END) AT TIME ZONE zone
    END
    FROM (SELECT (at AT TIME ZONE zone)::time AS clock, (at AT TIME ZONE zone)::date AS day) local
$$;
