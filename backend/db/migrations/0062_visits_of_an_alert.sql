-- The visits of an alert, also those that have ended: asked for once per row of the queue, and for the story of a case.

CREATE INDEX visit_by_alert ON visit (alert_id, id);
