-- Doctors whose day still has to give its room back: `room_of` is then free for who makes the urgent visit now.

ALTER TABLE visit ADD COLUMN room_owed text[] NOT NULL DEFAULT '{}';
UPDATE visit SET room_owed = ARRAY[room_of], room_of = NULL WHERE room_at IS NOT NULL AND room_of IS NOT NULL;
