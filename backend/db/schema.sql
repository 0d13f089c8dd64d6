-- Made by `make docs` from backend/db/migrations, compared by tests/backend/db/test_schema.py. For reading, not for running.

CREATE TABLE account (
    name text NOT NULL,
    role text NOT NULL,
    title text NOT NULL,
    doctor_id text,
    password_hash text NOT NULL,
    language text DEFAULT 'zh'::text NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    failed_count integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    edits_rules boolean DEFAULT false NOT NULL,
    pin_hash text,
    pin_failed_count integer DEFAULT 0 NOT NULL,
    pin_locked_until timestamp with time zone,
    CONSTRAINT account_pkey PRIMARY KEY (name),
    CONSTRAINT account_doctor_id_key UNIQUE (doctor_id),
    CONSTRAINT account_check CHECK (((role = 'doctor'::text) = (doctor_id IS NOT NULL))),
    CONSTRAINT account_language_check CHECK ((language = ANY (ARRAY['zh'::text, 'en'::text]))),
    CONSTRAINT account_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9_.-]{0,39}$'::text)),
    CONSTRAINT account_role_check CHECK ((role = ANY (ARRAY['operator'::text, 'doctor'::text, 'admin'::text, 'family'::text]))),
    CONSTRAINT account_doctor_id_fkey FOREIGN KEY (doctor_id) REFERENCES doctor(id)
);

CREATE TABLE alert (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    elder_id text,
    gateway_id text,
    rule_id text NOT NULL,
    rule_version integer NOT NULL,
    priority text NOT NULL,
    level text NOT NULL,
    state text DEFAULT 'new'::text NOT NULL,
    condition text DEFAULT 'active'::text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    known_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    count integer DEFAULT 1 NOT NULL,
    last_at timestamp with time zone NOT NULL,
    evidence jsonb DEFAULT '{}'::jsonb NOT NULL,
    closed_by text,
    closed_at timestamp with time zone,
    disposition text,
    case_id bigint,
    CONSTRAINT alert_pkey PRIMARY KEY (id),
    CONSTRAINT alert_check CHECK (((elder_id IS NOT NULL) OR (gateway_id IS NOT NULL))),
    CONSTRAINT alert_check1 CHECK (((state = 'closed'::text) = ((closed_at IS NOT NULL) AND (closed_by IS NOT NULL) AND (disposition IS NOT NULL)))),
    CONSTRAINT alert_condition_check CHECK ((condition = ANY (ARRAY['active'::text, 'silent'::text, 'recovered'::text, 'cancelled'::text]))),
    CONSTRAINT alert_disposition_check CHECK ((disposition = ANY (ARRAY['real'::text, 'false'::text, 'test'::text, 'technical'::text, 'no_reply'::text]))),
    CONSTRAINT alert_priority_check CHECK ((priority = ANY (ARRAY['high'::text, 'medium'::text, 'low'::text, 'technical'::text]))),
    CONSTRAINT alert_state_check CHECK ((state = ANY (ARRAY['new'::text, 'closed'::text]))),
    CONSTRAINT alert_case_id_fkey FOREIGN KEY (case_id) REFERENCES care_case(id),
    CONSTRAINT alert_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id),
    CONSTRAINT alert_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id),
    CONSTRAINT alert_rule_id_rule_version_fkey FOREIGN KEY (rule_id, rule_version) REFERENCES rule(id, version)
);
CREATE INDEX alert_by_case ON public.alert USING btree (case_id);
CREATE INDEX alert_by_change ON public.alert USING btree (changed_at);
CREATE INDEX alert_by_closing ON public.alert USING btree (COALESCE(elder_id, ('gateway:'::text || gateway_id)), rule_id, closed_at) WHERE ((state = 'closed'::text) AND (closed_by <> 'system'::text));
CREATE INDEX alert_by_elder ON public.alert USING btree (elder_id, opened_at);
CREATE UNIQUE INDEX alert_one_open ON public.alert USING btree (COALESCE(elder_id, ('gateway:'::text || gateway_id)), rule_id) WHERE (state <> 'closed'::text);

CREATE TABLE alert_step (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    alert_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    by text NOT NULL,
    action text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT alert_step_pkey PRIMARY KEY (id),
    CONSTRAINT alert_step_action_check CHECK ((action = ANY (ARRAY['opened'::text, 'repeated'::text, 'raised'::text, 'silent'::text, 'recovered'::text, 'cancelled'::text, 'reopened'::text, 'acknowledged'::text, 'noted'::text, 'dispatched'::text, 'closed'::text]))),
    CONSTRAINT alert_step_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alert(id)
);
CREATE INDEX alert_step_by_alert ON public.alert_step USING btree (alert_id, id);
CREATE TRIGGER alert_step_is_append_only BEFORE DELETE OR UPDATE ON public.alert_step FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE area (
    id text NOT NULL,
    name text NOT NULL,
    parent_id text,
    CONSTRAINT area_pkey PRIMARY KEY (id),
    CONSTRAINT area_check CHECK ((parent_id <> id)),
    CONSTRAINT area_id_check CHECK ((id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'::text)),
    CONSTRAINT area_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES area(id)
);

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    account_name text NOT NULL,
    action text NOT NULL,
    subject text DEFAULT ''::text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (id)
);
CREATE INDEX audit_by_subject ON public.audit USING btree (subject, at);
CREATE TRIGGER audit_is_append_only BEFORE DELETE OR UPDATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE away (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    elder_id text NOT NULL,
    from_at timestamp with time zone NOT NULL,
    until_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    by text NOT NULL,
    CONSTRAINT away_pkey PRIMARY KEY (id),
    CONSTRAINT away_check CHECK ((until_at > from_at)),
    CONSTRAINT away_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id) ON DELETE CASCADE
);
CREATE INDEX away_by_elder ON public.away USING btree (elder_id, until_at);

CREATE TABLE back_test (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    draft_id bigint NOT NULL,
    body jsonb NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    progress real DEFAULT 0 NOT NULL,
    beat_at timestamp with time zone,
    fault text DEFAULT ''::text NOT NULL,
    CONSTRAINT back_test_pkey PRIMARY KEY (id),
    CONSTRAINT back_test_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'running'::text, 'done'::text, 'failed'::text]))),
    CONSTRAINT back_test_draft_id_fkey FOREIGN KEY (draft_id) REFERENCES rule_draft(id) ON DELETE CASCADE
);
CREATE INDEX back_test_by_draft ON public.back_test USING btree (draft_id, id);

CREATE TABLE care_case (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    elder_id text,
    gateway_id text,
    is_group boolean DEFAULT false NOT NULL,
    priority text NOT NULL,
    state text DEFAULT 'new'::text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    known_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    waiting_since timestamp with time zone NOT NULL,
    taken_by text,
    taken_at timestamp with time zone,
    begun_at timestamp with time zone,
    resolved_at timestamp with time zone,
    closed_by text,
    closed_at timestamp with time zone,
    disposition text,
    next_step text,
    next_at timestamp with time zone,
    asked text[] DEFAULT '{}'::text[] NOT NULL,
    flagged_at timestamp with time zone,
    rests_until timestamp with time zone,
    CONSTRAINT care_case_pkey PRIMARY KEY (id),
    CONSTRAINT care_case_check CHECK ((is_group = ((elder_id IS NULL) AND (gateway_id IS NULL)))),
    CONSTRAINT care_case_closed_with_a_code CHECK (((state = 'closed'::text) = ((closed_at IS NOT NULL) AND (closed_by IS NOT NULL) AND (disposition IS NOT NULL)))),
    CONSTRAINT care_case_disposition_check CHECK ((disposition = ANY (ARRAY['real'::text, 'false'::text, 'test'::text, 'technical'::text, 'no_reply'::text]))),
    CONSTRAINT care_case_new_is_nobodys CHECK (((state <> 'new'::text) OR ((taken_by IS NULL) AND (taken_at IS NULL)))),
    CONSTRAINT care_case_one_timer CHECK (((state <> 'closed'::text) = ((next_step IS NOT NULL) AND (next_at IS NOT NULL)))),
    CONSTRAINT care_case_priority_check CHECK ((priority = ANY (ARRAY['high'::text, 'medium'::text, 'low'::text, 'technical'::text]))),
    CONSTRAINT care_case_state_check CHECK ((state = ANY (ARRAY['new'::text, 'taken'::text, 'in_hand'::text, 'resolved'::text, 'closed'::text]))),
    CONSTRAINT care_case_taken_by_somebody CHECK (((state = ANY (ARRAY['new'::text, 'closed'::text])) OR ((taken_by IS NOT NULL) AND (taken_at IS NOT NULL)))),
    CONSTRAINT care_case_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id),
    CONSTRAINT care_case_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id)
);
CREATE INDEX care_case_by_elder ON public.care_case USING btree (elder_id, opened_at);
CREATE INDEX care_case_due ON public.care_case USING btree (next_at) WHERE (next_at IS NOT NULL);
CREATE INDEX care_case_open ON public.care_case USING btree (COALESCE(elder_id, ('gateway:'::text || gateway_id))) WHERE (state <> 'closed'::text);
CREATE INDEX care_case_open_groups ON public.care_case USING btree (id) WHERE (is_group AND (state <> 'closed'::text));
CREATE TRIGGER care_case_moves BEFORE UPDATE ON public.care_case FOR EACH ROW EXECUTE FUNCTION refuse_case_move();

