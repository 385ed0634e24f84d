-- The cash band that a proposal was held to. Of proposals of before it is not known.

ALTER TABLE proposal
    ADD COLUMN cash_weight_min double precision NOT NULL DEFAULT 'NaN',
    ADD COLUMN cash_weight_max double precision NOT NULL DEFAULT 'NaN',
    ADD COLUMN cash_band_added double precision NOT NULL DEFAULT 0;
COMMENT ON COLUMN proposal.cash_band_added IS 'How much wider the band is than asked, for whole shares.';
