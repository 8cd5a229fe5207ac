-- Outcomes are deleted by age where a limit says so. They are written about
-- in the order of their age, so a new entry is added near the end of the index.
create index outcome_by_age on outcome (tenant_id, occurred_us);
