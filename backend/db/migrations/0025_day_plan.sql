-- Visits that are due by a date, plans of a team's day made from them, and travel times learnt from our own trips.

CREATE TABLE due_visit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    elder_id text NOT NULL REFERENCES elder (id) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('elder_checkup', 'hypertension_followup', 'diabetes_followup', 'home_bed_round', 'two_week_check', 'other')),
    opens_on date NOT NULL,
    due_on date NOT NULL,
    part text NOT NULL DEFAULT 'any' CHECK (part IN ('any', 'morning', 'afternoon')),
    lasts_min smallint NOT NULL CHECK (lasts_min BETWEEN 5 AND 240),
    -- One role or two; two people start gap_min_min to gap_max_min apart, 0 and 0 is together.
    roles text[] NOT NULL CHECK (cardinality(roles) BETWEEN 1 AND 2),
    gap_min_min smallint NOT NULL DEFAULT 0,
    gap_max_min smallint NOT NULL DEFAULT 0,
    source text NOT NULL CHECK (source IN ('import', 'date_rule', 'findings', 'by_hand')),
    note text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'done', 'cancelled')),
    -- What the elder was told: the visit then keeps to this start by 30 min, and to this doctor at a price.
    promised_at timestamptz,
    promised_doctor_id text REFERENCES doctor (id),
    done_on date,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    UNIQUE (elder_id, kind, due_on),
    CHECK (due_on >= opens_on),
    CHECK (gap_max_min >= gap_min_min),
    CHECK ((state = 'done') = (done_on IS NOT NULL)),
    CHECK ((promised_at IS NULL) = (promised_doctor_id IS NULL))
);
CREATE INDEX due_visit_open ON due_visit (opens_on) WHERE state = 'due';
CREATE INDEX due_visit_by_elder ON due_visit (elder_id, kind, done_on);

CREATE TABLE day_plan (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id text NOT NULL REFERENCES team (id),
    day date NOT NULL,
    state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'draft', 'published', 'replaced', 'failed')),
    asked_at timestamptz NOT NULL,
    asked_by text NOT NULL,
    seed integer NOT NULL DEFAULT 1,
    -- A search says now and then how far it is; one not heard for some time is taken up by another worker.
    share real NOT NULL DEFAULT 0 CHECK (share BETWEEN 0 AND 1),
    heard_at timestamptz,
    made_at timestamptz,
    cost_min double precision,
    travel_min double precision,
    moves bigint,
    problem text NOT NULL DEFAULT '',
    published_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK ((state IN ('draft', 'published', 'replaced')) <= (made_at IS NOT NULL))
);
CREATE UNIQUE INDEX day_plan_one_published ON day_plan (team_id, day) WHERE state = 'published';
CREATE INDEX day_plan_by_day ON day_plan (team_id, day, id);
CREATE INDEX day_plan_asked ON day_plan (asked_at) WHERE state = 'asked';

CREATE TABLE plan_stop (
    plan_id bigint NOT NULL REFERENCES day_plan (id) ON DELETE CASCADE,
    due_id bigint NOT NULL REFERENCES due_visit (id) ON DELETE CASCADE,
    side smallint NOT NULL CHECK (side IN (0, 1)),
    doctor_id text NOT NULL REFERENCES doctor (id),
    half text NOT NULL CHECK (half IN ('morning', 'afternoon')),
    position smallint NOT NULL CHECK (position >= 0),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    leg_min real NOT NULL,
    terms jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (plan_id, due_id, side)
);
CREATE INDEX plan_stop_by_doctor ON plan_stop (doctor_id, starts_at);

CREATE TABLE plan_unserved (
    plan_id bigint NOT NULL REFERENCES day_plan (id) ON DELETE CASCADE,
    due_id bigint NOT NULL REFERENCES due_visit (id) ON DELETE CASCADE,
    reason text NOT NULL CHECK (reason IN ('no_skill', 'no_second_person', 'outside_hours', 'too_far', 'full', 'not_worth', 'no_place')),
    PRIMARY KEY (plan_id, due_id)
);

-- t = a + b * sqrt(km) + c * km of a team's area, fitted on its own departures and arrivals.
CREATE TABLE travel_curve (
    team_id text PRIMARY KEY REFERENCES team (id) ON DELETE CASCADE,
    a_s double precision NOT NULL,
    b_s double precision NOT NULL,
    c_s double precision NOT NULL,
    trips integer NOT NULL,
    error_percent double precision NOT NULL,
    fitted_at timestamptz NOT NULL
);
