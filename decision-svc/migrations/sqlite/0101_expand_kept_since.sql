-- From when on rows of a kind are still there: everything older was deleted by retention. So a
-- question about a deleted decision says why it is gone. The key: one row per tenant and kind.
create table kept_since (
  tenant_id text not null,
  kind      text not null,
  since_us  bigint not null,
  primary key (tenant_id, kind)
);
