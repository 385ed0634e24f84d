-- Events and the lots of now that follow from them.

CREATE TABLE ledger_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    next_seq bigint NOT NULL CHECK (next_seq > 0)
);
INSERT INTO ledger_head (next_seq) VALUES (1);
COMMENT ON TABLE ledger_head IS 'The next ledger sequence; locking this row orders all writers, so a committed past never grows.';

CREATE TABLE event (
    ledger_seq       bigint PRIMARY KEY,
    known_at         timestamptz NOT NULL DEFAULT now(),
    household_id     bigint NOT NULL,
    account_id       bigint NOT NULL,
    sleeve_id        bigint NOT NULL,
    day_seq          bigint NOT NULL,
    security_id      bigint NOT NULL,
    quantity_nano    bigint NOT NULL CHECK (quantity_nano >= 0),
    amount_cents     bigint NOT NULL CHECK (amount_cents >= 0),
    order_id         bigint NOT NULL,
    other_account_id bigint NOT NULL,
    reverses         bigint REFERENCES event,
    effective        date NOT NULL,
    settles          date,
    actor_id         integer NOT NULL DEFAULT current_setting('allotment.actor')::integer,
    kind             smallint NOT NULL,
    source           text NOT NULL,
    source_id        text NOT NULL,
    terms            jsonb,
    lots             bytea,
    named_lots       bytea,
    UNIQUE (source, source_id)
);
CREATE INDEX ON event (household_id, ledger_seq);
COMMENT ON TABLE event IS 'Facts about accounts in the order in which they became known; never changed, only reversed.';
COMMENT ON COLUMN event.kind IS 'ledger.events.EventKind';
COMMENT ON COLUMN event.source IS 'Where the fact came from; (source, source_id) arrives once, however often it is sent.';
COMMENT ON COLUMN event.terms IS 'Terms of a corporate action.';
COMMENT ON COLUMN event.lots IS 'Packed lots that an opening or an incoming transfer brings.';
COMMENT ON COLUMN event.named_lots IS 'Packed list of the lots that a sale or transfer names.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- One look per statement instead of foreign keys per row, for the speed of bulk loads.
CREATE FUNCTION refuse_unknown_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unknown text;
BEGIN
    EXECUTE format(
        'SELECT string_agg(a.account_id::text, '', '') FROM (SELECT DISTINCT account_id, household_id, actor_id FROM added) a '
        'WHERE NOT EXISTS (SELECT FROM %1$I.account k WHERE k.account_id = a.account_id AND k.household_id = a.household_id) '
        'OR NOT EXISTS (SELECT FROM %1$I.actor k WHERE k.actor_id = a.actor_id)', TG_TABLE_SCHEMA)
        INTO unknown;
    IF unknown IS NOT NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('event: unknown actor, or no such account in that household: %s', left(unknown, 200));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER known AFTER INSERT ON event REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unknown_account();

-- Packed columns (store/packed.py): value of `width` bytes at offset `at`, big-endian, signed.
CREATE FUNCTION packed_int(blob bytea, at integer, width integer) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE width
        WHEN 8 THEN ('x' || encode(substring(blob FROM at + 1 FOR 8), 'hex'))::bit(64)::bigint
        WHEN 4 THEN ('x' || encode(substring(blob FROM at + 1 FOR 4), 'hex'))::bit(32)::integer::bigint
        WHEN 1 THEN ((get_byte(blob, at) # 128) - 128)::bigint
    END
$$;

CREATE FUNCTION packed_date(blob bytea, at integer) RETURNS date
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT date '1970-01-01' + NULLIF(packed_int(blob, at, 4), -2147483648)::integer
$$;

CREATE FUNCTION packed_float(blob bytea, at integer) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN e = 2047 AND m = 0 THEN s * double precision 'Infinity'
        WHEN e = 2047 THEN double precision 'NaN'
        WHEN e = 0 THEN s * m * power(2::double precision, -1074)
        ELSE s * (1 + m / 4503599627370496::double precision) * power(2::double precision, e - 1023)
    END
    FROM (
        SELECT CASE WHEN bits < 0 THEN -1::double precision ELSE 1::double precision END AS s,
               ((bits >> 52) & 2047)::double precision AS e,
               (bits & 4503599627370495)::double precision AS m
        FROM (SELECT packed_int(blob, at, 8) AS bits) b
    ) parts
$$;

CREATE TABLE lots_now (
    account_id bigint NOT NULL REFERENCES account,
    view       text NOT NULL CHECK (view IN ('taxpayer', 'broker')),
    version    bigint NOT NULL,
    n_lots     integer NOT NULL CHECK (n_lots >= 0),
    packed     bytea NOT NULL,
    written_by integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    PRIMARY KEY (account_id, view),
    CONSTRAINT layout CHECK (substring(packed FROM 1 FOR 4) = '\x414c010f'),
    CONSTRAINT size CHECK (length(packed) = 8 + 72 * n_lots)
);
-- Compression costs more time than it saves space; reading slices needs none.
ALTER TABLE lots_now ALTER COLUMN packed SET STORAGE EXTERNAL;
COMMENT ON TABLE lots_now IS 'Open lots of now, one blob per account and view; the view lot unpacks them.';
COMMENT ON COLUMN lots_now.version IS 'Ledger sequence up to which events are in these lots.';

CREATE VIEW lot AS
SELECT account_id, view, version, i AS row_ix,
    packed_int(blob, 8 + n * 0 + i * 4, 4)::integer AS sleeve_ix,
    packed_int(blob, 8 + n * 4 + i * 8, 8) AS security_id,
    packed_int(blob, 8 + n * 12 + i, 1)::smallint AS side,
    packed_int(blob, 8 + n * 13 + i * 8, 8) AS quantity_nano,
    packed_int(blob, 8 + n * 21 + i * 8, 8) AS basis_cents,
    packed_int(blob, 8 + n * 29 + i * 8, 8) AS loss_basis_cents,
    packed_date(blob, 8 + n * 37 + i * 4) AS acquired,
    packed_date(blob, 8 + n * 41 + i * 4) AS holding_from,
    packed_date(blob, 8 + n * 45 + i * 4) AS purchased,
    packed_int(blob, 8 + n * 49 + i * 8, 8) AS acquisition_id,
    packed_int(blob, 8 + n * 57 + i * 8, 8) AS origin_event,
    packed_int(blob, 8 + n * 65 + i * 4, 4)::integer AS origin_line,
    packed_int(blob, 8 + n * 69 + i, 1)::smallint AS absorbed,
    packed_int(blob, 8 + n * 70 + i, 1)::smallint AS covered,
    packed_int(blob, 8 + n * 71 + i, 1)::smallint AS basis_state
FROM lots_now
-- Adding nothing fetches the blob once; otherwise every value would fetch it again.
CROSS JOIN LATERAL (SELECT packed || ''::bytea AS blob, n_lots AS n OFFSET 0) once
CROSS JOIN LATERAL generate_series(0, n_lots - 1) AS i;
COMMENT ON VIEW lot IS 'Open lots as rows (book.lots.Lots), for people and reports; programs read the blobs.';
