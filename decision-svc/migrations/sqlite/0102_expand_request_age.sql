-- Request ids are purged by age. They are written about
-- in the order of their age, so a new entry is added near the end of the index.
create index request_by_age on request (decided_us);
