-- A story names whom a message went to, and a call counts for whom was called, also when the plan has another order since.

ALTER TABLE notification ADD COLUMN name text;
UPDATE notification n SET name = coalesce(
    (SELECT c.name FROM contact c JOIN notify_route r ON r.person = 'contact:' || c.elder_id || ':' || c.name
     WHERE c.elder_id = a.elder_id AND r.id = nullif(split_part(n.person, '/', 2), '')::bigint LIMIT 1),
    (SELECT c.name FROM contact c WHERE c.elder_id = a.elder_id AND 'contact:' || c.position = split_part(n.person, '/', 1)))
FROM alert a WHERE a.id = n.alert_id AND n.person LIKE 'contact:%';

-- `person` of a call: elder, or contact: and a digest of name and telephone (cases/calls.py).
UPDATE contact_try t SET person = 'contact:' || left(encode(sha256(convert_to(c.name || ' ' || c.phone, 'UTF8')), 'hex'), 16)
FROM care_case k JOIN contact c ON c.elder_id = k.elder_id
WHERE k.id = t.case_id AND t.person = 'contact:' || c.position AND t.name = c.name;
