-- Who listens to the homes, and since when: a silence counts only while somebody could have heard.

CREATE TABLE listener (
    first_shard smallint NOT NULL,
    last_shard smallint NOT NULL,
    since timestamptz NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (first_shard, last_shard)
);
