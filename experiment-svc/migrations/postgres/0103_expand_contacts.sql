-- Contacts as policy-svc counted them: leaks, and what the contacts of the treated cost. Written
-- once by their ids. The key starts with the customer, because they are looked up by customer.
create table contact (
  tenant_id   text collate "C" not null,
  customer_id text collate "C" not null,
  contact_id  text collate "C" not null,
  decision_id text collate "C" not null,    -- empty: reported without one
  rank        bigint  not null,
  offer_id    text collate "C" not null,
  category_id text collate "C" not null,
  flow_id     text collate "C" not null,    -- empty: without a decision, or not known
  channel_id  text collate "C" not null,
  cost_e4     bigint  not null,             -- in 1/10,000 of the currency
  happened_us bigint  not null,
  unreserved  boolean not null,
  primary key (tenant_id, customer_id, contact_id)
);

-- The position in policy-svc's ledger up to which contacts are here.
create table contact_position (
  tenant_id text collate "C" not null primary key,
  position  bigint not null
);

-- What an experiment showed on a day, by metric, so that its past can be drawn and a verdict that
-- was said stays.
create table snapshot (
  tenant_id     text collate "C" not null,
  experiment_id text collate "C" not null,
  metric        text collate "C" not null,
  day           bigint not null,            -- since 1970, in UTC
  shown         text collate "C" not null,
  primary key (tenant_id, experiment_id, metric, day)
);
