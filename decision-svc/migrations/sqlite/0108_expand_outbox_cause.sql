-- The span that caused a message, as `traceparent` writes it, so that the trace of the delivery
-- links to it. Null when that span is not exported; the previous version writes none.
alter table outbox add column cause text;
