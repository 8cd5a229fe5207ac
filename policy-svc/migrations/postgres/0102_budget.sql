-- What a budget has been used for, over all customers. One row each, locked after the customers of
-- a commit, so that the totals follow the entries.
create table budget (
  tenant_id  text collate "C" not null,
  policy_id  text collate "C" not null,
  definition text not null,      -- what the totals were counted by; empty: nothing was counted yet
  ledger_us  bigint not null,    -- never runs backwards
  contacts   bigint not null,    -- entries
  reserved   bigint not null,    -- those of them that are reservations
  spend      bigint not null,    -- what they cost, in 1/10,000 of the currency
  primary key (tenant_id, policy_id)
);

-- A contact or a reservation that counts, until it leaves the window or lapses.
create table budget_entry (
  tenant_id  text collate "C" not null,
  policy_id  text collate "C" not null,
  contact_id text collate "C" not null,
  until_us   bigint not null,
  cost       bigint not null,
  reserved   boolean not null,
  primary key (tenant_id, policy_id, contact_id)
);

-- Those that leave first.
create index budget_entry_by_end on budget_entry (tenant_id, policy_id, until_us);

-- A new budget counts what has happened before it. The cost is never below 0: only a statement that
-- says so may use these, so that none about one customer does.
create index contact_of_tenant on contact (tenant_id, committed_us) where state = 'committed' and cost >= 0;
create index reservation_of_tenant on contact (tenant_id, reserved_until_us) where state = 'reserved' and cost >= 0;
