-- What a contact came from, and its place among the contacts of its tenant. A version that knows
-- neither goes on writing contacts: they get a place like any other.
alter table contact add column flow_id text collate "C" not null default '';
-- Null until the contact happened and was given its place.
alter table contact add column feed_position bigint;

-- The last place that was given. Its lock orders the processes that give places. The key: one row
-- per tenant.
create table contact_feed (
  tenant_id text collate "C" not null,
  position  bigint not null,
  primary key (tenant_id)
);
