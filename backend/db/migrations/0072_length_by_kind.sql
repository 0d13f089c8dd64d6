-- How long a due visit takes stands in the backend's file, by its kind; a row says it only where it is another length.

ALTER TABLE due_visit ALTER COLUMN lasts_min DROP NOT NULL;
