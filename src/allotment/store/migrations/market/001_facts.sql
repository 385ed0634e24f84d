-- Facts about the market. One writer role, many readers. Every row names the write that made it.

CREATE TABLE write (
    write_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what       text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    actor      text NOT NULL DEFAULT current_setting('allotment.actor')
);
COMMENT ON TABLE write IS 'Who wrote what and when; rows of the other tables point here.';

CREATE TABLE import_file (
    import_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256         text NOT NULL CHECK (length(sha256) = 64),
    kind           text NOT NULL,
    name           text NOT NULL,
    n_rows         bigint NOT NULL CHECK (n_rows >= 0),
    n_bytes        bigint NOT NULL CHECK (n_bytes >= 0),
    schema_version integer NOT NULL,
    imported_at    timestamptz NOT NULL DEFAULT now(),
    actor          text NOT NULL DEFAULT current_setting('allotment.actor')
);
CREATE INDEX ON import_file (kind, sha256);

CREATE TABLE security (
    security_id bigint PRIMARY KEY CHECK (security_id > 0),
    code        text NOT NULL UNIQUE,
    name        text NOT NULL,
    kind        text NOT NULL,
    sector      text NOT NULL,
    industry    text NOT NULL,
    issuer      text NOT NULL,
    group_code  text NOT NULL,
    group_units double precision NOT NULL CHECK (group_units > 0),
    write_id    integer NOT NULL DEFAULT current_setting('allotment.write')::integer REFERENCES write
);
COMMENT ON COLUMN security.group_code IS 'Securities of one group are substantially identical (wash sales).';
COMMENT ON COLUMN security.group_units IS 'Units of the group that equal one share.';

CREATE TABLE identifier (
    security_id bigint NOT NULL REFERENCES security,
    kind        text NOT NULL,
    value       text NOT NULL,
    start       date NOT NULL,
    "end"       date CHECK ("end" >= start),
    write_id    integer NOT NULL DEFAULT current_setting('allotment.write')::integer REFERENCES write,
    PRIMARY KEY (security_id, kind, value, start)
);
CREATE INDEX ON identifier (kind, value);
COMMENT ON TABLE identifier IS 'Tickers and numbers over time; both ends included, no end = still.';

CREATE TABLE price (
    session        date NOT NULL,
    write_id       integer NOT NULL DEFAULT current_setting('allotment.write')::integer,
    security_id    bigint NOT NULL,
    close_micros   bigint NOT NULL CHECK (close_micros >= 0),
    adjusted_usd   double precision NOT NULL,
    volume         double precision NOT NULL,
    market_cap_usd double precision NOT NULL,
    PRIMARY KEY (session, security_id)
);
COMMENT ON COLUMN price.close_micros IS 'Unadjusted close in millionths of a dollar; 0 = none.';
COMMENT ON COLUMN price.adjusted_usd IS 'Total-return adjusted close; NaN = none.';

CREATE TABLE index_weight (
    session     date NOT NULL,
    write_id    integer NOT NULL DEFAULT current_setting('allotment.write')::integer,
    security_id bigint NOT NULL,
    weight      double precision NOT NULL CHECK (weight >= 0 AND weight <= 1),
    version     integer NOT NULL CHECK (version > 0),
    index_code  text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('close', 'open', 'pro_forma')),
    PRIMARY KEY (index_code, kind, session, version, security_id)
);

CREATE TABLE corporate_action (
    action_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    security_id       bigint NOT NULL REFERENCES security,
    ex_date           date NOT NULL,
    kind              text NOT NULL,
    ratio             double precision NOT NULL CHECK (ratio > 0),
    amount_usd        double precision NOT NULL,
    other_security_id bigint REFERENCES security,
    value_usd         double precision NOT NULL,
    note              text NOT NULL,
    write_id          integer NOT NULL DEFAULT current_setting('allotment.write')::integer REFERENCES write
);
CREATE INDEX ON corporate_action (ex_date, security_id);

CREATE TABLE score (
    day         date NOT NULL,
    write_id    integer NOT NULL DEFAULT current_setting('allotment.write')::integer,
    security_id bigint NOT NULL,
    value       double precision NOT NULL,
    name        text NOT NULL,
    PRIMARY KEY (name, security_id, day)
);
COMMENT ON TABLE score IS 'Values, styles, ratings: a value holds from its day until the next.';

-- Foreign keys cost a look-up per row, which halves the speed of a bulk load; a look at each
-- statement's distinct securities gives the same promise.
CREATE FUNCTION refuse_unknown_security() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unknown text;
BEGIN
    EXECUTE format(
        'SELECT string_agg(a.security_id::text, '', '') FROM (SELECT DISTINCT security_id FROM added) a '
        'WHERE NOT EXISTS (SELECT FROM %I.security s WHERE s.security_id = a.security_id)', TG_TABLE_SCHEMA)
        INTO unknown;
    IF unknown IS NOT NULL THEN
        RAISE foreign_key_violation USING MESSAGE = format('%s: unknown security %s', TG_TABLE_NAME, left(unknown, 200));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER known AFTER INSERT ON price REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unknown_security();
CREATE TRIGGER known AFTER INSERT ON index_weight REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unknown_security();
CREATE TRIGGER known AFTER INSERT ON score REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unknown_security();
