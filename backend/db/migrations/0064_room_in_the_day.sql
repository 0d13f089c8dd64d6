-- A doctor who takes an urgent visit is answered at once; the worker makes room for it in the plan of the day, and again where that fails.

ALTER TABLE visit ADD COLUMN room_at timestamptz;
CREATE INDEX visit_room ON visit (room_at) WHERE room_at IS NOT NULL;