CREATE TABLE case_step (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    case_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    by text NOT NULL,
    action text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT case_step_pkey PRIMARY KEY (id),
    CONSTRAINT case_step_case_id_fkey FOREIGN KEY (case_id) REFERENCES care_case(id)
);
CREATE INDEX case_step_by_case ON public.case_step USING btree (case_id, id);
CREATE INDEX case_step_by_waiting ON public.case_step USING btree (at) WHERE (action = ANY (ARRAY['opened'::text, 'reopened'::text, 'rearmed'::text]));
CREATE TRIGGER case_step_is_append_only BEFORE DELETE OR UPDATE ON public.case_step FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE chatter_report (
    week_start date NOT NULL,
    made_at timestamp with time zone NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT chatter_report_pkey PRIMARY KEY (week_start)
);

CREATE TABLE command (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    gateway_id text NOT NULL,
    body jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    done_at timestamp with time zone,
    CONSTRAINT command_pkey PRIMARY KEY (id),
    CONSTRAINT command_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id)
);
CREATE INDEX command_open ON public.command USING btree (until) WHERE (done_at IS NULL);

CREATE TABLE contact (
    elder_id text NOT NULL,
    "position" smallint NOT NULL,
    name text NOT NULL,
    relation text NOT NULL,
    phone text NOT NULL,
    has_key boolean DEFAULT false NOT NULL,
    notify_channel text,
    notify_address text DEFAULT ''::text NOT NULL,
    CONSTRAINT contact_pkey PRIMARY KEY (elder_id, "position"),
    CONSTRAINT contact_notify_channel_check CHECK ((notify_channel = ANY (ARRAY['log'::text, 'webhook'::text, 'email'::text, 'service'::text]))),
    CONSTRAINT contact_position_check CHECK (("position" >= 1)),
    CONSTRAINT contact_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id) ON DELETE CASCADE
);

CREATE TABLE contact_try (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    case_id bigint NOT NULL,
    person text NOT NULL,
    name text NOT NULL,
    by text NOT NULL,
    called_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    result text,
    CONSTRAINT contact_try_pkey PRIMARY KEY (id),
    CONSTRAINT contact_try_check CHECK (((result IS NULL) = (ended_at IS NULL))),
    CONSTRAINT contact_try_result_check CHECK ((result = ANY (ARRAY['reached'::text, 'no_answer'::text, 'busy'::text, 'switched_off'::text, 'wrong_number'::text, 'refused'::text]))),
    CONSTRAINT contact_try_case_id_fkey FOREIGN KEY (case_id) REFERENCES care_case(id)
);
CREATE INDEX contact_try_by_case ON public.contact_try USING btree (case_id, id);
CREATE UNIQUE INDEX contact_try_one_at_a_time ON public.contact_try USING btree (case_id) WHERE (result IS NULL);

CREATE TABLE contract (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    elder_id text NOT NULL,
    team_id text NOT NULL,
    doctor_id text NOT NULL,
    signed_on date NOT NULL,
    ends_on date NOT NULL,
    cancelled_on date,
    end_reason text DEFAULT ''::text NOT NULL,
    written_by text DEFAULT ''::text NOT NULL,
    CONSTRAINT contract_pkey PRIMARY KEY (id),
    CONSTRAINT contract_check CHECK ((ends_on >= ((signed_on + '1 year'::interval) - '1 day'::interval))),
    CONSTRAINT contract_doctor_id_fkey FOREIGN KEY (doctor_id) REFERENCES doctor(id),
    CONSTRAINT contract_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id) ON DELETE CASCADE,
    CONSTRAINT contract_team_id_fkey FOREIGN KEY (team_id) REFERENCES team(id)
);
CREATE INDEX contract_by_team ON public.contract USING btree (team_id);
CREATE UNIQUE INDEX contract_one_active ON public.contract USING btree (elder_id) WHERE (cancelled_on IS NULL);

CREATE TABLE day_plan (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    team_id text NOT NULL,
    day date NOT NULL,
    state text DEFAULT 'asked'::text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    asked_by text NOT NULL,
    seed integer DEFAULT 1 NOT NULL,
    share real DEFAULT 0 NOT NULL,
    heard_at timestamp with time zone,
    made_at timestamp with time zone,
    cost_min double precision,
    travel_min double precision,
    moves bigint,
    problem text DEFAULT ''::text NOT NULL,
    published_at timestamp with time zone,
    version integer DEFAULT 1 NOT NULL,
    CONSTRAINT day_plan_pkey PRIMARY KEY (id),
    CONSTRAINT day_plan_check CHECK (((state = ANY (ARRAY['draft'::text, 'published'::text, 'replaced'::text])) <= (made_at IS NOT NULL))),
    CONSTRAINT day_plan_share_check CHECK (((share >= (0)::double precision) AND (share <= (1)::double precision))),
    CONSTRAINT day_plan_state_check CHECK ((state = ANY (ARRAY['asked'::text, 'draft'::text, 'published'::text, 'replaced'::text, 'failed'::text]))),
    CONSTRAINT day_plan_team_id_fkey FOREIGN KEY (team_id) REFERENCES team(id)
);
CREATE INDEX day_plan_asked ON public.day_plan USING btree (asked_at) WHERE (state = 'asked'::text);
CREATE INDEX day_plan_by_day ON public.day_plan USING btree (team_id, day, id);
CREATE UNIQUE INDEX day_plan_one_published ON public.day_plan USING btree (team_id, day) WHERE (state = 'published'::text);

CREATE TABLE doctor (
    id text NOT NULL,
    team_id text NOT NULL,
    name text NOT NULL,
    phone text DEFAULT ''::text NOT NULL,
    role text NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    CONSTRAINT doctor_pkey PRIMARY KEY (id),
    CONSTRAINT doctor_id_check CHECK ((id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'::text)),
    CONSTRAINT doctor_role_check CHECK ((role = ANY (ARRAY['gp'::text, 'nurse'::text, 'public_health'::text, 'specialist'::text]))),
    CONSTRAINT doctor_team_id_fkey FOREIGN KEY (team_id) REFERENCES team(id)
);
CREATE CONSTRAINT TRIGGER doctor_leaves_a_gp AFTER DELETE OR UPDATE ON public.doctor DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION team_has_a_gp();
CREATE INDEX doctor_by_team ON public.doctor USING btree (team_id);

CREATE TABLE due_visit (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    elder_id text NOT NULL,
    kind text NOT NULL,
    opens_on date NOT NULL,
    due_on date NOT NULL,
    part text DEFAULT 'any'::text NOT NULL,
    lasts_min smallint,
    roles text[] NOT NULL,
    gap_min_min smallint DEFAULT 0 NOT NULL,
    gap_max_min smallint DEFAULT 0 NOT NULL,
    source text NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    state text DEFAULT 'due'::text NOT NULL,
    promised_at timestamp with time zone,
    promised_doctor_id text,
    done_on date,
    made_at timestamp with time zone NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT due_visit_pkey PRIMARY KEY (id),
    CONSTRAINT due_visit_elder_id_kind_due_on_key UNIQUE (elder_id, kind, due_on),
    CONSTRAINT due_visit_check CHECK ((due_on >= opens_on)),
    CONSTRAINT due_visit_check1 CHECK ((gap_max_min >= gap_min_min)),
    CONSTRAINT due_visit_check2 CHECK (((state = 'done'::text) = (done_on IS NOT NULL))),
    CONSTRAINT due_visit_check3 CHECK (((promised_at IS NULL) = (promised_doctor_id IS NULL))),
    CONSTRAINT due_visit_kind_check CHECK ((kind = ANY (ARRAY['elder_checkup'::text, 'hypertension_followup'::text, 'diabetes_followup'::text, 'home_bed_round'::text, 'two_week_check'::text, 'other'::text]))),
    CONSTRAINT due_visit_lasts_min_check CHECK (((lasts_min >= 5) AND (lasts_min <= 240))),
    CONSTRAINT due_visit_part_check CHECK ((part = ANY (ARRAY['any'::text, 'morning'::text, 'afternoon'::text]))),
    CONSTRAINT due_visit_roles_check CHECK (((cardinality(roles) >= 1) AND (cardinality(roles) <= 2))),
    CONSTRAINT due_visit_source_check CHECK ((source = ANY (ARRAY['import'::text, 'date_rule'::text, 'findings'::text, 'by_hand'::text]))),
    CONSTRAINT due_visit_state_check CHECK ((state = ANY (ARRAY['due'::text, 'done'::text, 'cancelled'::text]))),
    CONSTRAINT due_visit_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id) ON DELETE CASCADE,
    CONSTRAINT due_visit_promised_doctor_id_fkey FOREIGN KEY (promised_doctor_id) REFERENCES doctor(id)
);
CREATE INDEX due_visit_by_elder ON public.due_visit USING btree (elder_id, kind, done_on);
CREATE INDEX due_visit_open ON public.due_visit USING btree (opens_on) WHERE (state = 'due'::text);

CREATE TABLE duty (
    account_name text NOT NULL,
    part text NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    CONSTRAINT duty_pkey PRIMARY KEY (account_name, part, starts_at),
    CONSTRAINT duty_check CHECK ((ends_at > starts_at)),
    CONSTRAINT duty_part_check CHECK ((part = ANY (ARRAY['desk'::text, 'second'::text, 'supervisor'::text, 'on_call'::text]))),
    CONSTRAINT duty_account_name_fkey FOREIGN KEY (account_name) REFERENCES account(name) ON DELETE CASCADE
);
CREATE INDEX duty_by_end ON public.duty USING btree (ends_at);

CREATE TABLE elder (
    id text NOT NULL,
    name text NOT NULL,
    pinyin text DEFAULT ''::text NOT NULL,
    sex text NOT NULL,
    born_on date,
    phone text DEFAULT ''::text NOT NULL,
    address text NOT NULL,
    access_note text DEFAULT ''::text NOT NULL,
    latitude double precision,
    longitude double precision,
    conditions text[] DEFAULT '{}'::text[] NOT NULL,
    drugs text[] DEFAULT '{}'::text[] NOT NULL,
    allergies text[] DEFAULT '{}'::text[] NOT NULL,
    zone text DEFAULT 'Asia/Shanghai'::text NOT NULL,
    area_id text,
    ability text,
    ability_on date,
    found_by text DEFAULT search_words(name, pinyin, phone, address),
    CONSTRAINT elder_pkey PRIMARY KEY (id),
    CONSTRAINT elder_ability_check CHECK ((ability = ANY (ARRAY['intact'::text, 'mild'::text, 'moderate'::text, 'severe'::text, 'total'::text]))),
    CONSTRAINT elder_ability_has_its_day CHECK (((ability IS NULL) = (ability_on IS NULL))),
    CONSTRAINT elder_id_check CHECK ((id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'::text)),
    CONSTRAINT elder_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision))),
    CONSTRAINT elder_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision))),
    CONSTRAINT elder_sex_check CHECK ((sex = ANY (ARRAY['female'::text, 'male'::text, 'unknown'::text]))),
    CONSTRAINT elder_area_id_fkey FOREIGN KEY (area_id) REFERENCES area(id)
);
CREATE INDEX elder_by_area ON public.elder USING btree (area_id);
CREATE INDEX elder_by_grams ON public.elder USING gin (search_grams(found_by));
CREATE INDEX elder_by_pinyin ON public.elder USING btree (pinyin, id);
CREATE INDEX elder_elsewhere ON public.elder USING btree (id) INCLUDE (zone) WHERE (zone <> 'Asia/Shanghai'::text);

