-- no-transaction
-- Request ids are purged by age. They are written about
-- in the order of their age, so a summary of each stretch of the table finds them, and costs a
-- write next to nothing.
create index concurrently request_by_age on request using brin (decided_us)
  with (autosummarize = on);
