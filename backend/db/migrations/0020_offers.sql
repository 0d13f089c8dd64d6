-- Offers widen step by step, stay open until they are answered, and a doctor who accepted and does not leave is replaced.

-- Where a team starts from.
ALTER TABLE team ADD latitude double precision CHECK (latitude BETWEEN -90 AND 90);
ALTER TABLE team ADD longitude double precision CHECK (longitude BETWEEN -180 AND 180);

-- search_at: since when somebody is looked for, anew when a doctor was released; rung: how far the search has widened.
ALTER TABLE visit ADD search_at timestamptz;
UPDATE visit SET search_at = requested_at;
ALTER TABLE visit ALTER search_at SET NOT NULL;
ALTER TABLE visit ADD rung smallint NOT NULL DEFAULT 0 CHECK (rung BETWEEN 0 AND 3);
ALTER TABLE visit ADD depart_by timestamptz;
ALTER TABLE visit ADD called_120_at timestamptz;
UPDATE visit SET depart_by = changed_at, next_at = changed_at + interval '5 minutes' WHERE state = 'accepted';
ALTER TABLE visit DROP CONSTRAINT visit_check;
-- A visit that nobody is on the way to always has a timer and any other never, so that none can be forgotten.
ALTER TABLE visit ADD CONSTRAINT visit_has_a_timer CHECK ((next_at IS NOT NULL) = (state IN ('requested', 'offered', 'accepted')));
ALTER TABLE visit ADD CONSTRAINT visit_has_a_promise CHECK (state <> 'accepted' OR depart_by IS NOT NULL);

-- widens_at: when others are asked as well; the offer itself stays open. way_s and cost: why this doctor, in seconds.
ALTER TABLE visit_offer RENAME expires_at TO widens_at;
ALTER TABLE visit_offer ADD way_s integer CHECK (way_s >= 0);
ALTER TABLE visit_offer ADD cost jsonb NOT NULL DEFAULT '{}';
ALTER TABLE visit_offer DROP CONSTRAINT visit_offer_answer_check;
ALTER TABLE visit_offer ADD CONSTRAINT visit_offer_answer_check
    CHECK (answer IN ('accepted', 'declined', 'expired', 'withdrawn', 'released'));
