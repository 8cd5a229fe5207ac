-- The head of a tenant's log: locked by every writer, so revisions have no gap and the chain no
-- fork.
create table head (
  tenant_id text collate "C"    not null primary key,
  revision  bigint  not null,
  hash      bytea   not null
);

-- The log. Never updated, never deleted.
create table entry (
  tenant_id  text collate "C"    not null,
  revision   bigint  not null,
  kind       text collate "C"    not null,
  id         text collate "C"    not null,
  name       text collate "C"    not null,
  payload    bytea,            -- null: the entry deletes the resource
  actor      text collate "C"    not null,
  written_us bigint  not null,
  hash       bytea   not null,
  primary key (tenant_id, revision)
);

-- A resource's own entries, newest last: as-of reads and the history of one resource.
create index entry_by_resource on entry (tenant_id, kind, id, revision);

-- The present state, derived from the log in the same transaction. Deleted ids stay, so that none
-- is used again.
create table resource (
  tenant_id   text collate "C"    not null,
  kind        text collate "C"    not null,
  id          text collate "C"    not null,
  name        text collate "C"    not null,
  name_folded text,           -- null when deleted: the name is free again
  payload     bytea,
  etag        text collate "C"    not null,
  revision    bigint  not null,
  created_us  bigint  not null,
  updated_us  bigint  not null,
  primary key (tenant_id, kind, id)
);

-- Names are unique per tenant and kind without regard to case.
create unique index resource_name_unique on resource (tenant_id, kind, name_folded);
