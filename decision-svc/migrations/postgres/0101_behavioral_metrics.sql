-- What behavioral metrics count. Outcomes of before are left out: their key is the empty one, which
-- no metric names.
alter table outcome add column outcome_key text not null default '';
alter table outcome add column occurred_us bigint not null default 0;
alter table outcome add column value_e4 bigint;              -- in 1/10,000 of the currency

-- A customer's outcomes of one type in a window, the latest at its end.
create index outcome_by_customer on outcome (tenant_id, customer_id, outcome_key, occurred_us);
