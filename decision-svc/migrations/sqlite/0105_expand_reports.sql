-- Reports are read from counts that a task keeps in the background, never from the rows of
-- customers. Processes of the version before do not track their decisions in flight: false in their
-- rows here. Decisions are counted up to an instant only when no such process
-- can still write one from before it.
alter table replica add column tracks_decisions boolean not null default false;

-- Up to which receive instant rows are counted, by kind of row. The transaction that advances a
-- position adds the counts, so each row is counted once. A process that starts raises `epoch`: a
-- count that looked at the processes before that does not advance the position. The key: one row
-- per kind, none about customers.
create table report_position (
  source     text not null,
  through_us integer not null,
  epoch      integer not null,
  primary key (source)
);
insert into report_position (source, through_us, epoch)
values ('decisions', 0, 0), ('outcomes', 0, 0);

-- The zone in which days of a tenant are counted, and from which receive instant on.
create table report_zone (
  tenant_id text not null,
  source    text not null,
  time_zone text not null,
  since_us  integer not null,           -- 0: from the beginning
  primary key (tenant_id, source)
);

-- What is counted apart, under a number from 0 on. A row never changes. The key lets a process read
-- those that it does not know yet.
create table report_cell (
  tenant_id   text not null,
  counted     text not null,  -- outcomes, decisions, or offers of decisions
  cell        integer not null,
  flow_id     text not null,
  offer_id    text not null,
  category_id text not null,
  channel     text not null,
  what        text not null,  -- the outcome type, or the reason
  primary key (tenant_id, counted, cell)
);

-- Counts and values of a day, of 256 cells together: few rows hold a year. The key
-- orders them by day.
create table report_day (
  tenant_id text not null,
  counted   text not null,
  day       integer not null,              -- counted from 1970
  chunk     integer not null,              -- the cells from 256 × chunk on
  counts    blob   not null,
  primary key (tenant_id, counted, day, chunk)
);
