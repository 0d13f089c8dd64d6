-- A doctor's page reads its own open visits, not the district's.
CREATE INDEX visit_open_by_doctor ON visit (doctor_id) WHERE state NOT IN ('done', 'cancelled');
