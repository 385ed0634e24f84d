-- Risk models, runs of the book, and what they decided.

CREATE TABLE risk_model (
    version           text PRIMARY KEY,
    asof              date NOT NULL,
    n_securities      integer NOT NULL CHECK (n_securities > 0),
    n_factors         integer NOT NULL CHECK (n_factors >= 0),
    factor_names      text[] NOT NULL,
    security_ids      bytea NOT NULL,
    loadings          bytea NOT NULL,
    specific_variance bytea NOT NULL,
    recorded_at       timestamptz NOT NULL DEFAULT now(),
    written_by        integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    CHECK (length(security_ids) = 8 * n_securities),
    CHECK (length(specific_variance) = 8 * n_securities),
    CHECK (length(loadings)::bigint = 8::bigint * n_securities * n_factors),
    CHECK (cardinality(factor_names) = n_factors)
);
CREATE INDEX ON risk_model (asof);
COMMENT ON TABLE risk_model IS 'Arrays as little-endian int64 and float64, loadings by security.';

CREATE TABLE run (
    run_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind           text NOT NULL,
    asof           date NOT NULL,
    state          text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'finished')),
    inputs_hash    text NOT NULL,
    parameters     jsonb NOT NULL,
    engine_version text NOT NULL,
    rules_version  text NOT NULL,
    n_accounts     integer NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz,
    actor_id       integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    CHECK ((state = 'finished') = (finished_at IS NOT NULL))
);
CREATE INDEX ON run (kind, inputs_hash);

CREATE TABLE run_step (
    run_id      bigint NOT NULL REFERENCES run,
    step        integer NOT NULL,
    account_ids bigint[] NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done')),
    n_done      integer,
    seconds     double precision,
    finished_at timestamptz,
    written_by  integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    PRIMARY KEY (run_id, step)
);
COMMENT ON TABLE run_step IS 'Accounts that one worker does in one transaction; its row lock is the claim.';

CREATE TABLE run_exception (
    run_id     bigint NOT NULL REFERENCES run,
    account_id bigint NOT NULL,
    cause      text NOT NULL,
    message    text NOT NULL,
    written_by integer NOT NULL DEFAULT current_setting('allotment.actor')::integer REFERENCES actor,
    PRIMARY KEY (run_id, account_id, cause)
);

CREATE TABLE proposal (
    run_id                bigint NOT NULL REFERENCES run,
    account_id            bigint NOT NULL,
    asof                  date NOT NULL,
    mandate_version       integer NOT NULL,
    state                 text NOT NULL,
    status                text NOT NULL,
    model_version         text NOT NULL,
    engine_version        text NOT NULL,
    rules_version         text NOT NULL,
    inputs_hash           text NOT NULL,
    decision_hash         text NOT NULL,
    value_cents           bigint NOT NULL,
    cash_before_cents     bigint NOT NULL,
    cash_after_cents      bigint NOT NULL,
    n_names_before        integer NOT NULL,
    n_names_after         integer NOT NULL,
    n_lots                integer NOT NULL,
    drift_before          double precision NOT NULL,
    drift_after           double precision NOT NULL,
    tracking_error_before double precision NOT NULL,
    tracking_error_after  double precision NOT NULL,
    gain_short_cents      bigint NOT NULL,
    gain_long_cents       bigint NOT NULL,
    loss_banked_cents     bigint NOT NULL,
    tax_cents             bigint NOT NULL,
    tax_this_year_saved_cents bigint NOT NULL,
    cost_cents            bigint NOT NULL,
    turnover              double precision NOT NULL,
    objective             double precision NOT NULL,
    hold_objective        double precision NOT NULL,
    lower_bound           double precision NOT NULL,
    gap_bps               double precision NOT NULL,
    n_trades              integer NOT NULL CHECK (n_trades >= 0),
    trades                bytea NOT NULL,
    written_by            integer NOT NULL DEFAULT current_setting('allotment.actor')::integer,
    PRIMARY KEY (run_id, account_id),
    CONSTRAINT layout CHECK (substring(trades FROM 1 FOR 4) = '\x414c0112'),
    CONSTRAINT size CHECK (length(trades) = 8 + 119 * n_trades)
);
CREATE INDEX ON proposal (account_id, run_id);
ALTER TABLE proposal ALTER COLUMN trades SET STORAGE EXTERNAL;
COMMENT ON TABLE proposal IS 'One decision per account and run (rebalance.proposal.Proposal); proposal_trade unpacks the trades.';

CREATE VIEW proposal_trade AS
SELECT run_id, account_id, i AS row_ix,
    packed_int(blob, 8 + n * 0 + i * 8, 8) AS security_id,
    packed_int(blob, 8 + n * 8 + i, 1)::smallint AS side,
    packed_int(blob, 8 + n * 9 + i * 8, 8) AS quantity_nano,
    packed_int(blob, 8 + n * 17 + i * 8, 8) AS price_micros,
    packed_int(blob, 8 + n * 25 + i * 8, 8) AS value_cents,
    packed_int(blob, 8 + n * 33 + i * 8, 8) AS origin_event,
    packed_int(blob, 8 + n * 41 + i * 4, 4)::integer AS origin_line,
    packed_int(blob, 8 + n * 45 + i * 8, 8) AS basis_cents,
    packed_int(blob, 8 + n * 53 + i * 8, 8) AS gain_cents,
    packed_int(blob, 8 + n * 61 + i, 1)::smallint AS is_long_term,
    packed_int(blob, 8 + n * 62 + i * 8, 8) AS tax_cents,
    packed_int(blob, 8 + n * 70 + i * 8, 8) AS cost_cents,
    packed_int(blob, 8 + n * 78 + i, 1)::smallint AS reason,
    packed_float(blob, 8 + n * 79 + i * 8) AS weight_before,
    packed_float(blob, 8 + n * 87 + i * 8) AS weight_after,
    packed_float(blob, 8 + n * 95 + i * 8) AS weight_index,
    packed_float(blob, 8 + n * 103 + i * 8) AS risk_price_before,
    packed_float(blob, 8 + n * 111 + i * 8) AS risk_price_after
FROM proposal
CROSS JOIN LATERAL (SELECT trades || ''::bytea AS blob, n_trades AS n OFFSET 0) once
CROSS JOIN LATERAL generate_series(0, n_trades - 1) AS i;
COMMENT ON VIEW proposal_trade IS 'Trades as rows (rebalance.proposal.Trades).';
