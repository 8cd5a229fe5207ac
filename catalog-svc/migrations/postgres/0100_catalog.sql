-- What is known about customers now: one row per schema and customer. Not in the revision log:
-- records are data, keep no past, and must be erasable. The key serves the decision's read of one
-- record and the list of a schema's records by customer, bytewise: hence the collation. Rows of a
-- deleted schema stay, out of sight, because ids of schemas are never used again.
create table customer_record (
  tenant_id   text collate "C" not null,
  schema_id   text collate "C" not null,
  customer_id text collate "C" not null,
  payload     bytea            not null, -- the fields, encoded; nulls are left out
  version     bigint           not null, -- counts the writes of this row, from 1
  updated_us  bigint           not null,
  primary key (tenant_id, schema_id, customer_id)
);

-- All a tenant holds about one customer, for erasure and export.
create index customer_record_by_customer on customer_record (tenant_id, customer_id);
