-- Stops of a published plan become visits when they begin, or are skipped with a reason; what could not be taken is kept as a note.

ALTER TABLE visit ADD due_id bigint REFERENCES due_visit (id);
ALTER TABLE visit ADD due_side smallint CHECK (due_side IN (0, 1));
ALTER TABLE visit ADD CONSTRAINT visit_of_a_stop CHECK ((due_id IS NULL) = (due_side IS NULL));
CREATE UNIQUE INDEX visit_one_open_per_stop ON visit (due_id, due_side) WHERE state NOT IN ('done', 'cancelled');
CREATE INDEX visit_by_due ON visit (due_id) WHERE due_id IS NOT NULL;

ALTER TABLE visit_offer DROP CONSTRAINT visit_offer_why_check;
ALTER TABLE visit_offer ADD CONSTRAINT visit_offer_why_check
    CHECK (why IN ('own_doctor', 'own_team', 'area_team', 'fallback_team', 'by_hand', 'planned'));

ALTER TABLE plan_stop ADD skipped_at timestamptz;
ALTER TABLE plan_stop ADD skip_reason text
    CHECK (skip_reason IN ('not_at_home', 'refused', 'in_hospital', 'no_time', 'other', 'urgent_visit'));
ALTER TABLE plan_stop ADD CONSTRAINT plan_stop_skipped_for_a_reason CHECK ((skipped_at IS NULL) = (skip_reason IS NULL));
CREATE INDEX plan_stop_by_due ON plan_stop (due_id);
