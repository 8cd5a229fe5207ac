-- How far each process has come with what it receives: everything that it received up to
-- `settled_us` is recorded or refused. A process writes its row before it serves and at least each
-- second; `beat` shows that it lives, whatever its clock says. The relays read all rows, so
-- experiment-svc learns up to which instant every outcome is in. The key: one row per process, none
-- about customers.
create table replica (
  replica_id text not null,
  settled_us integer not null,
  beat       integer not null,
  primary key (replica_id)
);
