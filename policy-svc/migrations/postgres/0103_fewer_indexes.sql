-- Ids of contacts sort by time, so the primary key lists them.
drop index contact_by_age;

-- Requests are forgotten in the order in which they came: a summary of each stretch of the table
-- finds them as well as an entry for each, and costs a write next to nothing.
drop index grant_request_by_age;
create index grant_request_by_age on grant_request using brin (at_us) with (autosummarize = on);
