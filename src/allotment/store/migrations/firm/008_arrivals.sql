-- What comes in kind, and what is carried without being traded.

CREATE TABLE lot_name (
    event_seq   bigint NOT NULL REFERENCES event,
    line        integer NOT NULL CHECK (line >= 0),
    account_id  bigint NOT NULL REFERENCES account,
    transfer    text NOT NULL,
    name        text NOT NULL,
    written_by  integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    PRIMARY KEY (event_seq, line),
    UNIQUE (account_id, transfer, name)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON lot_name
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE lot_name IS 'The custodian''s names of lots that came in kind, so that a basis that comes later finds its lot.';
COMMENT ON COLUMN lot_name.transfer IS 'The transfer that brought the lot; empty for lots of the opening.';

CREATE TABLE carried_price (
    account_id   bigint NOT NULL REFERENCES account,
    security_id  bigint NOT NULL,
    day          date NOT NULL,
    price_micros bigint NOT NULL CHECK (price_micros >= 0),
    written_by   integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    PRIMARY KEY (account_id, security_id, day)
);
COMMENT ON TABLE carried_price IS 'The custodian''s price of a unit of what an account holds and we do not trade (bonds, private funds).';

CREATE TABLE sleeve_swap (
    cash_seq       bigint PRIMARY KEY REFERENCES event,
    kind           text NOT NULL CHECK (kind IN ('crossing', 'substitution')),
    account_id     bigint NOT NULL REFERENCES account,
    day            date NOT NULL,
    security_id    bigint NOT NULL,
    seller_id      bigint NOT NULL REFERENCES sleeve,
    seller_manager text NOT NULL,
    buyer_id       bigint NOT NULL REFERENCES sleeve,
    buyer_manager  text NOT NULL,
    quantity_nano  bigint NOT NULL CHECK (quantity_nano > 0),
    price_micros   bigint NOT NULL CHECK (price_micros > 0),
    price_source   text NOT NULL CHECK (price_source IN ('block average', 'official close')),
    amount_cents   bigint NOT NULL CHECK (amount_cents >= 0),
    lots           jsonb NOT NULL,
    reason         text NOT NULL,
    written_by     integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor
);
CREATE INDEX ON sleeve_swap (account_id, day);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sleeve_swap
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE sleeve_swap IS 'Swaps between sleeves as their managers see them; the events say what happened, this says at whose price and why.';
COMMENT ON COLUMN sleeve_swap.cash_seq IS 'The SLEEVE_CASH event that paid for the shares.';
COMMENT ON COLUMN sleeve_swap.lots IS 'What the buyer received: [event, line, billionths of a share] of each lot.';

CREATE VIEW sleeve_swap_by_manager AS
SELECT cash_seq, kind, account_id, day, security_id, s.sleeve_id, s.manager, s.side, s.other_sleeve_id,
    s.other_manager, quantity_nano, price_micros, price_source, amount_cents, lots, reason
FROM sleeve_swap
CROSS JOIN LATERAL (VALUES
    (seller_id, seller_manager, -1, buyer_id, buyer_manager),
    (buyer_id, buyer_manager, 1, seller_id, seller_manager)
) AS s (sleeve_id, manager, side, other_sleeve_id, other_manager);
COMMENT ON VIEW sleeve_swap_by_manager IS 'A row for each manager of every swap: what a manager answers for.';
