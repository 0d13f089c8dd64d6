"""From the broker into the database: the process that stores what homes send."""
