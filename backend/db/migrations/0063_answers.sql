-- A report of answer times looks at what began to wait within its span; a case that comes back from a rest waits too.
CREATE INDEX case_step_by_waiting ON case_step (at) WHERE action IN ('opened', 'reopened', 'rearmed');
DROP INDEX case_step_by_time;
