-- What is known of the contact that came of a decision, by offer: the earliest report of each kind.
-- So a contact counts once, and its response once, in whatever order reports arrive. Rows go with
-- their decision.
create table contact_response (
  tenant_id    text not null,
  customer_id  text not null,
  decision_id  text not null,
  offer_id     text not null,
  channel      text not null,  -- of the decision: its id, or its name without one
  contact_us   integer,           -- null until a contact is reported
  responded_us integer,           -- null until a positive response is reported
  is_positive  boolean not null,  -- the response came in time
  primary key (tenant_id, customer_id, decision_id, offer_id)
);

-- Contacts and positive responses. Propensities are learned from them. Counts outlive decisions and
-- outcomes. Transactions add in different parts, so few wait for each other; the sum over the parts
-- counts. `revision` is that of the part when the row last changed.
create table response_count (
  tenant_id   text not null,
  offer_id    text not null,
  category_id text not null,  -- when it was decided
  channel     text not null,
  part        integer not null,
  contacts    integer not null,
  positives   integer not null,
  revision    integer not null,
  primary key (tenant_id, offer_id, category_id, channel, part)
);

-- What has changed in a part since a process last looked.
create index response_count_by_revision on response_count (tenant_id, part, revision);

-- The revision of each part. A transaction that changes counts raises one. The lock of the row
-- orders them, so who sees a revision of a part sees all before it. The key: one row per part.
create table response_head (
  tenant_id text not null,
  part      integer not null,
  revision  integer not null,
  primary key (tenant_id, part)
);
