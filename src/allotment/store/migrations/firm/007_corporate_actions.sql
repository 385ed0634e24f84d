-- Corporate actions: what holders chose, and where the custodian and the books disagree.

CREATE TABLE election (
    election_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint NOT NULL REFERENCES account,
    security_id   bigint NOT NULL,
    ex_date       date NOT NULL,
    "option"      text NOT NULL CHECK ("option" <> ''),
    quantity_nano bigint NOT NULL CHECK (quantity_nano >= 0),
    chosen_by     text NOT NULL CHECK (chosen_by <> ''),
    chosen_on     date NOT NULL,
    known_at      timestamptz NOT NULL DEFAULT now(),
    written_by    integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor
);
CREATE INDEX ON election (security_id, ex_date, account_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON election
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE election IS 'Choices among the options of corporate actions; the newest of an account and action counts.';
COMMENT ON COLUMN election.chosen_by IS 'Who chose, as people say it; written_by is who wrote it down.';

CREATE TABLE action_difference (
    difference_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint NOT NULL REFERENCES account,
    security_id   bigint NOT NULL,
    ex_date       date NOT NULL,
    kind          text NOT NULL,
    item          text NOT NULL,
    expected      text NOT NULL,
    came          text NOT NULL,
    severity      smallint NOT NULL CHECK (severity BETWEEN 0 AND 2),
    remedy        text NOT NULL,
    source        text NOT NULL,
    raised_at     timestamptz NOT NULL DEFAULT now(),
    raised_by     integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    settled_at    timestamptz,
    settled_by    integer REFERENCES actor,
    settled_note  text NOT NULL DEFAULT '',
    UNIQUE (source, account_id, security_id, ex_date, kind, item)
);
CREATE INDEX ON action_difference (account_id) WHERE settled_at IS NULL;
COMMENT ON TABLE action_difference IS 'What a corporate action should have brought an account, and what the custodian says it did.';
COMMENT ON COLUMN action_difference.severity IS '0 note, 1 look, 2 stop (ledger.entitlement.Severity).';
COMMENT ON COLUMN action_difference.settled_at IS 'When a person, or a later file, settled it; null while open.';
