-- Who acts, and the clients. Every row names the actor who wrote it last: the connection says who
-- that is (allotment.actor), and a connection that does not say so cannot write.

CREATE TABLE actor (
    actor_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    kind       text NOT NULL CHECK (kind IN ('person', 'service')),
    roles      text[] NOT NULL,
    is_active  boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    written_by integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor
);
COMMENT ON TABLE actor IS 'People and services. The first, local, is whoever uses this machine.';

CREATE TABLE actor_token (
    token_sha256 bytea PRIMARY KEY CHECK (length(token_sha256) = 32),
    actor_id     integer NOT NULL REFERENCES actor,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    written_by   integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor
);
CREATE INDEX ON actor_token (actor_id);

CREATE TABLE import_file (
    import_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256         text NOT NULL CHECK (length(sha256) = 64),
    kind           text NOT NULL,
    name           text NOT NULL,
    n_rows         bigint NOT NULL CHECK (n_rows >= 0),
    n_bytes        bigint NOT NULL CHECK (n_bytes >= 0),
    schema_version integer NOT NULL,
    imported_at    timestamptz NOT NULL DEFAULT now(),
    actor          integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor
);
CREATE INDEX ON import_file (kind, sha256);

CREATE TABLE venue (
    code                 text PRIMARY KEY,
    share_step_nano      bigint NOT NULL CHECK (share_step_nano > 0),
    lot_mode             text NOT NULL CHECK (lot_mode IN ('named', 'method', 'default')),
    relief               text NOT NULL CHECK (relief IN ('fifo', 'lifo', 'hifo', 'min_tax')),
    fifo_by_holding_from boolean NOT NULL,
    lots_per_order_max   integer NOT NULL CHECK (lots_per_order_max >= 0),
    written_by           integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor
);
COMMENT ON TABLE venue IS 'What the place where accounts are held can do with orders and lots.';

CREATE TABLE household (
    household_id bigint PRIMARY KEY CHECK (household_id > 0),
    code         text NOT NULL UNIQUE,
    name         text NOT NULL,
    version      bigint NOT NULL DEFAULT 0,
    written_by   integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor
);
COMMENT ON COLUMN household.version IS 'Ledger sequence on which the stored lots of the household stand; its row is the lock.';

CREATE TABLE taxpayer (
    taxpayer_id         bigint PRIMARY KEY CHECK (taxpayer_id > 0),
    code                text NOT NULL UNIQUE,
    household_id        bigint NOT NULL REFERENCES household,
    filing_status       text NOT NULL CHECK (filing_status IN ('single', 'joint', 'separate', 'head')),
    state               text NOT NULL,
    short_rate          double precision NOT NULL CHECK (short_rate BETWEEN 0 AND 1),
    long_rate           double precision NOT NULL CHECK (long_rate BETWEEN 0 AND 1),
    ordinary_rate       double precision NOT NULL CHECK (ordinary_rate BETWEEN 0 AND 1),
    carry_short_cents   bigint NOT NULL CHECK (carry_short_cents >= 0),
    carry_long_cents    bigint NOT NULL CHECK (carry_long_cents >= 0),
    outside_short_cents bigint NOT NULL,
    outside_long_cents  bigint NOT NULL,
    written_by          integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    UNIQUE (taxpayer_id, household_id)
);
CREATE INDEX ON taxpayer (household_id);

CREATE TABLE account (
    account_id   bigint PRIMARY KEY CHECK (account_id > 0),
    code         text NOT NULL UNIQUE,
    household_id bigint NOT NULL,
    taxpayer_id  bigint NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('taxable', 'ira', 'roth_ira')),
    venue_code   text NOT NULL REFERENCES venue,
    opened       date NOT NULL,
    closed       date CHECK (closed >= opened),
    name         text NOT NULL,
    written_by   integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    FOREIGN KEY (taxpayer_id, household_id) REFERENCES taxpayer (taxpayer_id, household_id),
    UNIQUE (account_id, household_id)
);
CREATE INDEX ON account (household_id);

CREATE TABLE sleeve (
    sleeve_id  bigint PRIMARY KEY CHECK (sleeve_id > 0),
    code       text NOT NULL,
    account_id bigint NOT NULL REFERENCES account,
    manager    text NOT NULL,
    written_by integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    UNIQUE (account_id, code)
);

CREATE TABLE mandate (
    account_id   bigint NOT NULL REFERENCES account,
    version      integer NOT NULL CHECK (version > 0),
    effective    date NOT NULL,
    body         jsonb NOT NULL,
    requested_by text NOT NULL,
    approved_by  text NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    written_by   integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    PRIMARY KEY (account_id, version)
);
COMMENT ON TABLE mandate IS 'Versions are never changed; the highest version effective on a day is in force.';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON mandate
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
