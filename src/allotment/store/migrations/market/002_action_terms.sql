-- Corporate actions from their announcement: the terms that lots need, and what holders may choose.

ALTER TABLE corporate_action
    ADD COLUMN pay_date        date,
    ADD COLUMN price_usd       double precision NOT NULL DEFAULT 0 CHECK (price_usd >= 0),
    ADD COLUMN other_price_usd double precision NOT NULL DEFAULT 0 CHECK (other_price_usd >= 0),
    ADD COLUMN lieu_usd        double precision NOT NULL DEFAULT 0 CHECK (lieu_usd >= 0),
    ADD COLUMN is_final        boolean NOT NULL DEFAULT false,
    ADD COLUMN "option"        text NOT NULL DEFAULT '',
    ADD COLUMN is_default      boolean NOT NULL DEFAULT false,
    ADD COLUMN deadline        date;
COMMENT ON COLUMN corporate_action.price_usd IS 'Market value of a share held, just after; 0 unknown.';
COMMENT ON COLUMN corporate_action.is_final IS 'The issuer''s Form 8937, or the year''s reclassification, is in these terms.';
COMMENT ON COLUMN corporate_action."option" IS 'Rows of one security and ex-date that bear an option are what a holder may choose among.';
