-- Ids of contacts sort by time, so the primary key lists them.
drop index contact_by_age;
