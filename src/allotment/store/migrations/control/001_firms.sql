-- The schema "allotment": which firms there are. Only the owner role reads it.

CREATE TABLE firm (
    name       text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,29}$'),
    market     text NOT NULL CHECK (market ~ '^market(_[a-z0-9_]{1,30})?$'),
    title      text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE firm IS 'Tenants. The data of firm x is in schema firm_x and is worked on as the role …_firm_x.';
COMMENT ON COLUMN firm.market IS 'Schema of the market facts that the firm reads; the demo has one of its own.';
