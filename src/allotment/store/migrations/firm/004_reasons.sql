-- Why each name was traded, and why others were not. Proposals of before have none.

ALTER TABLE proposal
    ADD COLUMN n_reasons integer NOT NULL DEFAULT 0 CHECK (n_reasons >= 0),
    ADD COLUMN reasons bytea NOT NULL DEFAULT '\x414c011000000000',
    ADD COLUMN n_untraded integer NOT NULL DEFAULT 0 CHECK (n_untraded >= 0),
    ADD COLUMN untraded bytea NOT NULL DEFAULT '\x414c010700000000',
    ADD CONSTRAINT reasons_layout CHECK (substring(reasons FROM 1 FOR 4) = '\x414c0110'),
    ADD CONSTRAINT reasons_size CHECK (length(reasons) = 8 + 117 * n_reasons),
    ADD CONSTRAINT untraded_layout CHECK (substring(untraded FROM 1 FOR 4) = '\x414c0107'),
    ADD CONSTRAINT untraded_size CHECK (length(untraded) = 8 + 38 * n_untraded);
ALTER TABLE proposal ALTER COLUMN reasons SET STORAGE EXTERNAL;
ALTER TABLE proposal ALTER COLUMN untraded SET STORAGE EXTERNAL;

CREATE VIEW proposal_reason AS
SELECT run_id, account_id, i AS row_ix,
    packed_int(blob, 8 + n * 0 + i * 8, 8) AS security_id,
    packed_float(blob, 8 + n * 8 + i * 8) AS tax_usd,
    packed_float(blob, 8 + n * 16 + i * 8) AS cost_usd,
    packed_float(blob, 8 + n * 24 + i * 8) AS wash_usd,
    packed_float(blob, 8 + n * 32 + i * 8) AS tilt_usd,
    packed_float(blob, 8 + n * 40 + i * 8) AS limit_usd,
    packed_float(blob, 8 + n * 48 + i * 8) AS risk_usd,
    packed_float(blob, 8 + n * 56 + i * 8) AS specific_usd,
    packed_int(blob, 8 + n * 64 + i * 4, 4)::integer AS factor,
    packed_float(blob, 8 + n * 68 + i * 8) AS factor_usd,
    packed_float(blob, 8 + n * 76 + i * 8) AS cash_usd,
    packed_float(blob, 8 + n * 84 + i * 8) AS row_usd,
    packed_float(blob, 8 + n * 92 + i * 8) AS worth_usd,
    packed_int(blob, 8 + n * 100 + i, 1)::smallint AS other,
    packed_float(blob, 8 + n * 101 + i * 8) AS other_usd,
    packed_float(blob, 8 + n * 109 + i * 8) AS at_least_usd
FROM proposal
CROSS JOIN LATERAL (SELECT reasons || ''::bytea AS blob, n_reasons AS n OFFSET 0) once
CROSS JOIN LATERAL generate_series(0, n_reasons - 1) AS i;
COMMENT ON VIEW proposal_reason IS 'Why each name was traded (rebalance.reasons.TradeReasons).';

CREATE VIEW proposal_untraded AS
SELECT run_id, account_id, i AS row_ix,
    packed_int(blob, 8 + n * 0 + i * 8, 8) AS security_id,
    packed_int(blob, 8 + n * 8 + i, 1)::smallint AS question,
    packed_int(blob, 8 + n * 9 + i, 1)::smallint AS rule,
    packed_float(blob, 8 + n * 10 + i * 8) AS weight,
    packed_float(blob, 8 + n * 18 + i * 8) AS brings_usd,
    packed_float(blob, 8 + n * 26 + i * 8) AS against_usd,
    packed_date(blob, 8 + n * 34 + i * 4) AS until
FROM proposal
CROSS JOIN LATERAL (SELECT untraded || ''::bytea AS blob, n_untraded AS n OFFSET 0) once
CROSS JOIN LATERAL generate_series(0, n_untraded - 1) AS i;
COMMENT ON VIEW proposal_untraded IS 'Why names were not traded (rebalance.reasons.Untraded).';