CREATE TABLE elder_photo (
    elder_id text NOT NULL,
    media_type text NOT NULL,
    image bytea NOT NULL,
    set_by text NOT NULL,
    set_at timestamp with time zone NOT NULL,
    CONSTRAINT elder_photo_pkey PRIMARY KEY (elder_id),
    CONSTRAINT elder_photo_image_check CHECK (((length(image) >= 1) AND (length(image) <= 49152))),
    CONSTRAINT elder_photo_media_type_check CHECK ((media_type = ANY (ARRAY['image/jpeg'::text, 'image/png'::text, 'image/webp'::text]))),
    CONSTRAINT elder_photo_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id)
);

CREATE TABLE episode (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    elder_id text,
    gateway_id text NOT NULL,
    rule_id text NOT NULL,
    rule_version integer NOT NULL,
    overrides bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    source text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    last_at timestamp with time zone NOT NULL,
    steps jsonb NOT NULL,
    peak double precision NOT NULL,
    known_at timestamp with time zone NOT NULL,
    samples jsonb DEFAULT '[]'::jsonb NOT NULL,
    alert_id bigint,
    CONSTRAINT episode_pkey PRIMARY KEY (id),
    CONSTRAINT episode_check CHECK ((closed_at >= opened_at)),
    CONSTRAINT episode_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alert(id),
    CONSTRAINT episode_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id),
    CONSTRAINT episode_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id),
    CONSTRAINT episode_rule_id_rule_version_fkey FOREIGN KEY (rule_id, rule_version) REFERENCES rule(id, version)
);
CREATE INDEX episode_by_alert ON public.episode USING btree (alert_id);
CREATE INDEX episode_by_end ON public.episode USING btree (COALESCE(elder_id, ('gateway:'::text || gateway_id)), COALESCE(closed_at, 'infinity'::timestamp with time zone));
CREATE INDEX episode_by_rule ON public.episode USING btree (rule_id, opened_at);
CREATE UNIQUE INDEX episode_once ON public.episode USING btree (COALESCE(elder_id, ('gateway:'::text || gateway_id)), rule_id, source, opened_at);

CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    gateway_id text NOT NULL,
    event_id text NOT NULL,
    device_id text NOT NULL,
    elder_id text,
    kind text NOT NULL,
    at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    confidence real,
    detail text,
    acceleration jsonb,
    alert_id bigint,
    CONSTRAINT event_pkey PRIMARY KEY (id),
    CONSTRAINT event_gateway_id_event_id_key UNIQUE (gateway_id, event_id),
    CONSTRAINT event_confidence_check CHECK (((confidence >= (0)::double precision) AND (confidence <= (1)::double precision))),
    CONSTRAINT event_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alert(id),
    CONSTRAINT event_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id),
    CONSTRAINT event_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id)
);
CREATE INDEX event_by_alert ON public.event USING btree (alert_id);
CREATE INDEX event_by_device ON public.event USING btree (gateway_id, device_id, kind, at);
CREATE INDEX event_by_elder ON public.event USING btree (elder_id, at);
CREATE INDEX event_of_alarms ON public.event USING btree (gateway_id, device_id, at) WHERE (kind = ANY (ARRAY['sos'::text, 'fall'::text, 'button'::text, 'smoke'::text, 'gas'::text, 'water'::text]));

CREATE TABLE family_consent (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    elder_id text NOT NULL,
    contact_name text NOT NULL,
    account_name text,
    sees text[] NOT NULL,
    consented_to text NOT NULL,
    written_by text NOT NULL,
    written_at timestamp with time zone NOT NULL,
    begins_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    withdrawn_at timestamp with time zone,
    withdrawn_by text,
    CONSTRAINT family_consent_pkey PRIMARY KEY (id),
    CONSTRAINT family_consent_check CHECK ((ends_at > begins_at)),
    CONSTRAINT family_consent_check1 CHECK (((withdrawn_at IS NULL) = (withdrawn_by IS NULL))),
    CONSTRAINT family_consent_consented_to_check CHECK ((consented_to <> ''::text)),
    CONSTRAINT family_consent_sees_check CHECK (((sees <@ ARRAY['state'::text, 'values'::text, 'alerts'::text, 'visits'::text, 'findings'::text, 'messages'::text]) AND (cardinality(sees) > 0))),
    CONSTRAINT family_consent_account_name_fkey FOREIGN KEY (account_name) REFERENCES account(name),
    CONSTRAINT family_consent_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id) ON DELETE CASCADE
);
CREATE INDEX family_consent_by_account ON public.family_consent USING btree (account_name);
CREATE INDEX family_consent_by_elder ON public.family_consent USING btree (elder_id);

CREATE TABLE family_invitation (
    token_hash bytea NOT NULL,
    consent_id bigint NOT NULL,
    made_by text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    used_by text,
    CONSTRAINT family_invitation_pkey PRIMARY KEY (token_hash),
    CONSTRAINT family_invitation_check CHECK (((used_at IS NULL) = (used_by IS NULL))),
    CONSTRAINT family_invitation_consent_id_fkey FOREIGN KEY (consent_id) REFERENCES family_consent(id) ON DELETE CASCADE
);
CREATE INDEX family_invitation_by_consent ON public.family_invitation USING btree (consent_id);

CREATE TABLE family_message (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    elder_id text NOT NULL,
    at timestamp with time zone NOT NULL,
    by text NOT NULL,
    is_from_family boolean NOT NULL,
    to_name text,
    text text NOT NULL,
    done_at timestamp with time zone,
    done_by text,
    CONSTRAINT family_message_pkey PRIMARY KEY (id),
    CONSTRAINT family_message_check CHECK (((done_at IS NULL) = (done_by IS NULL))),
    CONSTRAINT family_message_check1 CHECK ((is_from_family <= (to_name IS NULL))),
    CONSTRAINT family_message_check2 CHECK (((done_at IS NULL) OR is_from_family)),
    CONSTRAINT family_message_text_check CHECK ((text <> ''::text)),
    CONSTRAINT family_message_by_fkey FOREIGN KEY (by) REFERENCES account(name),
    CONSTRAINT family_message_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id) ON DELETE CASCADE,
    CONSTRAINT family_message_to_name_fkey FOREIGN KEY (to_name) REFERENCES account(name)
);
CREATE INDEX family_message_by_elder ON public.family_message USING btree (elder_id, at);
CREATE INDEX family_message_waiting ON public.family_message USING btree (at) WHERE (is_from_family AND (done_at IS NULL));

CREATE TABLE gateway (
    id text NOT NULL,
    elder_id text,
    first_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    heard_at timestamp with time zone,
    online boolean,
    online_changed_at timestamp with time zone,
    clock_offset_s double precision,
    status jsonb,
    status_at timestamp with time zone,
    seen_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT gateway_pkey PRIMARY KEY (id),
    CONSTRAINT gateway_id_check CHECK ((id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'::text)),
    CONSTRAINT gateway_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id)
);
CREATE INDEX gateway_by_elder ON public.gateway USING btree (elder_id);
CREATE INDEX gateway_unseen ON public.gateway USING btree (seen_at);

CREATE TABLE gateway_log (
    gateway_id text NOT NULL,
    log_id text NOT NULL,
    stored int8multirange DEFAULT '{}'::int8multirange NOT NULL,
    readings bigint DEFAULT 0 NOT NULL,
    events bigint DEFAULT 0 NOT NULL,
    repeats bigint DEFAULT 0 NOT NULL,
    known int8multirange DEFAULT '{}'::int8multirange NOT NULL,
    CONSTRAINT gateway_log_pkey PRIMARY KEY (gateway_id, log_id),
    CONSTRAINT gateway_log_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id)
);

