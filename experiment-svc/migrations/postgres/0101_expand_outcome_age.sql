-- no-transaction
-- Outcomes are deleted by age where a limit says so. They are written about
-- in the order of their age, so a summary of each stretch of the table finds them, and costs a
-- write next to nothing.
create index concurrently outcome_by_age on outcome using brin (occurred_us)
  with (autosummarize = on);
