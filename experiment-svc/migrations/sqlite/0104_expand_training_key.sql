-- The key by which exports of training rows name the customers of a tenant. Made once, by the first
-- export; the same customer has the same name in all of them. Versions before this step export
-- nothing and do not read it.
create table training_key (
  tenant_id text not null primary key,
  key       blob not null
);
