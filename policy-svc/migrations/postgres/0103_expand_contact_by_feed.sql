-- no-transaction
-- Contacts by their place, and those that have none yet. Only contacts that happened are in it: a
-- reservation costs nothing. The cost is never below 0: only a statement that says so may use this,
-- so that none about one customer does.
create index concurrently contact_by_feed on contact (tenant_id, feed_position)
  where state = 'committed' and cost >= 0;
