-- The books: corrections, postings and their chain, and all that follows from the events.

ALTER TABLE event ADD COLUMN detail smallint NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN currency text NOT NULL DEFAULT 'USD' CHECK (currency = 'USD');
-- Checked once for a posting, under the ledger's lock: a foreign key would look at every row of a bulk load.
ALTER TABLE event DROP CONSTRAINT event_reverses_fkey;
CREATE UNIQUE INDEX event_reversed_once ON event (reverses) WHERE reverses IS NOT NULL;
COMMENT ON COLUMN event.detail IS 'Of a fee: ledger.events.FeeKind; 1 where terms or basis are provisional.';
COMMENT ON COLUMN event.reverses IS 'The event that this one withdraws or puts right; each is reversed once at most.';

-- Rows that a source has no ids for are numbered (#000000000001) and found by the source's postings: an
-- index over them would cost a bulk load more than everything else.
ALTER TABLE event DROP CONSTRAINT event_source_source_id_key;
CREATE UNIQUE INDEX event_of_source ON event (source, source_id) WHERE left(source_id, 1) <> '#';

CREATE TABLE posting (
    first_seq bigint PRIMARY KEY,
    last_seq  bigint NOT NULL UNIQUE CHECK (last_seq >= first_seq),
    known_at  timestamptz NOT NULL,
    actor_id  integer NOT NULL REFERENCES actor,
    source    text NOT NULL,
    root      bytea NOT NULL CHECK (length(root) = 32),
    link      bytea NOT NULL UNIQUE CHECK (length(link) = 32)
);
CREATE INDEX ON posting (known_at);
CREATE INDEX ON posting (source);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON posting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE posting IS 'Events that became known together, as a Merkle tree; the roots form a chain (ledger.chain).';
COMMENT ON COLUMN posting.known_at IS 'Read under the ledger''s lock, so it never runs behind the sequence.';

CREATE TABLE filed_year (
    taxpayer_id bigint NOT NULL REFERENCES taxpayer,
    year        smallint NOT NULL CHECK (year BETWEEN 1900 AND 2200),
    filed_on    date NOT NULL,
    note        text NOT NULL DEFAULT '',
    written_by  integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    PRIMARY KEY (taxpayer_id, year)
);
COMMENT ON TABLE filed_year IS 'Tax years whose return is filed: a change of their figures may call for an amended one.';

CREATE TABLE household_state (
    household_id  bigint PRIMARY KEY REFERENCES household,
    version       bigint NOT NULL,
    rules_version text NOT NULL,
    cash          bytea NOT NULL,
    unsettled     bytea NOT NULL,
    state_hash    bytea NOT NULL CHECK (length(state_hash) = 32),
    written_by    integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor
);
ALTER TABLE household_state ALTER COLUMN cash SET STORAGE EXTERNAL, ALTER COLUMN unsettled SET STORAGE EXTERNAL;
COMMENT ON TABLE household_state IS 'Cash of now, what has not settled, and the hash of all that follows from the events.';

CREATE TABLE sold_now (
    household_id bigint NOT NULL REFERENCES household,
    view         text NOT NULL CHECK (view IN ('taxpayer', 'broker')),
    year         smallint NOT NULL,
    version      bigint NOT NULL,
    n_rows       integer NOT NULL CHECK (n_rows > 0),
    n_links      integer NOT NULL CHECK (n_links >= 0),
    sha256       bytea NOT NULL CHECK (length(sha256) = 32),
    disposals    bytea NOT NULL,
    links        bytea NOT NULL,
    written_by   integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    PRIMARY KEY (household_id, view, year)
);
ALTER TABLE sold_now ALTER COLUMN disposals SET STORAGE EXTERNAL, ALTER COLUMN links SET STORAGE EXTERNAL;
COMMENT ON TABLE sold_now IS 'Disposals and wash links by household, view and year of the sale; the views disposal and wash_link unpack them.';
