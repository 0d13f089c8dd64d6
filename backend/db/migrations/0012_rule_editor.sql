-- Rules are written by one person and switched on by another; the database sees to it. Overrides are rows that are never changed, only ended.

CREATE TABLE rule_draft (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id text NOT NULL CHECK (rule_id ~ '^[a-z][a-z0-9_]{0,39}$'),
    body jsonb NOT NULL,
    cases text NOT NULL DEFAULT '',
    reason text NOT NULL,
    is_retirement boolean NOT NULL DEFAULT false,
    author text NOT NULL,
    created_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'submitted', 'approved', 'withdrawn')),
    cases_passed boolean NOT NULL DEFAULT false,
    preview jsonb,
    preview_seen_by text,
    submitted_at timestamptz,
    approved_by text,
    approved_at timestamptz,
    refusal text NOT NULL DEFAULT '',
    -- Nobody approves what they wrote; nothing is approved that has not passed its own cases or whose back-test nobody has seen.
    CONSTRAINT rule_draft_two_people CHECK (approved_by IS NULL OR approved_by <> author),
    CONSTRAINT rule_draft_approved CHECK (state <> 'approved' OR (approved_by IS NOT NULL AND approved_at IS NOT NULL)),
    CONSTRAINT rule_draft_tried CHECK (
        state NOT IN ('submitted', 'approved') OR is_retirement OR (cases_passed AND preview IS NOT NULL AND preview_seen_by IS NOT NULL)
    )
);
CREATE UNIQUE INDEX rule_draft_one_open ON rule_draft (rule_id) WHERE state IN ('draft', 'submitted');

ALTER TABLE rule ADD COLUMN approved_by text;
ALTER TABLE rule ADD COLUMN cases text NOT NULL DEFAULT '';
ALTER TABLE rule ADD COLUMN draft_id bigint REFERENCES rule_draft (id);
ALTER TABLE rule ADD CONSTRAINT rule_two_people CHECK (approved_by IS NULL OR approved_by <> created_by);
ALTER TABLE rule ADD CONSTRAINT rule_from_a_draft CHECK (draft_id IS NULL OR approved_by IS NOT NULL);

CREATE TABLE back_test (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    draft_id bigint NOT NULL REFERENCES rule_draft (id) ON DELETE CASCADE,
    body jsonb NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    progress real NOT NULL DEFAULT 0,
    beat_at timestamptz,
    fault text NOT NULL DEFAULT ''
);
CREATE INDEX back_test_by_draft ON back_test (draft_id, id);

CREATE TABLE rule_override (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    elder_id text REFERENCES elder (id) ON DELETE CASCADE,
    team_id text REFERENCES team (id) ON DELETE CASCADE,
    rule_id text NOT NULL,
    patch jsonb NOT NULL,
    reason text NOT NULL CHECK (length(reason) >= 3),
    by text NOT NULL,
    created_at timestamptz NOT NULL,
    until date NOT NULL,
    ended_at timestamptz,
    ended_by text,
    CHECK ((elder_id IS NULL) <> (team_id IS NULL)),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CHECK (until >= (created_at AT TIME ZONE 'UTC')::date - 1)
);
CREATE UNIQUE INDEX rule_override_one ON rule_override (rule_id, coalesce(elder_id, 'team:' || team_id)) WHERE ended_at IS NULL;
CREATE INDEX rule_override_by_elder ON rule_override (elder_id);

-- Who may write and approve rules, beside administrators: the medical lead, whatever else they are.
ALTER TABLE account ADD COLUMN edits_rules boolean NOT NULL DEFAULT false;
