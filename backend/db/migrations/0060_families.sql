-- Families: accounts that see what an elder has consented to, through a contact of the elder's; and messages between families and the centre.

ALTER TABLE account DROP CONSTRAINT account_role_check;
ALTER TABLE account ADD CONSTRAINT account_role_check CHECK (role IN ('operator', 'doctor', 'admin', 'family'));

-- What a contact may see, in whose words, written by whom, from when until when. Rows are never changed but to bind an account and to end.
CREATE TABLE family_consent (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    elder_id text NOT NULL REFERENCES elder (id) ON DELETE CASCADE,
    contact_name text NOT NULL,
    -- Nobody until the invitation is taken up.
    account_name text REFERENCES account (name),
    sees text[] NOT NULL
        CHECK (sees <@ ARRAY['state', 'values', 'alerts', 'visits', 'findings', 'messages'] AND cardinality(sees) > 0),
    consented_to text NOT NULL CHECK (consented_to <> ''),
    written_by text NOT NULL,
    written_at timestamptz NOT NULL,
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > begins_at),
    withdrawn_at timestamptz,
    withdrawn_by text,
    CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL))
);
CREATE INDEX family_consent_by_elder ON family_consent (elder_id);
CREATE INDEX family_consent_by_account ON family_consent (account_name);

-- A link to take up a consent: short-lived, once. Only the token's hash is kept.
CREATE TABLE family_invitation (
    token_hash bytea PRIMARY KEY,
    consent_id bigint NOT NULL REFERENCES family_consent (id) ON DELETE CASCADE,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    used_by text,
    CHECK ((used_at IS NULL) = (used_by IS NULL))
);
CREATE INDEX family_invitation_by_consent ON family_invitation (consent_id);

-- The one place that says what is in force: begun, neither over nor withdrawn, the account in use, and the person still a contact.
CREATE FUNCTION family_right(at timestamptz) RETURNS TABLE (account_name text, elder_id text, sees text[]) LANGUAGE sql STABLE AS $$
    SELECT c.account_name, c.elder_id, array_agg(DISTINCT thing)
    FROM family_consent c
    JOIN account a ON a.name = c.account_name AND a.role = 'family' AND a.is_active
    CROSS JOIN unnest(c.sees) AS thing
    WHERE c.withdrawn_at IS NULL AND at >= c.begins_at AND at < c.ends_at
        AND EXISTS (SELECT FROM contact p WHERE p.elder_id = c.elder_id AND p.name = c.contact_name)
    GROUP BY c.account_name, c.elder_id
$$;

-- Messages between an elder's family and the centre. `to_name`: one member of the family; without it all who may read messages.
CREATE TABLE family_message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    elder_id text NOT NULL REFERENCES elder (id) ON DELETE CASCADE,
    at timestamptz NOT NULL,
    by text NOT NULL REFERENCES account (name),
    is_from_family boolean NOT NULL,
    to_name text REFERENCES account (name),
    text text NOT NULL CHECK (text <> ''),
    done_at timestamptz,
    done_by text,
    CHECK ((done_at IS NULL) = (done_by IS NULL)),
    CHECK (is_from_family <= (to_name IS NULL)),
    CHECK (done_at IS NULL OR is_from_family)
);
CREATE INDEX family_message_by_elder ON family_message (elder_id, at);
CREATE INDEX family_message_waiting ON family_message (at) WHERE is_from_family AND done_at IS NULL;
