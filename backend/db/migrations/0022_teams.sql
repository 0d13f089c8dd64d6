-- Areas, the teams that serve them, and that every team has a doctor ("1+1+1+X": GP, nurse, public health, and whoever else; X may be empty).

CREATE TABLE area (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    name text NOT NULL,
    parent_id text REFERENCES area (id) CHECK (parent_id <> id)
);
CREATE TABLE team_area (
    team_id text NOT NULL REFERENCES team (id) ON DELETE CASCADE,
    area_id text NOT NULL REFERENCES area (id) ON DELETE CASCADE,
    PRIMARY KEY (team_id, area_id)
);
CREATE INDEX team_area_by_area ON team_area (area_id);
ALTER TABLE elder ADD area_id text REFERENCES area (id);
CREATE INDEX elder_by_area ON elder (area_id);
ALTER TABLE doctor ADD is_active boolean NOT NULL DEFAULT true;

CREATE FUNCTION team_has_a_gp() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    team text;
BEGIN
    IF TG_TABLE_NAME = 'team' THEN team := NEW.id; ELSE team := OLD.team_id; END IF;
    IF EXISTS (SELECT FROM team t WHERE t.id = team)
        AND NOT EXISTS (SELECT FROM doctor d WHERE d.team_id = team AND d.role = 'gp' AND d.is_active) THEN
        RAISE EXCEPTION 'team % would have no family doctor', team USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
-- Asked at the end of the transaction, so that a team and its doctors can come in any order.
CREATE CONSTRAINT TRIGGER team_has_a_gp AFTER INSERT ON team DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION team_has_a_gp();
CREATE CONSTRAINT TRIGGER doctor_leaves_a_gp AFTER UPDATE OR DELETE ON doctor DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION team_has_a_gp();

-- Whoever has signed with nobody is visited by the teams of the area.
ALTER TABLE visit_offer DROP CONSTRAINT visit_offer_why_check;
ALTER TABLE visit_offer ADD CONSTRAINT visit_offer_why_check
    CHECK (why IN ('own_doctor', 'own_team', 'area_team', 'fallback_team', 'by_hand'));

-- Why a contract ended, and who wrote it down.
ALTER TABLE contract ADD end_reason text NOT NULL DEFAULT '';
ALTER TABLE contract ADD written_by text NOT NULL DEFAULT '';
