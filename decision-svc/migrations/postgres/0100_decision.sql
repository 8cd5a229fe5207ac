-- Every key begins with the tenant and the customer, so that customers can be spread over several
-- servers: all rows of a customer lie together, and no uniqueness spans customers.

-- One row per customer that has data here. Its lock orders all writes about the customer; `seq`
-- numbers them.
create table customer (
  tenant_id   text collate "C" not null,
  customer_id text collate "C" not null,
  seq         bigint  not null,
  primary key (tenant_id, customer_id)
);

-- Decisions. Never updated, never deleted. The key lists a customer's decisions, newest first.
create table decision (
  tenant_id   text collate "C" not null,
  customer_id text collate "C" not null,
  decided_us  bigint  not null,
  decision_id text collate "C" not null,
  flow_id     text collate "C" not null,
  reason      text collate "C" not null,  -- the reason code; empty without
  record      bytea   not null,
  primary key (tenant_id, customer_id, decided_us, decision_id)
);

-- Finds a decision of which only the id is known: commit, release, replay.
create index decision_by_id on decision (tenant_id, decision_id);

-- Lists the decisions of all customers, newest first. Time only grows, so a new decision is added
-- at the end of the index, where the page is in memory. Flow and reason are last: a list that asks
-- for them skips the others without reading their rows, and no further index is needed.
create index decision_by_time on decision (tenant_id, decided_us, decision_id, flow_id, reason);

-- The decision that answers a request id of a customer. Of two concurrent runs the second finds
-- the first one's decision here.
create table request (
  tenant_id        text collate "C" not null,
  customer_id      text collate "C" not null,
  request_id       text collate "C" not null,
  decision_id      text collate "C" not null,
  body_hash        bytea   not null,
  decided_us       bigint  not null,
  deliver_after_us bigint,           -- a refusal answers its request only until then
  primary key (tenant_id, customer_id, request_id)
);

-- A customer's arm, written by the first decision and never changed.
create table first_arm (
  tenant_id     text collate "C" not null,
  customer_id   text collate "C" not null,
  experiment_id text collate "C" not null,
  is_holdout    boolean not null,
  epoch         integer not null,
  assigned_us   bigint  not null,
  exposed_us    bigint,              -- first time an offer was, or would have been, returned
  primary key (tenant_id, customer_id, experiment_id)
);

-- What customers did. The key recognizes a repeated report. A list of a customer's outcomes sorts
-- that customer's rows; an index for it would cost every report more than it saves a list.
create table outcome (
  tenant_id       text collate "C" not null,
  customer_id     text collate "C" not null,
  idempotency_key text collate "C" not null,
  outcome_id      text collate "C" not null,
  outcome_key     text collate "C" not null,
  decision_id     text collate "C" not null,  -- empty without
  body_hash       bytea   not null,
  occurred_us     bigint  not null,
  received_us     bigint  not null,
  customer_seq    bigint  not null,  -- its place in the customer's order
  value_e4        bigint,            -- in 1/10,000 of the currency
  record          bytea   not null,
  primary key (tenant_id, customer_id, idempotency_key)
);

-- A customer's outcomes of one type in a window, the latest at its end: behavioral metrics.
create index outcome_by_key on outcome (tenant_id, customer_id, outcome_key, occurred_us);

-- Messages for policy-svc and experiment-svc, in order per customer. Rows are deleted once they are
-- delivered.
create table outbox (
  tenant_id    text collate "C" not null,
  customer_id  text collate "C" not null,
  target       text collate "C" not null,
  customer_seq bigint  not null,
  created_us   bigint  not null,
  attempts     bigint  not null,
  parked       boolean not null,
  payload      bytea   not null,
  primary key (tenant_id, customer_id, target, customer_seq)
);

-- Finds the oldest messages of all customers for the relay.
create index outbox_by_age on outbox (tenant_id, target, parked, created_us);
