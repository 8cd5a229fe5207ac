-- The row a customer's writers lock. The version counts its writes: a writer that judged without
-- the lock writes only while the version is the one it read. The ledger instant never runs
-- backwards, whatever the clocks of the replicas.
create table customer (
  tenant_id   text not null,
  customer_id text not null,
  version     integer not null,
  ledger_us   integer not null,
  applied_seq integer not null,  -- the last outcome applied; a lower or equal one is a repeat
  primary key (tenant_id, customer_id)
);

-- Contacts and the slots held for them. Every key of a table with customers' data begins with the
-- tenant and the customer: a customer's rows lie together, and customers can be spread over nodes.
create table contact (
  tenant_id         text not null,
  customer_id       text not null,
  contact_id        text not null,  -- ids sort by time, so the key lists the newest
  decision_id       text not null,  -- empty: reported without a decision
  rank              integer not null,            -- 0: none
  offer_id          text not null,
  category          text not null,
  category_id       text not null,
  subcategory       text not null,
  channel_id        text not null,
  channel_name      text not null,  -- as decided, whatever the channel is called later
  purpose           text not null,
  cost              integer not null,            -- in 1/10,000 of the tenant's currency
  state             text not null
    check (state in ('reserved', 'committed', 'released', 'expired')),
  created_us        integer not null,
  reserved_us       integer,
  reserved_until_us integer,
  committed_us      integer,
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
  tenant_id    text not null,
  customer_id  text not null,
  customer_seq integer not null,
  outcome_id   text not null,
  key          text not null,
  offer_id     text not null,
  category     text not null,
  category_id  text not null,
  subcategory  text not null,
  channel_id   text not null,
  channel_name text not null,
  occurred_us  integer not null,
  primary key (tenant_id, customer_id, customer_seq)
);

-- The outcomes of some keys in a window.
create index outcome_by_key on outcome (tenant_id, customer_id, key, occurred_us);

-- What customers said. Never updated, never deleted: the latest instant decides, a withdrawal wins
-- a tie.
create table consent (
  tenant_id      text not null,
  customer_id    text not null,
  consent_id     text not null,
  channel_id     text not null,  -- '*': every channel that contacts people
  channel_folded text not null,  -- a withdrawal outlives the channel's id
  granted        boolean not null,
  at_us          integer not null,
  received_us    integer not null,
  source         text not null,
  evidence       text not null,
  primary key (tenant_id, customer_id, consent_id)
);

-- Answers that granted something, for retries of the same request.
create table grant_request (
  tenant_id   text not null,
  customer_id text not null,
  request_key text not null,  -- 'request:…' or 'decision:…'
  decision_id text not null,
  response    blob not null,
  at_us       integer not null,            -- 0: forgotten
  primary key (tenant_id, customer_id, request_key)
);

-- Old answers are purged by age.
create index grant_request_by_age on grant_request (at_us);

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
  reserved   boolean not null,
  primary key (tenant_id, policy_id, contact_id)
);

-- Those that leave first.
create index budget_entry_by_end on budget_entry (tenant_id, policy_id, until_us);
