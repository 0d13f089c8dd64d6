-- Routes of contacts by who they are, no longer by their place in the plan: whoever moves up or down in it keeps the own channels, and nobody
-- is sent what another one consented to. `person`: account:NAME or contact:ELDER:NAME, as consents of families know contacts by name.
UPDATE notify_route r SET person = 'contact:' || c.elder_id || ':' || c.name
FROM contact c WHERE r.person = 'contact:' || c.elder_id || ':' || c.position;
