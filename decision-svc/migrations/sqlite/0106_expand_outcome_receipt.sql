-- Outcomes are counted for reports in the order of their receipt. They are written about
-- in that order, so a new entry is added near the end of the index.
create index outcome_by_receipt on outcome (received_us);
