-- What a visit found, signed; and steps that a telephone in a dead spot sends again.

-- A doctor signs with a PIN: argon2id like the password, and locked after failures like it.
ALTER TABLE account ADD pin_hash text;
ALTER TABLE account ADD pin_failed_count integer NOT NULL DEFAULT 0;
ALTER TABLE account ADD pin_locked_until timestamptz;

-- One signed record per visit. answers: {form: {field: answer}}; control: {disease: class}; digest: SHA-256 of what was signed.
CREATE TABLE visit_record (
    visit_id bigint PRIMARY KEY REFERENCES visit (id),
    elder_id text NOT NULL REFERENCES elder (id),
    answers jsonb NOT NULL,
    control jsonb NOT NULL DEFAULT '{}',
    reasons text[] NOT NULL DEFAULT '{}',
    refer boolean NOT NULL DEFAULT false,
    refer_to text NOT NULL DEFAULT '',
    next_on date,
    signed_by text NOT NULL REFERENCES account (name),
    signed_at timestamptz NOT NULL,
    digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$')
);
CREATE INDEX visit_record_by_elder ON visit_record (elder_id, signed_at);
CREATE INDEX visit_record_due ON visit_record (next_on);
CREATE TRIGGER visit_record_is_append_only BEFORE UPDATE OR DELETE ON visit_record FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A step that a page may send again and again; taken once. said_at: when the person took it, at when it arrived here.
CREATE TABLE visit_once (
    key uuid PRIMARY KEY,
    visit_id bigint NOT NULL REFERENCES visit (id),
    step text NOT NULL,
    by text NOT NULL,
    said_at timestamptz NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX visit_once_by_visit ON visit_once (visit_id);
