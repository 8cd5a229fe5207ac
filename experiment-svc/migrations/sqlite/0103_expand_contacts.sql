-- Contacts as policy-svc counted them: leaks, and what the contacts of the treated cost. Written
-- once by their ids. The key starts with the customer, because they are looked up by customer.
create table contact (
  tenant_id   text not null,
  customer_id text not null,
  contact_id  text not null,
  decision_id text not null,    -- empty: reported without one
  rank        integer  not null,
  offer_id    text not null,
  category_id text not null,
  flow_id     text not null,    -- empty: without a decision, or not known
  channel_id  text not null,
  cost_e4     integer  not null,             -- in 1/10,000 of the currency
  happened_us integer  not null,
  unreserved  boolean not null,
  primary key (tenant_id, customer_id, contact_id)
);

-- The position in policy-svc's ledger up to which contacts are here.
create table contact_position (
  tenant_id text not null primary key,
  position  integer not null
);

-- What an experiment showed on a day, by metric, so that its past can be drawn and a verdict that
-- was said stays.
create table snapshot (
  tenant_id     text not null,
  experiment_id text not null,
  metric        text not null,
  day           integer not null,            -- since 1970, in UTC
  shown         text not null,
  primary key (tenant_id, experiment_id, metric, day)
);
