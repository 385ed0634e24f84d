-- A posting's events are its actor's, who is known, so only accounts need be looked up: by one join instead of
-- sorting out which accounts, households and actors the events name.
CREATE OR REPLACE FUNCTION refuse_unknown_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unknown text;
BEGIN
    EXECUTE format(
        'SELECT string_agg(DISTINCT e.account_id::text, '', '') FROM %1$I.event e '
        'LEFT JOIN %1$I.account k ON (k.account_id, k.household_id) = (e.account_id, e.household_id) '
        'WHERE e.ledger_seq BETWEEN $1 AND $2 AND (k.account_id IS NULL OR e.actor_id <> $3)', TG_TABLE_SCHEMA)
        INTO unknown USING NEW.first_seq, NEW.last_seq, NEW.actor_id;
    IF unknown IS NOT NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('event: another actor, or no such account in that household: %s', left(unknown, 200));
    END IF;
    RETURN NULL;
END $$;
