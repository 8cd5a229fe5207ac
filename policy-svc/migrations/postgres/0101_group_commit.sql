-- How often a customer's rows were written. A writer that judged without the lock names the version
-- it read, and writes only while that is still the newest.
alter table customer add column version bigint not null default 1;

-- What a contact cost, in 1/10,000 of the tenant's currency.
alter table contact add column cost bigint not null default 0;

-- Bytes travel to the statements of the ledger as hexadecimal text inside JSON; SQLite has this
-- function itself.
create function unhex(text) returns bytea language sql immutable strict parallel safe as $$ select decode($1, 'hex') $$;
create function hex(bytea) returns text language sql immutable strict parallel safe as $$ select encode($1, 'hex') $$;
