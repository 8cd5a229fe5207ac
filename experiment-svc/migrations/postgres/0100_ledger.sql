-- The experiment that runs on a flow: the key lets one run, whichever replica starts it. The
-- reference is folded to lower case. Taken and given back in the transaction that writes the
-- experiment.
create table running_flow (
  tenant_id     text collate "C" not null,
  flow_folded   text collate "C" not null,
  experiment_id text collate "C" not null,
  primary key (tenant_id, flow_folded)
);

-- A customer's arm, as the first decision drew it. Never updated, never deleted with the
-- experiment. The key lets the first arm stay.
create table assignment (
  tenant_id     text collate "C" not null,
  customer_id   text collate "C" not null,
  experiment_id text collate "C" not null,
  is_holdout    boolean not null,
  epoch         bigint  not null,
  assigned_us   bigint  not null,
  primary key (tenant_id, customer_id, experiment_id)
);

-- The arms of one experiment by customer: read-out and lists.
create index assignment_by_experiment on assignment (tenant_id, experiment_id, customer_id);

-- When a customer first received, or would have received, an offer. The earliest stays, in whatever
-- order they come.
create table exposure (
  tenant_id     text collate "C" not null,
  customer_id   text collate "C" not null,
  experiment_id text collate "C" not null,
  decision_id   text collate "C" not null,
  is_ghost      boolean not null,
  exposed_us    bigint  not null,
  primary key (tenant_id, customer_id, experiment_id)
);

-- What customers did, those without an arm included: the arm may come later, or be another
-- experiment's. The key starts with the customer, because the read-out looks up a customer's
-- outcomes.
create table outcome (
  tenant_id     text collate "C" not null,
  customer_id   text collate "C" not null,
  outcome_id    text collate "C" not null,
  outcome_key   text collate "C" not null,
  is_positive   boolean not null,
  value_e4      bigint  not null,           -- in 1/10,000 of the currency
  occurred_us   bigint  not null,
  received_us   bigint  not null,
  primary key (tenant_id, customer_id, outcome_id)
);

-- The instant up to which every outcome received is in the ledger.
create table counted_through (
  tenant_id  text collate "C" not null primary key,
  through_us bigint  not null
);
