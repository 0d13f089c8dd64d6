-- Whether a person has just closed an alert is asked at every breach, so it must not read all alerts there ever were.

CREATE INDEX alert_by_closing ON alert ((coalesce(elder_id, 'gateway:' || gateway_id)), rule_id, closed_at)
    WHERE state = 'closed' AND closed_by <> 'system';