CREATE TABLE handover (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    at timestamp with time zone NOT NULL,
    from_name text NOT NULL,
    to_name text NOT NULL,
    note text NOT NULL,
    case_ids bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    read_at timestamp with time zone,
    CONSTRAINT handover_pkey PRIMARY KEY (id),
    CONSTRAINT handover_check CHECK ((to_name <> from_name)),
    CONSTRAINT handover_note_check CHECK ((note <> ''::text)),
    CONSTRAINT handover_from_name_fkey FOREIGN KEY (from_name) REFERENCES account(name),
    CONSTRAINT handover_to_name_fkey FOREIGN KEY (to_name) REFERENCES account(name)
);
CREATE INDEX handover_unread ON public.handover USING btree (to_name) WHERE (read_at IS NULL);

CREATE TABLE history_brief (
    series_id integer NOT NULL,
    start_at timestamp with time zone NOT NULL,
    received_from timestamp with time zone NOT NULL,
    received_to timestamp with time zone NOT NULL,
    delay_ms_max bigint NOT NULL,
    step_ms integer,
    decimals smallint,
    gaps_ms smallint[],
    wide_gaps_ms integer[],
    scaled smallint[],
    values_ real[],
    CONSTRAINT history_brief_check CHECK ((num_nonnulls(step_ms, gaps_ms, wide_gaps_ms) = 1)),
    CONSTRAINT history_brief_check1 CHECK (((num_nonnulls(scaled, values_) = 1) AND (num_nonnulls(scaled, decimals) = ANY (ARRAY[0, 2])))),
    CONSTRAINT history_brief_check2 CHECK ((cardinality(COALESCE((gaps_ms)::integer[], wide_gaps_ms)) = COALESCE(cardinality(scaled), cardinality(values_))))
) PARTITION BY RANGE (start_at);
CREATE INDEX history_brief_by_series ON ONLY public.history_brief USING btree (series_id, start_at);

CREATE TABLE history_lasting (
    series_id integer NOT NULL,
    start_at timestamp with time zone NOT NULL,
    received_from timestamp with time zone NOT NULL,
    received_to timestamp with time zone NOT NULL,
    delay_ms_max bigint NOT NULL,
    step_ms integer,
    decimals smallint,
    gaps_ms smallint[],
    wide_gaps_ms integer[],
    scaled smallint[],
    values_ real[],
    CONSTRAINT history_lasting_check CHECK ((num_nonnulls(step_ms, gaps_ms, wide_gaps_ms) = 1)),
    CONSTRAINT history_lasting_check1 CHECK (((num_nonnulls(scaled, values_) = 1) AND (num_nonnulls(scaled, decimals) = ANY (ARRAY[0, 2])))),
    CONSTRAINT history_lasting_check2 CHECK ((cardinality(COALESCE((gaps_ms)::integer[], wide_gaps_ms)) = COALESCE(cardinality(scaled), cardinality(values_))))
) PARTITION BY RANGE (start_at);
CREATE INDEX history_lasting_by_series ON ONLY public.history_lasting USING btree (series_id, start_at);

CREATE TABLE history_usual (
    series_id integer NOT NULL,
    start_at timestamp with time zone NOT NULL,
    received_from timestamp with time zone NOT NULL,
    received_to timestamp with time zone NOT NULL,
    delay_ms_max bigint NOT NULL,
    step_ms integer,
    decimals smallint,
    gaps_ms smallint[],
    wide_gaps_ms integer[],
    scaled smallint[],
    values_ real[],
    CONSTRAINT history_usual_check CHECK ((num_nonnulls(step_ms, gaps_ms, wide_gaps_ms) = 1)),
    CONSTRAINT history_usual_check1 CHECK (((num_nonnulls(scaled, values_) = 1) AND (num_nonnulls(scaled, decimals) = ANY (ARRAY[0, 2])))),
    CONSTRAINT history_usual_check2 CHECK ((cardinality(COALESCE((gaps_ms)::integer[], wide_gaps_ms)) = COALESCE(cardinality(scaled), cardinality(values_))))
) PARTITION BY RANGE (start_at);
CREATE INDEX history_usual_by_series ON ONLY public.history_usual USING btree (series_id, start_at);

CREATE TABLE ingest_reject (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    received_at timestamp with time zone NOT NULL,
    topic text NOT NULL,
    gateway_id text,
    digest text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    payload bytea NOT NULL,
    CONSTRAINT ingest_reject_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ingest_reject_once ON public.ingest_reject USING btree (topic, digest);

CREATE TABLE institution (
    id text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    phone text DEFAULT ''::text NOT NULL,
    latitude double precision,
    longitude double precision,
    hours text DEFAULT ''::text NOT NULL,
    beds integer,
    nursing_beds integer,
    is_active boolean DEFAULT true NOT NULL,
    CONSTRAINT institution_pkey PRIMARY KEY (id),
    CONSTRAINT institution_beds_check CHECK ((beds >= 0)),
    CONSTRAINT institution_check CHECK (((nursing_beds >= 0) AND (nursing_beds <= beds))),
    CONSTRAINT institution_check1 CHECK (((latitude IS NULL) = (longitude IS NULL))),
    CONSTRAINT institution_id_check CHECK ((id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'::text)),
    CONSTRAINT institution_kind_check CHECK ((kind = ANY (ARRAY['integrated'::text, 'care_home'::text, 'hospital'::text, 'health_centre'::text, 'clinic'::text, 'day_care'::text, 'nursing'::text]))),
    CONSTRAINT institution_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision))),
    CONSTRAINT institution_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision))),
    CONSTRAINT institution_name_check CHECK ((name <> ''::text))
);

CREATE TABLE last_sign (
    elder_id text NOT NULL,
    name text NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT last_sign_pkey PRIMARY KEY (elder_id, name),
    CONSTRAINT last_sign_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id) ON DELETE CASCADE
);
CREATE INDEX last_sign_by_name ON public.last_sign USING btree (name, at);

CREATE TABLE listener (
    first_shard smallint NOT NULL,
    last_shard smallint NOT NULL,
    since timestamp with time zone NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT listener_pkey PRIMARY KEY (first_shard, last_shard)
);

CREATE TABLE migration (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT migration_pkey PRIMARY KEY (number)
);

CREATE TABLE notification (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    alert_id bigint,
    step text NOT NULL,
    person text NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    body jsonb NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    error text,
    case_id bigint,
    key uuid DEFAULT gen_random_uuid() NOT NULL,
    read_at timestamp with time zone,
    read_by text,
    sending_since timestamp with time zone,
    doubts integer DEFAULT 0 NOT NULL,
    visit_id bigint,
    name text,
    CONSTRAINT notification_pkey PRIMARY KEY (id),
    CONSTRAINT notification_alert_id_step_person_key UNIQUE (alert_id, step, person),
    CONSTRAINT notification_about_something CHECK (((alert_id IS NOT NULL) OR (case_id IS NOT NULL) OR (visit_id IS NOT NULL))),
    CONSTRAINT notification_doubts_check CHECK ((doubts >= 0)),
    CONSTRAINT notification_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'sent'::text, 'failed'::text]))),
    CONSTRAINT notification_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alert(id),
    CONSTRAINT notification_case_id_fkey FOREIGN KEY (case_id) REFERENCES care_case(id),
    CONSTRAINT notification_visit_id_fkey FOREIGN KEY (visit_id) REFERENCES visit(id)
);
CREATE INDEX notification_by_case ON public.notification USING btree (case_id) WHERE (case_id IS NOT NULL);
CREATE INDEX notification_due ON public.notification USING btree (due_at) WHERE (state = 'waiting'::text);
CREATE UNIQUE INDEX notification_by_key ON public.notification USING btree (key);
CREATE UNIQUE INDEX notification_once_per_case ON public.notification USING btree (case_id, step, person) WHERE (alert_id IS NULL);
CREATE UNIQUE INDEX notification_once_per_visit ON public.notification USING btree (visit_id, step, person);

CREATE TABLE notify_route (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    person text NOT NULL,
    channel text NOT NULL,
    address text NOT NULL,
    priorities text[] NOT NULL,
    quiet_from time without time zone,
    quiet_to time without time zone,
    quiet_spares_high boolean DEFAULT true NOT NULL,
    zone text DEFAULT 'Asia/Shanghai'::text NOT NULL,
    consented_at timestamp with time zone NOT NULL,
    consented_to text NOT NULL,
    withdrawn_at timestamp with time zone,
    CONSTRAINT notify_route_pkey PRIMARY KEY (id),
    CONSTRAINT notify_route_channel_check CHECK ((channel = ANY (ARRAY['log'::text, 'webhook'::text, 'email'::text, 'service'::text, 'push'::text]))),
    CONSTRAINT notify_route_check CHECK (((quiet_from IS NULL) = (quiet_to IS NULL))),
    CONSTRAINT notify_route_priorities_check CHECK (((priorities <@ ARRAY['high'::text, 'medium'::text, 'low'::text, 'technical'::text]) AND (cardinality(priorities) > 0)))
);
CREATE UNIQUE INDEX notify_route_once ON public.notify_route USING btree (person, channel, address) WHERE (withdrawn_at IS NULL);

