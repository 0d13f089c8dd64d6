-- What the card of an elder shows beside the file: how able the elder is, and a picture.
-- Levels: GB/T 42195-2022, five of them. A picture is small: it is shown as large as a stamp, and read with every case.
ALTER TABLE elder ADD COLUMN ability text CHECK (ability IN ('intact', 'mild', 'moderate', 'severe', 'total'));
ALTER TABLE elder ADD COLUMN ability_on date;
ALTER TABLE elder ADD CONSTRAINT elder_ability_has_its_day CHECK ((ability IS NULL) = (ability_on IS NULL));

CREATE TABLE elder_photo (
    elder_id text PRIMARY KEY REFERENCES elder (id),
    media_type text NOT NULL CHECK (media_type IN ('image/jpeg', 'image/png', 'image/webp')),
    image bytea NOT NULL CHECK (length(image) BETWEEN 1 AND 49152),
    set_by text NOT NULL,
    set_at timestamptz NOT NULL
);
