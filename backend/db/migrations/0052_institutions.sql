-- 医养结合机构电子地图: where an elder can be taken or helped, whom to call, and how to get there. Not personal data.
CREATE TABLE institution (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    kind text NOT NULL CHECK (kind IN ('integrated', 'care_home', 'hospital', 'health_centre', 'clinic', 'day_care', 'nursing')),
    name text NOT NULL CHECK (name <> ''),
    address text NOT NULL DEFAULT '',
    phone text NOT NULL DEFAULT '',
    latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    hours text NOT NULL DEFAULT '',
    beds integer CHECK (beds >= 0),
    nursing_beds integer CHECK (nursing_beds >= 0 AND nursing_beds <= beds),
    is_active boolean NOT NULL DEFAULT true,
    CHECK ((latitude IS NULL) = (longitude IS NULL))
);
