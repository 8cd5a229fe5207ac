-- Contacts that the online model of propensity has not learned yet. A row is written when it
-- first comes, and deleted in the transaction that writes what was learned from it. So each is
-- learned once.
create table online_contact (
  tenant_id   text not null,
  customer_id text not null,
  decision_id text not null,
  offer_id    text not null,
  flow_id     text not null,
  rank        integer not null,  -- of the offer in the decision, from 1
  due_us      integer not null,  -- the window is closed, and the contact was received
  is_positive boolean not null,  -- a response in time was received by then
  primary key (tenant_id, customer_id, decision_id, offer_id)
);

-- The order in which contacts are learned.
create index online_contact_by_due on online_contact (tenant_id, due_us, decision_id, rank);

-- What is learned of each flow. The key: one row per flow.
create table online_state (
  tenant_id    text not null,
  flow_id      text not null,
  learned      integer not null,       -- contacts
  since_us     integer not null,       -- when the first was learned
  published    integer not null,       -- contacts that the newest snapshot has learned
  published_us integer not null,       -- when it was published; 0 before the first
  version      integer not null,       -- of the newest snapshot; 0 before the first
  state        blob not null,          -- what the next contact needs
  primary key (tenant_id, flow_id)
);

-- The process that learns for a tenant. Only it writes what was learned. The key: a tenant.
create table online_lease (
  tenant_id  text not null,
  holder     text not null,
  expires_us integer not null,
  primary key (tenant_id)
);

-- Published models. Decisions name the version they used, so it stays as long as they do.
create table online_snapshot (
  tenant_id    text not null,
  flow_id      text not null,
  version      integer not null,
  published_us integer not null,
  bytes        integer not null,
  model        blob not null,
  primary key (tenant_id, flow_id, version)
);