CREATE TABLE observation (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    elder_id text NOT NULL,
    at timestamp with time zone NOT NULL,
    on_oxygen boolean,
    consciousness text,
    by text NOT NULL,
    CONSTRAINT observation_pkey PRIMARY KEY (id),
    CONSTRAINT observation_check CHECK (((on_oxygen IS NOT NULL) OR (consciousness IS NOT NULL))),
    CONSTRAINT observation_consciousness_check CHECK ((consciousness = ANY (ARRAY['A'::text, 'C'::text, 'V'::text, 'P'::text, 'U'::text]))),
    CONSTRAINT observation_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id) ON DELETE CASCADE
);
CREATE INDEX observation_by_elder ON public.observation USING btree (elder_id, at);

CREATE TABLE plan_stop (
    plan_id bigint NOT NULL,
    due_id bigint NOT NULL,
    side smallint NOT NULL,
    doctor_id text NOT NULL,
    half text NOT NULL,
    "position" smallint NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    leg_min real NOT NULL,
    terms jsonb DEFAULT '{}'::jsonb NOT NULL,
    skipped_at timestamp with time zone,
    skip_reason text,
    CONSTRAINT plan_stop_pkey PRIMARY KEY (plan_id, due_id, side),
    CONSTRAINT plan_stop_half_check CHECK ((half = ANY (ARRAY['morning'::text, 'afternoon'::text]))),
    CONSTRAINT plan_stop_position_check CHECK (("position" >= 0)),
    CONSTRAINT plan_stop_side_check CHECK ((side = ANY (ARRAY[0, 1]))),
    CONSTRAINT plan_stop_skip_reason_check CHECK ((skip_reason = ANY (ARRAY['not_at_home'::text, 'refused'::text, 'in_hospital'::text, 'no_time'::text, 'other'::text, 'urgent_visit'::text]))),
    CONSTRAINT plan_stop_skipped_for_a_reason CHECK (((skipped_at IS NULL) = (skip_reason IS NULL))),
    CONSTRAINT plan_stop_doctor_id_fkey FOREIGN KEY (doctor_id) REFERENCES doctor(id),
    CONSTRAINT plan_stop_due_id_fkey FOREIGN KEY (due_id) REFERENCES due_visit(id) ON DELETE CASCADE,
    CONSTRAINT plan_stop_plan_id_fkey FOREIGN KEY (plan_id) REFERENCES day_plan(id) ON DELETE CASCADE
);
CREATE INDEX plan_stop_by_doctor ON public.plan_stop USING btree (doctor_id, starts_at);
CREATE INDEX plan_stop_by_due ON public.plan_stop USING btree (due_id);

CREATE TABLE plan_unserved (
    plan_id bigint NOT NULL,
    due_id bigint NOT NULL,
    reason text NOT NULL,
    CONSTRAINT plan_unserved_pkey PRIMARY KEY (plan_id, due_id),
    CONSTRAINT plan_unserved_reason_check CHECK ((reason = ANY (ARRAY['no_skill'::text, 'no_second_person'::text, 'outside_hours'::text, 'too_far'::text, 'full'::text, 'not_worth'::text, 'no_place'::text]))),
    CONSTRAINT plan_unserved_due_id_fkey FOREIGN KEY (due_id) REFERENCES due_visit(id) ON DELETE CASCADE,
    CONSTRAINT plan_unserved_plan_id_fkey FOREIGN KEY (plan_id) REFERENCES day_plan(id) ON DELETE CASCADE
);

CREATE TABLE rest (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    subject text NOT NULL,
    kind text NOT NULL,
    rule_id text,
    device_id text,
    reason text NOT NULL,
    by text NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    ended_by text,
    CONSTRAINT rest_pkey PRIMARY KEY (id),
    CONSTRAINT rest_check CHECK ((ends_at > starts_at)),
    CONSTRAINT rest_check1 CHECK (((ended_at IS NULL) = (ended_by IS NULL))),
    CONSTRAINT rest_check2 CHECK (((kind <> 'shelved'::text) OR (rule_id IS NOT NULL))),
    CONSTRAINT rest_kind_check CHECK ((kind = ANY (ARRAY['shelved'::text, 'maintenance'::text, 'away'::text, 'hospital'::text]))),
    CONSTRAINT rest_reason_check CHECK ((reason <> ''::text))
);
CREATE INDEX rest_in_force ON public.rest USING btree (subject) WHERE (ended_at IS NULL);

CREATE TABLE retention (
    quantity text NOT NULL,
    class text NOT NULL,
    CONSTRAINT retention_pkey PRIMARY KEY (quantity),
    CONSTRAINT retention_class_fkey FOREIGN KEY (class) REFERENCES retention_class(name)
);

CREATE TABLE retention_class (
    name text NOT NULL,
    raw_days integer NOT NULL,
    minute_days integer NOT NULL,
    rollup_days integer NOT NULL,
    source text NOT NULL,
    CONSTRAINT retention_class_pkey PRIMARY KEY (name),
    CONSTRAINT retention_class_check CHECK (((raw_days <= minute_days) AND (minute_days <= rollup_days))),
    CONSTRAINT retention_class_name_check CHECK ((name = ANY (ARRAY['brief'::text, 'usual'::text, 'lasting'::text]))),
    CONSTRAINT retention_class_raw_days_check CHECK ((raw_days >= 1)),
    CONSTRAINT retention_class_rollup_days_check CHECK ((rollup_days <= 36525))
);

CREATE TABLE rollup_day_brief (
    series_id integer NOT NULL,
    start_at timestamp with time zone NOT NULL,
    count integer NOT NULL,
    mean double precision NOT NULL,
    low real NOT NULL,
    high real NOT NULL,
    hours smallint[] NOT NULL,
    counts integer[] NOT NULL,
    means double precision[] NOT NULL,
    lows real[] NOT NULL,
    highs real[] NOT NULL
) PARTITION BY RANGE (start_at);
CREATE UNIQUE INDEX rollup_day_brief_once ON ONLY public.rollup_day_brief USING btree (series_id, start_at);

CREATE TABLE rollup_day_lasting (
    series_id integer NOT NULL,
    start_at timestamp with time zone NOT NULL,
    count integer NOT NULL,
    mean double precision NOT NULL,
    low real NOT NULL,
    high real NOT NULL,
    hours smallint[] NOT NULL,
    counts integer[] NOT NULL,
    means double precision[] NOT NULL,
    lows real[] NOT NULL,
    highs real[] NOT NULL
) PARTITION BY RANGE (start_at);
CREATE UNIQUE INDEX rollup_day_lasting_once ON ONLY public.rollup_day_lasting USING btree (series_id, start_at);

CREATE TABLE rollup_day_usual (
    series_id integer NOT NULL,
    start_at timestamp with time zone NOT NULL,
    count integer NOT NULL,
    mean double precision NOT NULL,
    low real NOT NULL,
    high real NOT NULL,
    hours smallint[] NOT NULL,
    counts integer[] NOT NULL,
    means double precision[] NOT NULL,
    lows real[] NOT NULL,
    highs real[] NOT NULL
) PARTITION BY RANGE (start_at);
CREATE UNIQUE INDEX rollup_day_usual_once ON ONLY public.rollup_day_usual USING btree (series_id, start_at);

CREATE TABLE rollup_minute_brief (
    series_id integer NOT NULL,
    start_at timestamp with time zone NOT NULL,
    minutes smallint[] NOT NULL,
    counts integer[] NOT NULL,
    means real[] NOT NULL,
    lows real[] NOT NULL,
    highs real[] NOT NULL
) PARTITION BY RANGE (start_at);
CREATE UNIQUE INDEX rollup_minute_brief_once ON ONLY public.rollup_minute_brief USING btree (series_id, start_at);

CREATE TABLE rollup_minute_lasting (
    series_id integer NOT NULL,
    start_at timestamp with time zone NOT NULL,
    minutes smallint[] NOT NULL,
    counts integer[] NOT NULL,
    means real[] NOT NULL,
    lows real[] NOT NULL,
    highs real[] NOT NULL
) PARTITION BY RANGE (start_at);
CREATE UNIQUE INDEX rollup_minute_lasting_once ON ONLY public.rollup_minute_lasting USING btree (series_id, start_at);

CREATE TABLE rollup_minute_usual (
    series_id integer NOT NULL,
    start_at timestamp with time zone NOT NULL,
    minutes smallint[] NOT NULL,
    counts integer[] NOT NULL,
    means real[] NOT NULL,
    lows real[] NOT NULL,
    highs real[] NOT NULL
) PARTITION BY RANGE (start_at);
CREATE UNIQUE INDEX rollup_minute_usual_once ON ONLY public.rollup_minute_usual USING btree (series_id, start_at);

