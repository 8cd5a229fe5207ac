-- What an exposure was: rows of earlier versions have none of it, and their epoch is 0.
alter table exposure add column epoch bigint not null default 0;
alter table exposure add column flow_id text collate "C" not null default '';
alter table exposure add column offer_id text collate "C" not null default '';
alter table exposure add column category_id text collate "C" not null default '';
alter table exposure add column channel text collate "C" not null default '';
alter table exposure add column offer_ids text collate "C" not null default '[]';  -- JSON, by rank
alter table exposure add column emptied_by text collate "C" not null default '';
alter table exposure add column features bytea;

-- True when the value is there and zero. Without it a zero is no value: earlier versions write that
-- for an outcome without one.
alter table outcome add column is_zero boolean not null default false;

-- The row that every writer about a customer locks. What is computed from the customer's rows is
-- written under it.
create table customer (
  tenant_id   text collate "C" not null,
  customer_id text collate "C" not null,
  version     bigint not null,
  primary key (tenant_id, customer_id)
);

-- Imported covariates of a customer in an external experiment, written once with the arm.
create table covariate (
  tenant_id     text collate "C" not null,
  customer_id   text collate "C" not null,
  experiment_id text collate "C" not null,
  covariates    bytea not null,
  number_e4     bigint,                     -- the one that the experiment names, in 1/10,000
  primary key (tenant_id, customer_id, experiment_id)
);

-- What an experiment counts. A change raises the version, and then every customer is counted again;
-- until that is done the sums of the version before are shown.
create table counting (
  tenant_id      text collate "C" not null,
  experiment_id  text collate "C" not null,
  plan           text collate "C" not null,
  version        bigint  not null,
  changed_us     bigint  not null,
  served_plan    text collate "C" not null,
  served_version bigint  not null,          -- 0 before the first count is complete
  is_closed      boolean not null,          -- true when no outcome can change a sum any more
  primary key (tenant_id, experiment_id)
);

-- What a customer adds to the sums of an experiment.
create table tally (
  tenant_id     text collate "C" not null,
  customer_id   text collate "C" not null,
  experiment_id text collate "C" not null,
  version       bigint not null,
  tally         text collate "C" not null,
  primary key (tenant_id, customer_id, experiment_id)
);

-- The tallies of an experiment by customer, for what reads all of them.
create index tally_by_experiment on tally (tenant_id, experiment_id, customer_id);

-- Sums of tallies. A number of 128 bits is four parts of 32 bits that are added without a carry. A
-- writer adds to one of several shards, so that no row is hot. The key lets a read-out find the
-- hours that have closed.
create table tally_sum (
  tenant_id     text collate "C" not null,
  experiment_id text collate "C" not null,
  version       bigint  not null,
  metric        text collate "C" not null,
  hour          bigint  not null,
  population    bigint  not null,
  is_holdout    boolean not null,
  epoch         bigint  not null,
  shard         bigint  not null,
  n             bigint  not null,
  events        bigint  not null,
  buyers        bigint  not null,
  beyond        bigint  not null,
  x0            bigint  not null,
  x1            bigint  not null,
  x2            bigint  not null,
  x3            bigint  not null,
  xx0           bigint  not null,
  xx1           bigint  not null,
  xx2           bigint  not null,
  xx3           bigint  not null,
  y0            bigint  not null,
  y1            bigint  not null,
  y2            bigint  not null,
  y3            bigint  not null,
  yy0           bigint  not null,
  yy1           bigint  not null,
  yy2           bigint  not null,
  yy3           bigint  not null,
  xy0           bigint  not null,
  xy1           bigint  not null,
  xy2           bigint  not null,
  xy3           bigint  not null,
  primary key
    (tenant_id, experiment_id, version, metric, hour, population, is_holdout, epoch, shard)
);
