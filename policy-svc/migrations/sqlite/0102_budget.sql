-- What a budget has been used for, over all customers. One row each, locked after the customers of
-- a commit, so that the totals follow the entries.
create table budget (
  tenant_id  text not null,
  policy_id  text not null,
  definition text not null,      -- what the totals were counted by; empty: nothing was counted yet
  ledger_us  integer not null,    -- never runs backwards
  contacts   integer not null,    -- entries
  reserved   integer not null,    -- those of them that are reservations
  spend      integer not null,    -- what they cost, in 1/10,000 of the currency
  primary key (tenant_id, policy_id)
);

-- A contact or a reservation that counts, until it leaves the window or lapses.
create table budget_entry (
  tenant_id  text not null,
  policy_id  text not null,
  contact_id text not null,
  until_us   integer not null,
  cost       integer not null,
  reserved   integer not null,
  primary key (tenant_id, policy_id, contact_id)
);

-- Those that leave first.
create index budget_entry_by_end on budget_entry (tenant_id, policy_id, until_us);

-- A new budget counts what has happened before it. The cost is never below 0: only a statement that
-- says so may use these, so that none about one customer does.
create index contact_of_tenant on contact (tenant_id, committed_us) where state = 'committed' and cost >= 0;
create index reservation_of_tenant on contact (tenant_id, reserved_until_us) where state = 'reserved' and cost >= 0;
