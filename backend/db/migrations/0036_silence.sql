-- The worker asks for the silent at every tick. When something was heard last is moved by each batch and has no index, so that the move stays
-- cheap; the worker notes here when it saw the home or series last, and looks again only when that is longer ago than its rule allows.
ALTER TABLE gateway ADD COLUMN seen_at timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE series ADD COLUMN seen_at timestamptz NOT NULL DEFAULT '-infinity';
CREATE INDEX gateway_unseen ON gateway (seen_at);
CREATE INDEX series_unseen ON series (quantity, seen_at);
