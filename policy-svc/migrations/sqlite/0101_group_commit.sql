-- How often a customer's rows were written. A writer that judged without the lock names the version
-- it read, and writes only while that is still the newest.
alter table customer add column version integer not null default 1;

-- What a contact cost, in 1/10,000 of the tenant's currency.
alter table contact add column cost integer not null default 0;
