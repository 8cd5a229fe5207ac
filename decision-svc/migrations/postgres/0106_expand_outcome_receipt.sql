-- no-transaction
-- Outcomes are counted for reports in the order of their receipt. They are written about
-- in that order, so a summary of each stretch of the table finds them, and costs a
-- write next to nothing.
create index concurrently outcome_by_receipt on outcome using brin (received_us)
  with (autosummarize = on);
