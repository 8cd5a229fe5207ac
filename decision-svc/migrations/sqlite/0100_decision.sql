-- One row per customer that has data here: its lock orders everything about the customer, `seq`
-- numbers it.
create table customer (
  tenant_id   text    not null,
  customer_id text    not null,
  seq         integer not null,
  primary key (tenant_id, customer_id)
);

-- What was decided. Never updated but for a request whose refusal has lapsed, never deleted.
create table decision (
  tenant_id        text    not null,
  decision_id      text    not null,
  customer_id      text    not null,
  decided_us       integer not null,
  record           blob    not null,
  primary key (tenant_id, decision_id)
);

-- A customer's decisions, newest first.
create index decision_by_customer on decision (tenant_id, customer_id, decided_us, decision_id);

-- The decision that answers a request id. The loser of two runs finds the winner here.
create table request (
  tenant_id        text    not null,
  request_id       text    not null,
  decision_id      text    not null,
  body_hash        blob    not null,
  decided_us       integer not null,
  deliver_after_us integer,           -- a refusal stands for its request only until then
  primary key (tenant_id, request_id)
);

-- A customer's arm, written by the first decision and never changed.
create table first_arm (
  tenant_id     text    not null,
  customer_id   text    not null,
  experiment_id text    not null,
  is_holdout    boolean not null,
  epoch         integer not null,
  assigned_us   integer not null,
  exposed_us    integer,              -- first time an offer was, or would have been, returned
  primary key (tenant_id, customer_id, experiment_id)
);

-- What customers did.
create table outcome (
  tenant_id       text    not null,
  idempotency_key text    not null,
  outcome_id      text    not null,
  customer_id     text    not null,
  body_hash       blob    not null,
  received_us     integer not null,
  record          blob    not null,
  primary key (tenant_id, idempotency_key)
);

-- What the neighbours have not been told yet, in order per customer. Rows go when they are
-- delivered.
create table outbox (
  tenant_id    text    not null,
  customer_id  text    not null,
  target       text    not null,
  customer_seq integer not null,
  created_us   integer not null,
  attempts     integer not null,
  parked       boolean not null,
  payload      blob    not null,
  primary key (tenant_id, customer_id, target, customer_seq)
);

-- The relay looks here for the oldest work.
create index outbox_by_age on outbox (tenant_id, target, parked, created_us);
