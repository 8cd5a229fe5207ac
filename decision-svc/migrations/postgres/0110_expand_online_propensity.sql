-- Contacts that the online model of propensity has not learned yet. A row is written when it
-- first comes, and deleted in the transaction that writes what was learned from it. So each is
-- learned once.
create table online_contact (
  tenant_id   text collate "C" not null,
  customer_id text collate "C" not null,
  decision_id text collate "C" not null,
  offer_id    text collate "C" not null,
  flow_id     text collate "C" not null,
  rank        bigint not null,  -- of the offer in the decision, from 1
  due_us      bigint not null,  -- the window is closed, and the contact was received
  is_positive boolean not null,  -- a response in time was received by then
  primary key (tenant_id, customer_id, decision_id, offer_id)
);

-- The order in which contacts are learned.
create index online_contact_by_due on online_contact (tenant_id, due_us, decision_id, rank);

-- What is learned of each flow. The key: one row per flow.
create table online_state (
  tenant_id    text collate "C" not null,
  flow_id      text collate "C" not null,
  learned      bigint not null,       -- contacts
  since_us     bigint not null,       -- when the first was learned
  published    bigint not null,       -- contacts that the newest snapshot has learned
  published_us bigint not null,       -- when it was published; 0 before the first
  version      bigint not null,       -- of the newest snapshot; 0 before the first
  state        bytea not null,          -- what the next contact needs
  primary key (tenant_id, flow_id)
);

-- The process that learns for a tenant. Only it writes what was learned. The key: a tenant.
create table online_lease (
  tenant_id  text collate "C" not null,
  holder     text collate "C" not null,
  expires_us bigint not null,
  primary key (tenant_id)
);

-- Published models. Decisions name the version they used, so it stays as long as they do.
create table online_snapshot (
  tenant_id    text collate "C" not null,
  flow_id      text collate "C" not null,
  version      bigint not null,
  published_us bigint not null,
  bytes        bigint not null,
  model        bytea not null,
  primary key (tenant_id, flow_id, version)
);
