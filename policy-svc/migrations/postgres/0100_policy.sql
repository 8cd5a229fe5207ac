-- The row a customer's writers lock. The version counts its writes: a writer that judged without
-- the lock writes only while the version is the one it read. The ledger instant never runs
-- backwards, whatever the clocks of the replicas.
create table customer (
  tenant_id   text collate "C" not null,
  customer_id text collate "C" not null,
  version     bigint not null,
  ledger_us   bigint not null,
  applied_seq bigint not null,  -- the last outcome applied; a lower or equal one is a repeat
  primary key (tenant_id, customer_id)
);

-- Contacts and the slots held for them. Every key of a table with customers' data begins with the
-- tenant and the customer: a customer's rows lie together, and customers can be spread over nodes.
create table contact (
  tenant_id         text collate "C" not null,
  customer_id       text collate "C" not null,
  contact_id        text collate "C" not null,  -- ids sort by time, so the key lists the newest
  decision_id       text collate "C" not null,  -- empty: reported without a decision
  rank              bigint not null,            -- 0: none
  offer_id          text collate "C" not null,
  category          text collate "C" not null,
  category_id       text collate "C" not null,
  subcategory       text collate "C" not null,
  channel_id        text collate "C" not null,
  channel_name      text collate "C" not null,  -- as decided, whatever the channel is called later
  purpose           text collate "C" not null,
  cost              bigint not null,            -- in 1/10,000 of the tenant's currency
  state             text collate "C" not null
    check (state in ('reserved', 'committed', 'released', 'expired')),
  created_us        bigint not null,
  reserved_us       bigint,
  reserved_until_us bigint,
  committed_us      bigint,
  unreserved        boolean not null,
  primary key (tenant_id, customer_id, contact_id),
  check (state <> 'committed' or committed_us is not null),
  check (state <> 'reserved' or (reserved_us is not null and reserved_until_us is not null))
);

-- A contact is known by decision and rank: two reports of it are one row, and a decision reserves
-- once.
create unique index contact_once on contact (tenant_id, customer_id, decision_id, rank)
  where decision_id <> '' and rank > 0;

-- The count of a window and the live reservations of a customer.
create index contact_by_state on contact (tenant_id, customer_id, state, committed_us);

-- A new budget counts the contacts of all customers, and so does the share of reservations that
-- lapse. The cost is never below 0: only a statement that says so may use these, so that none about
-- one customer does.
create index contact_of_tenant on contact (tenant_id, committed_us)
  where state = 'committed' and cost >= 0;
create index reservation_of_tenant on contact (tenant_id, reserved_until_us)
  where reserved_until_us is not null and cost >= 0;

-- Outcomes as facts of policies that rest after them.
create table outcome (
  tenant_id    text collate "C" not null,
  customer_id  text collate "C" not null,
  customer_seq bigint not null,
  outcome_id   text collate "C" not null,
  key          text collate "C" not null,
  offer_id     text collate "C" not null,
  category     text collate "C" not null,
  category_id  text collate "C" not null,
  subcategory  text collate "C" not null,
  channel_id   text collate "C" not null,
  channel_name text collate "C" not null,
  occurred_us  bigint not null,
  primary key (tenant_id, customer_id, customer_seq)
);

-- The outcomes of some keys in a window.
create index outcome_by_key on outcome (tenant_id, customer_id, key, occurred_us);

-- What customers said. Never updated, never deleted: the latest instant decides, a withdrawal wins
-- a tie.
create table consent (
  tenant_id      text collate "C" not null,
  customer_id    text collate "C" not null,
  consent_id     text collate "C" not null,
  channel_id     text collate "C" not null,  -- '*': every channel that contacts people
  channel_folded text collate "C" not null,  -- a withdrawal outlives the channel's id
  granted        boolean not null,
  at_us          bigint not null,
  received_us    bigint not null,
  source         text collate "C" not null,
  evidence       text collate "C" not null,
  primary key (tenant_id, customer_id, consent_id)
);

-- Answers that granted something, for retries of the same request.
create table grant_request (
  tenant_id   text collate "C" not null,
  customer_id text collate "C" not null,
  request_key text collate "C" not null,  -- 'request:…' or 'decision:…'
  decision_id text collate "C" not null,
  response    bytea not null,
  at_us       bigint not null,            -- 0: forgotten
  primary key (tenant_id, customer_id, request_key)
);

-- Old answers are purged by age. They are written in the order of their age, so a summary of each
-- stretch of the table finds them, and costs a write next to nothing.
create index grant_request_by_age on grant_request using brin (at_us) with (autosummarize = on);

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
