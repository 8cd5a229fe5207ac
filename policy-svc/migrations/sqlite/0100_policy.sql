-- The row a customer's writers lock. Its ledger instant never runs backwards, whatever the
-- replicas' clocks.
create table customer (
  tenant_id   text not null,
  customer_id text not null,
  ledger_us   integer not null,
  applied_seq integer not null,  -- the last outcome applied; a lower or equal one is a repeat
  primary key (tenant_id, customer_id)
);

-- Contacts and the slots held for them. The tenant and the customer lead every key, so that a
-- customer's rows lie together and a partition by customer stays possible.
create table contact (
  tenant_id         text not null,
  customer_id       text not null,
  contact_id        text not null,
  decision_id       text not null,  -- empty: reported without a decision
  rank              integer not null,            -- 0: none
  offer_id          text not null,
  category          text not null,
  category_id       text not null,
  subcategory       text not null,
  channel_id        text not null,
  channel_name      text not null,  -- as decided, whatever the channel is called later
  purpose           text not null,
  state             text not null check (state in ('reserved', 'committed', 'released', 'expired')),
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

-- A customer's contacts, newest first.
create index contact_by_age on contact (tenant_id, customer_id, created_us, contact_id);

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
  channel_folded text not null,  -- the name in lower case: a withdrawal outlives the channel's id
  granted        boolean not null,
  at_us          integer not null,
  received_us    integer not null,
  source         text not null,
  evidence       text not null,
  primary key (tenant_id, customer_id, consent_id)
);

-- Answers that granted something, for repeats of the same request.
create table grant_request (
  tenant_id   text not null,
  customer_id text not null,
  request_key text not null,  -- 'request:…' or 'decision:…'
  decision_id text not null,
  response    blob not null,
  at_us       integer not null,
  primary key (tenant_id, customer_id, request_key)
);

-- Old answers are purged by age.
create index grant_request_by_age on grant_request (at_us);
