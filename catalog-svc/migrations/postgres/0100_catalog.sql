-- What is known about customers now: one row per customer and schema. Records are not in the
-- revision log: they are data, keep no past, and must be erasable. The key serves the decision's
-- read of one record, and erasure and export of all that a tenant holds about a customer. Rows of a
-- deleted schema stay unread, because ids of schemas are never used again.
create table customer_record (
  tenant_id   text collate "C" not null,
  customer_id text collate "C" not null,
  schema_id   text collate "C" not null,
  payload     bytea            not null, -- the fields, encoded; nulls are left out
  version     bigint           not null, -- counts the writes of this row, from 1
  updated_us  bigint           not null,
  primary key (tenant_id, customer_id, schema_id)
);

-- Lists the records of a schema by customer, bytewise: hence the collation.
create index customer_record_by_schema on customer_record (tenant_id, schema_id, customer_id);
