-- Finding an elder among a hundred thousand by name, pinyin (tones, spaces and initials as one likes), telephone or address.
--
-- `found_by` is what is searched, normalised, its words behind a bar: |王秀英|wangxiuying|xiuying|ying|wxy|xy|0000010100|柳树巷1号...
-- `grams` are the pieces of it that an index can find: a search asks for the pieces of its words, then looks whether the words themselves
-- are there. Extensions such as pg_trgm are not everywhere, and take no words of two characters, as most Chinese names are.

CREATE FUNCTION search_plain(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- small letters, full-width forms as usual ones, no tones, ü and v as u, no spaces and signs
    SELECT translate(regexp_replace(normalize(lower(normalize(given, NFKC)), NFD), '[\u0300-\u036f[:space:][:punct:]·、。|]', '', 'g'), 'v', 'u')
$$;

CREATE FUNCTION search_syllables(pinyin text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- where a syllable of pinyin begins: at a word, an apostrophe, or a consonant before a vowel
    SELECT coalesce(array_agg(part[1] ORDER BY place), '{}') FROM regexp_matches(
        translate(regexp_replace(normalize(lower(normalize(pinyin, NFKC)), NFD), '[\u0300-\u036f]', '', 'g'), 'v', 'u'),
        '((?:[zcs]h|[b-df-hj-np-tw-z])?[aeiou]+(?:(?:ng|n|r)(?![aeiou])|n(?=g[aeiou]))?|[a-z])', 'g'
    ) WITH ORDINALITY AS found (part, place)
$$;

-- Its own path, since a restore of a dump works without any.
CREATE FUNCTION search_words(name text, pinyin text, phone text, address text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path FROM CURRENT AS $$
    WITH syllables AS (SELECT search_syllables(pinyin) AS s)
    SELECT '|' || concat_ws(
        '|', search_plain(name),
        (SELECT string_agg(array_to_string(s[i:], ''), '|' ORDER BY i) FROM generate_series(1, cardinality(s)) AS i),
        (SELECT string_agg((SELECT string_agg(left(x, 1), '' ORDER BY n) FROM unnest(s[i:]) WITH ORDINALITY AS u (x, n)), '|' ORDER BY i)
         FROM generate_series(1, cardinality(s) - 1) AS i),
        nullif(regexp_replace(phone, '\D', '', 'g'), ''), search_plain(address)
    ) FROM syllables
$$;

CREATE FUNCTION search_grams(words text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 2000 AS $$
    -- of letters: how a word begins, up to six; of digits: every three; of other characters: every one of a name's, every two of any
    SELECT coalesce(array_agg(DISTINCT gram), '{}') FROM (
        SELECT '|' || left(word, n) AS gram FROM unnest(string_to_array(words, '|')) AS word, generate_series(1, 6) AS n
        WHERE word ~ '^[a-z]' AND n <= length(word)
        UNION ALL
        SELECT substr(word, i, 3) FROM unnest(string_to_array(words, '|')) AS word, generate_series(1, length(word) - 2) AS i
        WHERE substr(word, i, 3) ~ '^[0-9]{3}$'
        UNION ALL
        SELECT substr(word, i, 2) FROM unnest(string_to_array(words, '|')) AS word, generate_series(1, length(word) - 1) AS i
        WHERE word !~ '^[a-z]+$'
        UNION ALL
        SELECT substr(word, i, 1) FROM unnest(string_to_array(words, '|')) WITH ORDINALITY AS one (word, place), generate_series(1, length(word)) AS i
        WHERE place = 2 AND substr(word, i, 1) !~ '[a-z0-9]'
    ) AS found
$$;

ALTER TABLE elder ADD COLUMN found_by text GENERATED ALWAYS AS (search_words(name, pinyin, phone, address)) STORED;
CREATE INDEX elder_by_grams ON elder USING gin (search_grams(found_by));
CREATE INDEX elder_by_pinyin ON elder (pinyin, id);