CREATE TABLE rule (
    id text NOT NULL,
    version integer NOT NULL,
    body jsonb NOT NULL,
    valid_from timestamp with time zone DEFAULT now() NOT NULL,
    created_by text NOT NULL,
    is_retired boolean DEFAULT false NOT NULL,
    approved_by text,
    cases text DEFAULT ''::text NOT NULL,
    draft_id bigint,
    CONSTRAINT rule_pkey PRIMARY KEY (id, version),
    CONSTRAINT rule_from_a_draft CHECK (((draft_id IS NULL) OR (approved_by IS NOT NULL))),
    CONSTRAINT rule_id_check CHECK ((id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'::text)),
    CONSTRAINT rule_two_people CHECK (((approved_by IS NULL) OR (approved_by <> created_by))),
    CONSTRAINT rule_version_check CHECK ((version >= 1)),
    CONSTRAINT rule_draft_id_fkey FOREIGN KEY (draft_id) REFERENCES rule_draft(id)
);

CREATE TABLE rule_draft (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    rule_id text NOT NULL,
    body jsonb NOT NULL,
    cases text DEFAULT ''::text NOT NULL,
    reason text NOT NULL,
    is_retirement boolean DEFAULT false NOT NULL,
    author text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    state text DEFAULT 'draft'::text NOT NULL,
    cases_passed boolean DEFAULT false NOT NULL,
    preview jsonb,
    preview_seen_by text,
    submitted_at timestamp with time zone,
    approved_by text,
    approved_at timestamp with time zone,
    refusal text DEFAULT ''::text NOT NULL,
    CONSTRAINT rule_draft_pkey PRIMARY KEY (id),
    CONSTRAINT rule_draft_approved CHECK (((state <> 'approved'::text) OR ((approved_by IS NOT NULL) AND (approved_at IS NOT NULL)))),
    CONSTRAINT rule_draft_rule_id_check CHECK ((rule_id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'::text)),
    CONSTRAINT rule_draft_state_check CHECK ((state = ANY (ARRAY['draft'::text, 'submitted'::text, 'approved'::text, 'withdrawn'::text]))),
    CONSTRAINT rule_draft_tried CHECK (((state <> ALL (ARRAY['submitted'::text, 'approved'::text])) OR is_retirement OR (cases_passed AND (preview IS NOT NULL) AND (preview_seen_by IS NOT NULL)))),
    CONSTRAINT rule_draft_two_people CHECK (((approved_by IS NULL) OR (approved_by <> author)))
);
CREATE UNIQUE INDEX rule_draft_one_open ON public.rule_draft USING btree (rule_id) WHERE (state = ANY (ARRAY['draft'::text, 'submitted'::text]));

CREATE TABLE rule_override (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    elder_id text,
    team_id text,
    rule_id text NOT NULL,
    patch jsonb NOT NULL,
    reason text NOT NULL,
    by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    until date NOT NULL,
    ended_at timestamp with time zone,
    ended_by text,
    CONSTRAINT rule_override_pkey PRIMARY KEY (id),
    CONSTRAINT rule_override_check CHECK (((elder_id IS NULL) <> (team_id IS NULL))),
    CONSTRAINT rule_override_check1 CHECK (((ended_at IS NULL) = (ended_by IS NULL))),
    CONSTRAINT rule_override_check2 CHECK ((until >= (((created_at AT TIME ZONE 'UTC'::text))::date - 1))),
    CONSTRAINT rule_override_reason_check CHECK ((length(reason) >= 2)),
    CONSTRAINT rule_override_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id) ON DELETE CASCADE,
    CONSTRAINT rule_override_team_id_fkey FOREIGN KEY (team_id) REFERENCES team(id) ON DELETE CASCADE
);
CREATE INDEX rule_override_by_elder ON public.rule_override USING btree (elder_id);
CREATE UNIQUE INDEX rule_override_one ON public.rule_override USING btree (rule_id, COALESCE(elder_id, ('team:'::text || team_id))) WHERE (ended_at IS NULL);

CREATE TABLE score_sign (
    elder_id text NOT NULL,
    quantity text NOT NULL,
    at timestamp with time zone NOT NULL,
    points smallint NOT NULL,
    CONSTRAINT score_sign_pkey PRIMARY KEY (elder_id, quantity),
    CONSTRAINT score_sign_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id) ON DELETE CASCADE
);

CREATE TABLE segment (
    series_id integer NOT NULL,
    start_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    offsets_ms integer[] NOT NULL,
    values_ real[] NOT NULL,
    CONSTRAINT inbox_check CHECK ((cardinality(offsets_ms) = cardinality(values_))),
    CONSTRAINT inbox_values__check CHECK ((cardinality(values_) > 0))
) PARTITION BY RANGE (received_at);
CREATE INDEX segment_by_series ON ONLY public.segment USING btree (series_id, start_at);

CREATE TABLE series (
    id integer GENERATED ALWAYS AS IDENTITY NOT NULL,
    gateway_id text NOT NULL,
    device_id text NOT NULL,
    quantity text NOT NULL,
    statistic text NOT NULL,
    elder_id text,
    last_at timestamp with time zone,
    last_value real,
    seen_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT series_pkey PRIMARY KEY (id),
    CONSTRAINT series_gateway_id_device_id_quantity_statistic_key UNIQUE (gateway_id, device_id, quantity, statistic),
    CONSTRAINT series_statistic_check CHECK ((statistic = ANY (ARRAY['sample'::text, 'mean'::text, 'min'::text, 'max'::text]))),
    CONSTRAINT series_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id),
    CONSTRAINT series_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id)
);
CREATE INDEX series_by_elder ON public.series USING btree (elder_id, quantity);
CREATE INDEX series_unseen ON public.series USING btree (quantity, seen_at);

CREATE TABLE session (
    token_hash bytea NOT NULL,
    account_name text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT session_pkey PRIMARY KEY (token_hash),
    CONSTRAINT session_account_name_fkey FOREIGN KEY (account_name) REFERENCES account(name) ON DELETE CASCADE
);
CREATE INDEX session_by_expiry ON public.session USING btree (expires_at);

CREATE TABLE shift (
    doctor_id text NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    CONSTRAINT shift_pkey PRIMARY KEY (doctor_id, starts_at),
    CONSTRAINT shift_check CHECK ((ends_at > starts_at)),
    CONSTRAINT shift_doctor_id_fkey FOREIGN KEY (doctor_id) REFERENCES doctor(id) ON DELETE CASCADE
);

CREATE TABLE storage_job (
    name text NOT NULL,
    done_at timestamp with time zone NOT NULL,
    seconds double precision NOT NULL,
    readings bigint DEFAULT 0 NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    CONSTRAINT storage_job_pkey PRIMARY KEY (name)
);

CREATE TABLE team (
    id text NOT NULL,
    name text NOT NULL,
    phone text DEFAULT ''::text NOT NULL,
    fallback_team_id text,
    latitude double precision,
    longitude double precision,
    CONSTRAINT team_pkey PRIMARY KEY (id),
    CONSTRAINT team_check CHECK ((fallback_team_id <> id)),
    CONSTRAINT team_id_check CHECK ((id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'::text)),
    CONSTRAINT team_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision))),
    CONSTRAINT team_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision))),
    CONSTRAINT team_fallback_team_id_fkey FOREIGN KEY (fallback_team_id) REFERENCES team(id)
);
CREATE CONSTRAINT TRIGGER team_has_a_gp AFTER INSERT ON public.team DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION team_has_a_gp();

CREATE TABLE team_area (
    team_id text NOT NULL,
    area_id text NOT NULL,
    CONSTRAINT team_area_pkey PRIMARY KEY (team_id, area_id),
    CONSTRAINT team_area_area_id_fkey FOREIGN KEY (area_id) REFERENCES area(id) ON DELETE CASCADE,
    CONSTRAINT team_area_team_id_fkey FOREIGN KEY (team_id) REFERENCES team(id) ON DELETE CASCADE
);
CREATE INDEX team_area_by_area ON public.team_area USING btree (area_id);

CREATE TABLE travel_curve (
    team_id text NOT NULL,
    a_s double precision NOT NULL,
    b_s double precision NOT NULL,
    c_s double precision NOT NULL,
    trips integer NOT NULL,
    error_percent double precision NOT NULL,
    fitted_at timestamp with time zone NOT NULL,
    CONSTRAINT travel_curve_pkey PRIMARY KEY (team_id),
    CONSTRAINT travel_curve_team_id_fkey FOREIGN KEY (team_id) REFERENCES team(id) ON DELETE CASCADE
);

