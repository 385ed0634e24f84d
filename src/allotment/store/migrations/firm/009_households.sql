-- Outside accounts, and what households have coming from outside.

ALTER TABLE account ADD COLUMN management text NOT NULL DEFAULT 'managed'
    CHECK (management IN ('managed', 'fed', 'attested'));
COMMENT ON COLUMN account.management IS 'managed: traded by us; fed, attested: outside, known by a file or by the client''s word (book.household).';

CREATE TABLE expected_page (
    household_id bigint NOT NULL REFERENCES household,
    year         smallint NOT NULL CHECK (year BETWEEN 1900 AND 2200),
    version      integer NOT NULL CHECK (version > 0),
    body         jsonb NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    written_by   integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    PRIMARY KEY (household_id, year, version)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON expected_page
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE expected_page IS 'What a household expects from outside in a year (book.expected); the highest version is in force.';
