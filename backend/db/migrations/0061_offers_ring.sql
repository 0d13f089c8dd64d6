-- Offers reach doctors whose page is closed: a message may be about a visit, and a browser that lets itself be rung is a channel like others.

ALTER TABLE notification ADD COLUMN visit_id bigint REFERENCES visit (id);
ALTER TABLE notification DROP CONSTRAINT notification_about_something;
ALTER TABLE notification ADD CONSTRAINT notification_about_something
    CHECK (alert_id IS NOT NULL OR case_id IS NOT NULL OR visit_id IS NOT NULL);
CREATE UNIQUE INDEX notification_once_per_visit ON notification (visit_id, step, person);

ALTER TABLE notify_route DROP CONSTRAINT notify_route_channel_check;
ALTER TABLE notify_route ADD CONSTRAINT notify_route_channel_check CHECK (channel IN ('log', 'webhook', 'email', 'service', 'push'));
