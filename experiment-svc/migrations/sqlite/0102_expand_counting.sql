-- What an exposure was: rows of earlier versions have none of it, and their epoch is 0.
alter table exposure add column epoch integer not null default 0;
alter table exposure add column flow_id text not null default '';
alter table exposure add column offer_id text not null default '';
alter table exposure add column category_id text not null default '';
alter table exposure add column channel text not null default '';
alter table exposure add column offer_ids text not null default '[]';  -- JSON, by rank
alter table exposure add column emptied_by text not null default '';
alter table exposure add column features blob;

-- True when the value is there and zero. Without it a zero is no value: earlier versions write that
-- for an outcome without one.
alter table outcome add column is_zero boolean not null default false;

-- The row that every writer about a customer locks. What is computed from the customer's rows is
-- written under it.
create table customer (
  tenant_id   text not null,
  customer_id text not null,
  version     integer not null,
  primary key (tenant_id, customer_id)
);

-- Imported covariates of a customer in an external experiment, written once with the arm.
create table covariate (
  tenant_id     text not null,
  customer_id   text not null,
  experiment_id text not null,
  covariates    blob not null,
  number_e4     integer,                     -- the one that the experiment names, in 1/10,000
  primary key (tenant_id, customer_id, experiment_id)
);

-- What an experiment counts. A change raises the version, and then every customer is counted again;
-- until that is done the sums of the version before are shown.
create table counting (
  tenant_id      text not null,
  experiment_id  text not null,
  plan           text not null,
  version        integer  not null,
  changed_us     integer  not null,
  served_plan    text not null,
  served_version integer  not null,          -- 0 before the first count is complete
  is_closed      boolean not null,          -- true when no outcome can change a sum any more
  primary key (tenant_id, experiment_id)
);

-- What a customer adds to the sums of an experiment.
create table tally (
  tenant_id     text not null,
  customer_id   text not null,
  experiment_id text not null,
  version       integer not null,
  tally         text not null,
  primary key (tenant_id, customer_id, experiment_id)
);

-- The tallies of an experiment by customer, for what reads all of them.
create index tally_by_experiment on tally (tenant_id, experiment_id, customer_id);

-- Sums of tallies. A number of 128 bits is four parts of 32 bits that are added without a carry. A
-- writer adds to one of several shards, so that no row is hot. The key lets a read-out find the
-- hours that have closed.
create table tally_sum (
  tenant_id     text not null,
  experiment_id text not null,
  version       integer  not null,
  metric        text not null,
  hour          integer  not null,
  population    integer  not null,
  is_holdout    boolean not null,
  epoch         integer  not null,
  shard         integer  not null,
  n             integer  not null,
  events        integer  not null,
  buyers        integer  not null,
  beyond        integer  not null,
  x0            integer  not null,
  x1            integer  not null,
  x2            integer  not null,
  x3            integer  not null,
  xx0           integer  not null,
  xx1           integer  not null,
  xx2           integer  not null,
  xx3           integer  not null,
  y0            integer  not null,
  y1            integer  not null,
  y2            integer  not null,
  y3            integer  not null,
  yy0           integer  not null,
  yy1           integer  not null,
  yy2           integer  not null,
  yy3           integer  not null,
  xy0           integer  not null,
  xy1           integer  not null,
  xy2           integer  not null,
  xy3           integer  not null,
  primary key
    (tenant_id, experiment_id, version, metric, hour, population, is_holdout, epoch, shard)
);
