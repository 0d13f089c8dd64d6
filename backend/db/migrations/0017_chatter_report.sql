-- The noisiest of each week, as they were when the week was over: made once by the worker, kept for comparison. `body` names rules and elders by id.
CREATE TABLE chatter_report (
    week_start date PRIMARY KEY,
    made_at timestamptz NOT NULL,
    body jsonb NOT NULL
);
