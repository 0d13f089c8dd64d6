-- In whose day an urgent visit has room: when another doctor makes it, or nobody, that day gets its room back.

ALTER TABLE visit ADD COLUMN room_of text REFERENCES doctor;
