-- People and what belongs to them: teams and doctors, elders and contacts, homes and devices, accounts and their trail.

CREATE TABLE team (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    name text NOT NULL,
    phone text NOT NULL DEFAULT '',
    fallback_team_id text REFERENCES team (id) CHECK (fallback_team_id <> id)
);

CREATE TABLE doctor (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    team_id text NOT NULL REFERENCES team (id),
    name text NOT NULL,
    phone text NOT NULL DEFAULT '',
    role text NOT NULL CHECK (role IN ('gp', 'nurse', 'public_health', 'specialist'))
);
CREATE INDEX doctor_by_team ON doctor (team_id);

CREATE TABLE shift (
    doctor_id text NOT NULL REFERENCES doctor (id) ON DELETE CASCADE,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    PRIMARY KEY (doctor_id, starts_at),
    CHECK (ends_at > starts_at)
);

CREATE TABLE elder (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    name text NOT NULL,
    pinyin text NOT NULL DEFAULT '',
    sex text NOT NULL CHECK (sex IN ('female', 'male', 'unknown')),
    born_on date,
    phone text NOT NULL DEFAULT '',
    address text NOT NULL,
    access_note text NOT NULL DEFAULT '',
    latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    conditions text[] NOT NULL DEFAULT '{}',
    drugs text[] NOT NULL DEFAULT '{}',
    allergies text[] NOT NULL DEFAULT '{}',
    zone text NOT NULL DEFAULT 'Asia/Shanghai'
);

CREATE TABLE contact (
    elder_id text NOT NULL REFERENCES elder (id) ON DELETE CASCADE,
    position smallint NOT NULL CHECK (position >= 1),
    name text NOT NULL,
    relation text NOT NULL,
    phone text NOT NULL,
    has_key boolean NOT NULL DEFAULT false,
    notify_channel text CHECK (notify_channel IN ('log', 'webhook')),
    notify_address text NOT NULL DEFAULT '',
    PRIMARY KEY (elder_id, position)
);

-- 家庭医生签约: one active contract per elder, a year or longer (规范签约管理意见).
CREATE TABLE contract (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    elder_id text NOT NULL REFERENCES elder (id) ON DELETE CASCADE,
    team_id text NOT NULL REFERENCES team (id),
    doctor_id text NOT NULL REFERENCES doctor (id),
    signed_on date NOT NULL,
    ends_on date NOT NULL,
    cancelled_on date,
    CHECK (ends_on >= signed_on + interval '1 year' - interval '1 day')
);
CREATE UNIQUE INDEX contract_one_active ON contract (elder_id) WHERE cancelled_on IS NULL;
CREATE INDEX contract_by_team ON contract (team_id);

-- A gateway that was never enrolled has no elder; what it sends is kept all the same.
CREATE TABLE gateway (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    elder_id text REFERENCES elder (id),
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    heard_at timestamptz,
    online boolean,
    online_changed_at timestamptz,
    clock_offset_s double precision,
    status jsonb,
    status_at timestamptz
);
CREATE INDEX gateway_by_elder ON gateway (elder_id);

CREATE TABLE account (
    name text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_.-]{0,39}$'),
    role text NOT NULL CHECK (role IN ('operator', 'doctor', 'admin')),
    title text NOT NULL,
    doctor_id text UNIQUE REFERENCES doctor (id),
    password_hash text NOT NULL,
    language text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
    is_active boolean NOT NULL DEFAULT true,
    failed_count integer NOT NULL DEFAULT 0,
    locked_until timestamptz,
    CHECK ((role = 'doctor') = (doctor_id IS NOT NULL))
);

CREATE TABLE session (
    token_hash bytea PRIMARY KEY,
    account_name text NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX session_by_expiry ON session (expires_at);

-- Every look at an elder's file and every step: append only.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    account_name text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL DEFAULT '',
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_by_subject ON audit (subject, at);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