CREATE TABLE visit (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    elder_id text NOT NULL,
    alert_id bigint,
    class text NOT NULL,
    reason text NOT NULL,
    state text DEFAULT 'requested'::text NOT NULL,
    doctor_id text,
    requested_at timestamp with time zone NOT NULL,
    requested_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    next_at timestamp with time zone,
    rounds integer DEFAULT 0 NOT NULL,
    findings text,
    outcome text,
    search_at timestamp with time zone NOT NULL,
    rung smallint DEFAULT 0 NOT NULL,
    depart_by timestamp with time zone,
    called_120_at timestamp with time zone,
    due_id bigint,
    due_side smallint,
    room_at timestamp with time zone,
    room_of text,
    room_owed text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT visit_pkey PRIMARY KEY (id),
    CONSTRAINT visit_check1 CHECK (((doctor_id IS NOT NULL) OR (state = ANY (ARRAY['requested'::text, 'offered'::text, 'cancelled'::text])))),
    CONSTRAINT visit_check2 CHECK (((state = 'done'::text) = ((findings IS NOT NULL) AND (outcome IS NOT NULL)))),
    CONSTRAINT visit_class_check CHECK ((class = ANY (ARRAY['emergency'::text, 'urgent'::text, 'same_day'::text, 'by_date'::text]))),
    CONSTRAINT visit_due_side_check CHECK ((due_side = ANY (ARRAY[0, 1]))),
    CONSTRAINT visit_has_a_promise CHECK (((state <> 'accepted'::text) OR (depart_by IS NOT NULL))),
    CONSTRAINT visit_has_a_timer CHECK (((next_at IS NOT NULL) = (state = ANY (ARRAY['requested'::text, 'offered'::text, 'accepted'::text])))),
    CONSTRAINT visit_of_a_stop CHECK (((due_id IS NULL) = (due_side IS NULL))),
    CONSTRAINT visit_outcome_check CHECK ((outcome = ANY (ARRAY['well'::text, 'treated'::text, 'referred'::text, 'emergency'::text, 'not_met'::text]))),
    CONSTRAINT visit_rung_check CHECK (((rung >= 0) AND (rung <= 3))),
    CONSTRAINT visit_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'offered'::text, 'accepted'::text, 'on_the_way'::text, 'at_home'::text, 'done'::text, 'cancelled'::text]))),
    CONSTRAINT visit_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alert(id),
    CONSTRAINT visit_doctor_id_fkey FOREIGN KEY (doctor_id) REFERENCES doctor(id),
    CONSTRAINT visit_due_id_fkey FOREIGN KEY (due_id) REFERENCES due_visit(id),
    CONSTRAINT visit_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id),
    CONSTRAINT visit_room_of_fkey FOREIGN KEY (room_of) REFERENCES doctor(id)
);
CREATE INDEX visit_by_alert ON public.visit USING btree (alert_id, id);
CREATE INDEX visit_by_change ON public.visit USING btree (changed_at);
CREATE INDEX visit_by_due ON public.visit USING btree (due_id) WHERE (due_id IS NOT NULL);
CREATE INDEX visit_by_elder ON public.visit USING btree (elder_id, requested_at);
CREATE INDEX visit_due ON public.visit USING btree (next_at) WHERE (next_at IS NOT NULL);
CREATE INDEX visit_open_by_doctor ON public.visit USING btree (doctor_id) WHERE (state <> ALL (ARRAY['done'::text, 'cancelled'::text]));
CREATE INDEX visit_room ON public.visit USING btree (room_at) WHERE (room_at IS NOT NULL);
CREATE UNIQUE INDEX visit_one_open_per_alert ON public.visit USING btree (alert_id) WHERE (state <> ALL (ARRAY['done'::text, 'cancelled'::text]));
CREATE UNIQUE INDEX visit_one_open_per_stop ON public.visit USING btree (due_id, due_side) WHERE (state <> ALL (ARRAY['done'::text, 'cancelled'::text]));

CREATE TABLE visit_offer (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    visit_id bigint NOT NULL,
    round integer NOT NULL,
    doctor_id text NOT NULL,
    why text NOT NULL,
    offered_at timestamp with time zone NOT NULL,
    widens_at timestamp with time zone NOT NULL,
    answer text,
    answered_at timestamp with time zone,
    decline_reason text,
    way_s integer,
    cost jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT visit_offer_pkey PRIMARY KEY (id),
    CONSTRAINT visit_offer_visit_id_round_doctor_id_key UNIQUE (visit_id, round, doctor_id),
    CONSTRAINT visit_offer_answer_check CHECK ((answer = ANY (ARRAY['accepted'::text, 'declined'::text, 'expired'::text, 'withdrawn'::text, 'released'::text]))),
    CONSTRAINT visit_offer_check CHECK (((answer IS NULL) = (answered_at IS NULL))),
    CONSTRAINT visit_offer_check1 CHECK (((NOT (answer IS DISTINCT FROM 'declined'::text)) = (decline_reason IS NOT NULL))),
    CONSTRAINT visit_offer_decline_reason_check CHECK ((decline_reason = ANY (ARRAY['with_patient'::text, 'too_far'::text, 'off_duty'::text, 'not_my_field'::text, 'other'::text]))),
    CONSTRAINT visit_offer_way_s_check CHECK ((way_s >= 0)),
    CONSTRAINT visit_offer_why_check CHECK ((why = ANY (ARRAY['own_doctor'::text, 'own_team'::text, 'area_team'::text, 'fallback_team'::text, 'by_hand'::text, 'planned'::text]))),
    CONSTRAINT visit_offer_doctor_id_fkey FOREIGN KEY (doctor_id) REFERENCES doctor(id),
    CONSTRAINT visit_offer_visit_id_fkey FOREIGN KEY (visit_id) REFERENCES visit(id)
);
CREATE INDEX visit_offer_open ON public.visit_offer USING btree (doctor_id) WHERE (answer IS NULL);
CREATE UNIQUE INDEX visit_offer_one_winner ON public.visit_offer USING btree (visit_id) WHERE (answer = 'accepted'::text);

CREATE TABLE visit_once (
    key uuid NOT NULL,
    visit_id bigint NOT NULL,
    step text NOT NULL,
    by text NOT NULL,
    said_at timestamp with time zone NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT visit_once_pkey PRIMARY KEY (key),
    CONSTRAINT visit_once_visit_id_fkey FOREIGN KEY (visit_id) REFERENCES visit(id)
);
CREATE INDEX visit_once_by_visit ON public.visit_once USING btree (visit_id);

