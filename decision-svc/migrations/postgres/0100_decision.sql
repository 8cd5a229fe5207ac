-- One row per customer that has data here: its lock orders everything about the customer, `seq`
-- numbers it.
create table customer (
  tenant_id   text collate "C" not null,
  customer_id text collate "C" not null,
  seq         bigint  not null,
  primary key (tenant_id, customer_id)
);

-- What was decided. Never updated but for a request whose refusal has lapsed, never deleted.
create table decision (
  tenant_id        text collate "C" not null,
  decision_id      text collate "C" not null,
  customer_id      text collate "C" not null,
  decided_us       bigint  not null,
  record           bytea   not null,
  primary key (tenant_id, decision_id)
);

-- A customer's decisions, newest first.
create index decision_by_customer on decision (tenant_id, customer_id, decided_us, decision_id);

-- The decision that answers a request id. The loser of two runs finds the winner here.
create table request (
  tenant_id        text collate "C" not null,
  request_id       text collate "C" not null,
  decision_id      text collate "C" not null,
  body_hash        bytea   not null,
  decided_us       bigint  not null,
  deliver_after_us bigint,           -- a refusal stands for its request only until then
  primary key (tenant_id, request_id)
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

-- What customers did.
create table outcome (
  tenant_id       text collate "C" not null,
  idempotency_key text collate "C" not null,
  outcome_id      text collate "C" not null,
  customer_id     text collate "C" not null,
  body_hash        bytea   not null,
  received_us     bigint  not null,
  record           bytea   not null,
  primary key (tenant_id, idempotency_key)
);

-- What the neighbours have not been told yet, in order per customer. Rows go when they are
-- delivered.
create table outbox (
  tenant_id    text collate "C" not null,
  customer_id  text collate "C" not null,
  target       text collate "C" not null,
  customer_seq bigint  not null,
  created_us   bigint  not null,
  attempts     bigint  not null,
  parked       boolean not null,
  payload          bytea   not null,
  primary key (tenant_id, customer_id, target, customer_seq)
);

-- The relay looks here for the oldest work.
create index outbox_by_age on outbox (tenant_id, target, parked, created_us);
