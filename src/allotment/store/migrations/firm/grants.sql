GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
-- Kept for ever: written once.
GRANT INSERT ON {schema}.event, {schema}.mandate, {schema}.import_file, {schema}.risk_model,
    {schema}.run, {schema}.run_step, {schema}.run_exception, {schema}.proposal,
    {schema}.actor, {schema}.actor_token, {schema}.posting, {schema}.lot_name, {schema}.sleeve_swap,
    {schema}.expected_page TO {role};
-- What may change about them.
GRANT UPDATE (next_seq) ON {schema}.ledger_head TO {role};
GRANT UPDATE (state, finished_at) ON {schema}.run TO {role};
GRANT UPDATE (state, n_done, seconds, finished_at, written_by) ON {schema}.run_step TO {role};
GRANT UPDATE (state, written_by) ON {schema}.proposal TO {role};
GRANT UPDATE (roles, is_active, written_by) ON {schema}.actor TO {role};
GRANT UPDATE (revoked_at, written_by) ON {schema}.actor_token TO {role};
-- The state of now.
GRANT INSERT, UPDATE ON {schema}.venue, {schema}.household, {schema}.taxpayer, {schema}.account,
    {schema}.sleeve, {schema}.lots_now, {schema}.household_state, {schema}.sold_now, {schema}.filed_year,
    {schema}.carried_price TO {role};
GRANT DELETE ON {schema}.sold_now TO {role};
-- Corporate actions.
GRANT INSERT ON {schema}.election, {schema}.action_difference TO {role};
GRANT UPDATE (settled_at, settled_by, settled_note) ON {schema}.action_difference TO {role};
