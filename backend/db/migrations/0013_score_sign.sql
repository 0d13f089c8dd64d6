-- What each sign of an elder scored lately at its worst: while all of them together stay below a score's first level, no window is needed.

CREATE TABLE score_sign (
    elder_id text NOT NULL REFERENCES elder (id) ON DELETE CASCADE,
    quantity text NOT NULL,
    at timestamptz NOT NULL,
    points smallint NOT NULL,
    PRIMARY KEY (elder_id, quantity)
);
