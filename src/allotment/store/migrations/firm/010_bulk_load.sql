-- What a bulk load can do without.

-- Compressing what openings bring costs more than half of their copy.
ALTER TABLE event ALTER COLUMN lots SET STORAGE EXTERNAL, ALTER COLUMN named_lots SET STORAGE EXTERNAL;

-- Accounts and actors of events are looked up once for a posting, which every event belongs to: a trigger
-- on the events keeps a copy of every row of a bulk load.

DROP TRIGGER known ON event;
DROP FUNCTION refuse_unknown_account();

CREATE FUNCTION refuse_unknown_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unknown text;
BEGIN
    EXECUTE format(
        'SELECT string_agg(a.account_id::text, '', '') FROM (SELECT DISTINCT account_id, household_id, actor_id '
        'FROM %1$I.event WHERE ledger_seq BETWEEN $1 AND $2) a '
        'WHERE NOT EXISTS (SELECT FROM %1$I.account k WHERE k.account_id = a.account_id AND k.household_id = a.household_id) '
        'OR NOT EXISTS (SELECT FROM %1$I.actor k WHERE k.actor_id = a.actor_id)', TG_TABLE_SCHEMA)
        INTO unknown USING NEW.first_seq, NEW.last_seq;
    IF unknown IS NOT NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('event: unknown actor, or no such account in that household: %s', left(unknown, 200));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER known AFTER INSERT ON posting FOR EACH ROW EXECUTE FUNCTION refuse_unknown_account();
