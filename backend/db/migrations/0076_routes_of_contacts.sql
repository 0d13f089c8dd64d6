-- Routes of contacts by who they are, no longer by their place in the plan: whoever moves up or down in it keeps the own channels, and nobody
-- is sent what another one consented to. `person`: account:NAME or contact:ELDER:NAME, as consents of families know contacts by name.

-- One name twice among an elder's contacts may lead twice to one address: the first route stays, for whatever either was for.
WITH route AS (
    SELECT r.id, r.priorities, r.quiet_from, r.quiet_spares_high, first_value(r.id) OVER same AS kept
    FROM notify_route r JOIN contact c ON r.person = 'contact:' || c.elder_id || ':' || c.position WHERE r.withdrawn_at IS NULL
    WINDOW same AS (PARTITION BY c.elder_id, c.name, r.channel, r.address ORDER BY c.position)
), twice AS (
    SELECT kept, array_agg(DISTINCT priority) AS priorities, bool_or(quiet_from IS NULL) AS is_never_quiet, bool_or(quiet_spares_high) AS spares
    FROM route CROSS JOIN LATERAL unnest(priorities) AS priority GROUP BY kept HAVING count(DISTINCT id) > 1
), stays AS (
    UPDATE notify_route r SET priorities = t.priorities, quiet_spares_high = t.spares,
        quiet_from = CASE WHEN NOT t.is_never_quiet THEN r.quiet_from END, quiet_to = CASE WHEN NOT t.is_never_quiet THEN r.quiet_to END
    FROM twice t WHERE r.id = t.kept
)
UPDATE notify_route r SET withdrawn_at = now() FROM route WHERE r.id = route.id AND route.id <> route.kept;

UPDATE notify_route r SET person = 'contact:' || c.elder_id || ':' || c.name
FROM contact c WHERE r.person = 'contact:' || c.elder_id || ':' || c.position;