CREATE TABLE visit_record (
    visit_id bigint NOT NULL,
    elder_id text NOT NULL,
    answers jsonb NOT NULL,
    control jsonb DEFAULT '{}'::jsonb NOT NULL,
    reasons text[] DEFAULT '{}'::text[] NOT NULL,
    refer boolean DEFAULT false NOT NULL,
    refer_to text DEFAULT ''::text NOT NULL,
    next_on date,
    signed_by text NOT NULL,
    signed_at timestamp with time zone NOT NULL,
    digest text NOT NULL,
    CONSTRAINT visit_record_pkey PRIMARY KEY (visit_id),
    CONSTRAINT visit_record_digest_check CHECK ((digest ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT visit_record_elder_id_fkey FOREIGN KEY (elder_id) REFERENCES elder(id),
    CONSTRAINT visit_record_signed_by_fkey FOREIGN KEY (signed_by) REFERENCES account(name),
    CONSTRAINT visit_record_visit_id_fkey FOREIGN KEY (visit_id) REFERENCES visit(id)
);
CREATE INDEX visit_record_by_elder ON public.visit_record USING btree (elder_id, signed_at);
CREATE INDEX visit_record_due ON public.visit_record USING btree (next_on);
CREATE TRIGGER visit_record_is_append_only BEFORE DELETE OR UPDATE ON public.visit_record FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE visit_step (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    visit_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    by text NOT NULL,
    state text NOT NULL,
    doctor_id text,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT visit_step_pkey PRIMARY KEY (id),
    CONSTRAINT visit_step_visit_id_fkey FOREIGN KEY (visit_id) REFERENCES visit(id)
);
CREATE INDEX visit_step_by_visit ON public.visit_step USING btree (visit_id, id);
CREATE TRIGGER visit_step_is_append_only BEFORE DELETE OR UPDATE ON public.visit_step FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE VIEW any_segment AS
 SELECT segment.series_id,
    segment.start_at,
    segment.received_at,
    NULL::bigint AS delay_ms_max,
    segment.offsets_ms,
    segment.values_
   FROM segment
UNION ALL
 SELECT history.series_id,
    history.start_at,
    history.received_to AS received_at,
    history.delay_ms_max,
    long_offsets_ms(history.step_ms, COALESCE((history.gaps_ms)::integer[], history.wide_gaps_ms), COALESCE(cardinality(history.scaled), cardinality(history.values_))) AS offsets_ms,
    COALESCE(history.values_, long_values(history.scaled, history.decimals)) AS values_
   FROM history;

CREATE VIEW history AS
 SELECT history_brief.series_id,
    history_brief.start_at,
    history_brief.received_from,
    history_brief.received_to,
    history_brief.delay_ms_max,
    history_brief.step_ms,
    history_brief.decimals,
    history_brief.gaps_ms,
    history_brief.wide_gaps_ms,
    history_brief.scaled,
    history_brief.values_
   FROM history_brief
UNION ALL
 SELECT history_usual.series_id,
    history_usual.start_at,
    history_usual.received_from,
    history_usual.received_to,
    history_usual.delay_ms_max,
    history_usual.step_ms,
    history_usual.decimals,
    history_usual.gaps_ms,
    history_usual.wide_gaps_ms,
    history_usual.scaled,
    history_usual.values_
   FROM history_usual
UNION ALL
 SELECT history_lasting.series_id,
    history_lasting.start_at,
    history_lasting.received_from,
    history_lasting.received_to,
    history_lasting.delay_ms_max,
    history_lasting.step_ms,
    history_lasting.decimals,
    history_lasting.gaps_ms,
    history_lasting.wide_gaps_ms,
    history_lasting.scaled,
    history_lasting.values_
   FROM history_lasting;

CREATE VIEW reading AS
 SELECT s.elder_id,
    s.gateway_id,
    s.device_id,
    s.quantity,
    s.statistic,
    (g.start_at + ((item.offset_ms)::double precision * '00:00:00.001'::interval)) AS measured_at,
        CASE
            WHEN (g.delay_ms_max IS NULL) THEN g.received_at
            ELSE LEAST(g.received_at, (g.start_at + (((item.offset_ms + g.delay_ms_max))::double precision * '00:00:00.001'::interval)))
        END AS received_at,
    item.value,
    g.start_at AS segment_at
   FROM ((any_segment g
     JOIN series s ON ((s.id = g.series_id)))
     CROSS JOIN LATERAL UNNEST(g.offsets_ms, g.values_) item(offset_ms, value));

CREATE VIEW reading_day AS
 SELECT s.elder_id,
    s.gateway_id,
    s.device_id,
    s.quantity,
    s.statistic,
    r.start_at AS at,
    r.count,
    r.mean,
    r.low,
    r.high,
    r.start_at AS segment_at
   FROM (rollup_day r
     JOIN series s ON ((s.id = r.series_id)));

CREATE VIEW reading_hour AS
 SELECT s.elder_id,
    s.gateway_id,
    s.device_id,
    s.quantity,
    s.statistic,
    (r.start_at + ((item.hour)::double precision * '01:00:00'::interval)) AS at,
    item.count,
    item.mean,
    item.low,
    item.high,
    r.start_at AS segment_at
   FROM ((rollup_day r
     JOIN series s ON ((s.id = r.series_id)))
     CROSS JOIN LATERAL UNNEST(r.hours, r.counts, r.means, r.lows, r.highs) item(hour, count, mean, low, high));

CREATE VIEW reading_minute AS
 SELECT s.elder_id,
    s.gateway_id,
    s.device_id,
    s.quantity,
    s.statistic,
    (r.start_at + ((item.minute)::double precision * '00:01:00'::interval)) AS at,
    item.count,
    item.mean,
    item.low,
    item.high,
    r.start_at AS segment_at
   FROM ((rollup_minute r
     JOIN series s ON ((s.id = r.series_id)))
     CROSS JOIN LATERAL UNNEST(r.minutes, r.counts, r.means, r.lows, r.highs) item(minute, count, mean, low, high));

CREATE VIEW rollup_day AS
 SELECT rollup_day_brief.series_id,
    rollup_day_brief.start_at,
    rollup_day_brief.count,
    rollup_day_brief.mean,
    rollup_day_brief.low,
    rollup_day_brief.high,
    rollup_day_brief.hours,
    rollup_day_brief.counts,
    rollup_day_brief.means,
    rollup_day_brief.lows,
    rollup_day_brief.highs
   FROM rollup_day_brief
UNION ALL
 SELECT rollup_day_usual.series_id,
    rollup_day_usual.start_at,
    rollup_day_usual.count,
    rollup_day_usual.mean,
    rollup_day_usual.low,
    rollup_day_usual.high,
    rollup_day_usual.hours,
    rollup_day_usual.counts,
    rollup_day_usual.means,
    rollup_day_usual.lows,
    rollup_day_usual.highs
   FROM rollup_day_usual
UNION ALL
 SELECT rollup_day_lasting.series_id,
    rollup_day_lasting.start_at,
    rollup_day_lasting.count,
    rollup_day_lasting.mean,
    rollup_day_lasting.low,
    rollup_day_lasting.high,
    rollup_day_lasting.hours,
    rollup_day_lasting.counts,
    rollup_day_lasting.means,
    rollup_day_lasting.lows,
    rollup_day_lasting.highs
   FROM rollup_day_lasting;

CREATE VIEW rollup_minute AS
 SELECT rollup_minute_brief.series_id,
    rollup_minute_brief.start_at,
    rollup_minute_brief.minutes,
    rollup_minute_brief.counts,
    rollup_minute_brief.means,
    rollup_minute_brief.lows,
    rollup_minute_brief.highs
   FROM rollup_minute_brief
UNION ALL
 SELECT rollup_minute_usual.series_id,
    rollup_minute_usual.start_at,
    rollup_minute_usual.minutes,
    rollup_minute_usual.counts,
    rollup_minute_usual.means,
    rollup_minute_usual.lows,
    rollup_minute_usual.highs
   FROM rollup_minute_usual
UNION ALL
 SELECT rollup_minute_lasting.series_id,
    rollup_minute_lasting.start_at,
    rollup_minute_lasting.minutes,
    rollup_minute_lasting.counts,
    rollup_minute_lasting.means,
    rollup_minute_lasting.lows,
    rollup_minute_lasting.highs
   FROM rollup_minute_lasting;

CREATE OR REPLACE FUNCTION public.after_quiet(at timestamp with time zone, zone text, quiet_from time without time zone, quiet_to time without time zone)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$
    SELECT CASE
        WHEN quiet_from IS NULL OR NOT CASE
            WHEN quiet_from <= quiet_to THEN clock >= quiet_from AND clock < quiet_to
            ELSE clock >= quiet_from OR clock < quiet_to
        END THEN at
        ELSE (day + quiet_to + CASE WHEN clock < quiet_to THEN interval '0' ELSE interval '1 day' END) AT TIME ZONE zone
    END
    FROM (SELECT (at AT TIME ZONE zone)::time AS clock, (at AT TIME ZONE zone)::date AS day) local
$function$;

CREATE OR REPLACE FUNCTION public.family_right(at timestamp with time zone)
 RETURNS TABLE(account_name text, elder_id text, sees text[])
 LANGUAGE sql
 STABLE
AS $function$
    SELECT c.account_name, c.elder_id, array_agg(DISTINCT thing)
    FROM family_consent c
    JOIN account a ON a.name = c.account_name AND a.role = 'family' AND a.is_active
    CROSS JOIN unnest(c.sees) AS thing
    WHERE c.withdrawn_at IS NULL AND at >= c.begins_at AND at < c.ends_at
        AND EXISTS (SELECT FROM contact p WHERE p.elder_id = c.elder_id AND p.name = c.contact_name)
    GROUP BY c.account_name, c.elder_id
$function$;

CREATE OR REPLACE FUNCTION public.long_offsets_ms(step_ms integer, gaps integer[], length integer)
 RETURNS integer[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT CASE
        WHEN step_ms IS NOT NULL THEN ARRAY(SELECT place * step_ms FROM generate_series(0, length - 1) AS place)
        ELSE ARRAY(SELECT sum(gap) OVER (ORDER BY place)::integer FROM unnest(gaps) WITH ORDINALITY AS one (gap, place) ORDER BY place)
    END
$function$;

CREATE OR REPLACE FUNCTION public.long_values(scaled smallint[], decimals smallint)
 RETURNS real[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT ARRAY(
        SELECT (number / (10::double precision ^ decimals))::real FROM unnest(scaled) WITH ORDINALITY AS one (number, place) ORDER BY place
    )
$function$;

CREATE OR REPLACE FUNCTION public.refuse_case_move()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
END $function$;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $function$;

CREATE OR REPLACE FUNCTION public.search_grams(words text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE COST 2000
AS $function$
    -- of letters: how a word begins, up to six; of digits: every three; of other characters: every one of a name's, every two of any
    SELECT coalesce(array_agg(DISTINCT gram), '{}') FROM (
        SELECT '|' || left(word, n) AS gram FROM unnest(string_to_array(words, '|')) AS word, generate_series(1, 6) AS n
        WHERE word ~ '^[a-z]' AND n <= length(word)
        UNION ALL
        SELECT substr(word, i, 3) FROM unnest(string_to_array(words, '|')) AS word, generate_series(1, length(word) - 2) AS i
        WHERE substr(word, i, 3) ~ '^[0-9]{3}$'
        UNION ALL
        SELECT substr(word, i, 2) FROM unnest(string_to_array(words, '|')) AS word, generate_series(1, length(word) - 1) AS i
        WHERE word !~ '^[a-z]+$'
        UNION ALL
        SELECT substr(word, i, 1) FROM unnest(string_to_array(words, '|')) WITH ORDINALITY AS one (word, place), generate_series(1, length(word)) AS i
        WHERE place = 2 AND substr(word, i, 1) !~ '[a-z0-9]'
    ) AS found
$function$;

CREATE OR REPLACE FUNCTION public.search_plain(given text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    -- small letters, full-width forms as usual ones, no tones, ü and v as u, no spaces and signs
    SELECT translate(regexp_replace(normalize(lower(normalize(given, NFKC)), NFD), '[\u0300-\u036f[:space:][:punct:]·、。|]', '', 'g'), 'v', 'u')
$function$;

CREATE OR REPLACE FUNCTION public.search_syllables(pinyin text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    -- where a syllable of pinyin begins: at a word, an apostrophe, or a consonant before a vowel
    SELECT coalesce(array_agg(part[1] ORDER BY place), '{}') FROM regexp_matches(
        translate(regexp_replace(normalize(lower(normalize(pinyin, NFKC)), NFD), '[\u0300-\u036f]', '', 'g'), 'v', 'u'),
        '((?:[zcs]h|[b-df-hj-np-tw-z])?[aeiou]+(?:(?:ng|n|r)(?![aeiou])|n(?=g[aeiou]))?|[a-z])', 'g'
    ) WITH ORDINALITY AS found (part, place)
$function$;

CREATE OR REPLACE FUNCTION public.search_words(name text, pinyin text, phone text, address text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO '$user', 'public'
AS $function$
    WITH syllables AS (SELECT search_syllables(pinyin) AS s)
    SELECT '|' || concat_ws(
        '|', search_plain(name),
        (SELECT string_agg(array_to_string(s[i:], ''), '|' ORDER BY i) FROM generate_series(1, cardinality(s)) AS i),
        (SELECT string_agg((SELECT string_agg(left(x, 1), '' ORDER BY n) FROM unnest(s[i:]) WITH ORDINALITY AS u (x, n)), '|' ORDER BY i)
         FROM generate_series(1, cardinality(s) - 1) AS i),
        nullif(regexp_replace(phone, '\D', '', 'g'), ''), search_plain(address)
    ) FROM syllables
$function$;

CREATE OR REPLACE FUNCTION public.team_has_a_gp()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
    team text;
BEGIN
    IF TG_TABLE_NAME = 'team' THEN team := NEW.id; ELSE team := OLD.team_id; END IF;
    IF EXISTS (SELECT FROM team t WHERE t.id = team)
        AND NOT EXISTS (SELECT FROM doctor d WHERE d.team_id = team AND d.role = 'gp' AND d.is_active) THEN
        RAISE EXCEPTION 'team % would have no family doctor', team USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $function$;
