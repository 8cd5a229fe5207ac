//! Statements of earlier versions that Citus refuses are found out, and forms that it runs pass.

use std::collections::BTreeSet;

use super::{is_listed, literal, rule::faults};

fn of(text: &str, is_scan: bool) -> Vec<String> {
    let tables = ["customer", "contact", "outcome", "outbox", "first_arm", "grant_request"];
    let tables: BTreeSet<String> = tables.map(str::to_owned).into();
    faults(text, &tables, is_scan).into_iter().collect()
}

#[track_caller]
fn passes(text: &str) {
    assert_eq!(of(text, false), [""; 0], "{text}");
}

#[track_caller]
fn is_refused(text: &str, expected: &[&str]) {
    assert_eq!(of(text, false), expected, "{text}");
}

const ASKED: &str = "asked as (select * from (select * from unnest($3::bigint[], $4::text[])
    rows (place, id) where abs(place) = place) asked)";

/// decision-svc's read before it plans, as it was: the bound is worked out for each asked row.
#[test]
fn the_former_read_of_decisions_is_refused() {
    let text = format!(
        "with {ASKED}, until as materialized (
           select asked.id as id, coalesce((
             select late.customer_seq from outbox late
             where late.tenant_id = $1 and late.customer_id = asked.id and late.target = 'policy'
             order by late.customer_seq limit 1 offset $2), 9223372036854775807) as seq
           from asked)
         select cast(0 as bigint), arm.customer_id, arm.experiment_id, null
         from asked cross join first_arm arm where arm.tenant_id = $1 and arm.customer_id = asked.id
         union all
         select 1, waiting.customer_id, '', waiting.payload from until cross join outbox waiting
         where waiting.tenant_id = $1 and waiting.customer_id = until.id
           and waiting.target = 'policy' and waiting.customer_seq < until.seq
         union all
         select 2, '', '', coalesce((select revision from head where head.tenant_id = $1), 0)"
    );
    is_refused(&text, &["has a subquery for each row of `asked`"]);
}

/// policy-svc's read before it judges, as it was.
#[test]
fn the_former_read_of_reservations_is_refused() {
    let text = "with asked as (select * from (select * from unnest($1::bigint[], $2::text[],
           $3::text[], $4::bigint[]) rows (place, tenant_id, customer_id, committed_after_us)
           where abs(place) = place) asked),
         word as (select * from (select * from unnest($5::bigint[], $6::text[])
           rows (place, decision_id) where abs(place) = place) word),
         since as materialized (
           select asked.place as place, asked.tenant_id as tenant_id,
             asked.customer_id as customer_id, coalesce((
               select n.committed_us from contact n
               where n.tenant_id = asked.tenant_id and n.customer_id = asked.customer_id
                 and n.state = 'committed' and n.committed_us > asked.committed_after_us
               order by n.committed_us desc limit 1 offset 10001),
             asked.committed_after_us + 1) as from_us
           from asked)
         select asked.place, cast(0 as bigint), json_build_array(coalesce(k.version, 0),
           coalesce((select revision from head where head.tenant_id = asked.tenant_id), 0))::text
         from asked left join customer k
           on k.tenant_id = asked.tenant_id and k.customer_id = asked.customer_id
         union all
         select asked.place, 2, json_build_array(c.contact_id)::text
         from asked cross join contact c
         where c.tenant_id = asked.tenant_id and c.customer_id = asked.customer_id
           and c.state = 'reserved'
         union all
         select since.place, 2, json_build_array(c.contact_id)::text
         from since cross join contact c
         where c.tenant_id = since.tenant_id and c.customer_id = since.customer_id
           and c.state = 'committed' and c.committed_us >= since.from_us
         union all
         select o.place, 3, json_build_array(o.key)::text from (
           select w.place, o.*, row_number() over (partition by w.place order by o.occurred_us desc)
             as nth
           from word w cross join asked cross join outcome o
           where asked.place = w.place and o.tenant_id = asked.tenant_id
             and o.customer_id = asked.customer_id and o.key = w.key) o
         where o.nth <= 10001";
    is_refused(
        text,
        &["has a subquery for each row of `asked`", "keeps rows of `asked` that have no match"],
    );
}

/// policy-svc's write, as it was.
#[test]
fn the_former_write_of_reservations_is_refused() {
    let text = "with asked as (select * from (select * from unnest($1::bigint[], $2::text[],
           $3::text[], $4::bigint[]) rows (place, tenant_id, customer_id, version)) asked),
         born as (
           insert into customer (tenant_id, customer_id, version)
           select tenant_id, customer_id, 1 from asked where version = 0 order by place
           on conflict (tenant_id, customer_id) do nothing returning tenant_id, customer_id),
         held as (
           select a.* from asked a join customer c on c.tenant_id = a.tenant_id
             and c.customer_id = a.customer_id and c.version = a.version
           where a.version > 0 order by a.place for update of c),
         grown as (
           update customer c set version = c.version + 1 from held h
           where c.tenant_id = h.tenant_id and c.customer_id = h.customer_id returning h.place)
         select place from grown union all
         select a.place from asked a
         join born b on b.tenant_id = a.tenant_id and b.customer_id = a.customer_id";
    is_refused(
        text,
        &[
            "`born` writes about several customers",
            "`grown` writes about several customers",
            "locks rows of several customers",
            "writes `customer` twice",
        ],
    );
}

#[test]
fn what_a_distributed_postgres_runs_passes() {
    passes("select seq from customer where tenant_id = $1 and customer_id = $2 for update");
    passes(
        "select c.customer_id, late.seq from customer c cross join lateral (
           select w.customer_seq as seq from outbox w where w.tenant_id = c.tenant_id
             and w.customer_id = c.customer_id order by w.customer_seq limit $2) late
         where c.tenant_id = $1 and c.customer_id = any($3::text[])",
    );
    passes(
        "select c.contact_id from contact c left join outcome o
           on o.tenant_id = c.tenant_id and o.customer_id = c.customer_id
         where c.tenant_id = any($1::text[]) and c.customer_id = any($2::text[])
           and exists (select 1 from outbox w where w.tenant_id = c.tenant_id
             and w.customer_id = c.customer_id)",
    );
    passes(
        "insert into contact (tenant_id, customer_id, contact_id)
         select tenant_id, customer_id, contact_id from unnest($1::text[], $2::text[], $3::text[])
           rows (tenant_id, customer_id, contact_id) where true
         on conflict (tenant_id, customer_id, contact_id) do update set state = excluded.state
         returning contact_id",
    );
    passes(
        "update customer c set version = r.version + 1
         from unnest($1::text[], $2::text[], $3::bigint[]) r (tenant_id, customer_id, version)
         where c.tenant_id = r.tenant_id and c.customer_id = r.customer_id
           and c.version = r.version returning c.customer_id",
    );
    passes(
        "with grown as (
           update customer set version = version + 1 where tenant_id = $1 and customer_id = $2
           returning version)
         insert into contact (tenant_id, customer_id, contact_id)
         select $1, $2, r.id from grown, unnest($3::text[]) r (id)",
    );
    passes("select reserve($1, $2, $3)");
    passes(&format!(
        "with {ASKED} select r.at_us from asked cross join grant_request r
         where r.tenant_id = $1 and r.customer_id = asked.id"
    ));
}

#[test]
fn each_rule_finds_its_fault() {
    is_refused(
        "select record from outcome where tenant_id = $1",
        &["`outcome` is not bound to `customer_id`"],
    );
    assert_eq!(of("select record from outcome where tenant_id = $1", true), [""; 0]);
    is_refused(
        "select 1 from contact c join outcome o on o.customer_id = c.customer_id
         and o.tenant_id = c.tenant_id where c.tenant_id = $1",
        &["`c` is not bound to `customer_id`", "`o` is not bound to `customer_id`"],
    );
    is_refused(
        "select 1 from contact where tenant_id = $1 and (customer_id = $2 or rank = 1)",
        &["`contact` is not bound to `customer_id`"],
    );
    is_refused(
        "select seq from customer where tenant_id = $1 and customer_id = any($2) for update",
        &["locks rows of several customers"],
    );
    is_refused(
        &format!(
            "with {ASKED} select 1 from asked cross join contact c
             join outcome o on o.tenant_id = c.tenant_id and o.customer_id = c.customer_id
             where c.tenant_id = $1 and c.customer_id = asked.id"
        ),
        &["joins `asked` with several customers' tables"],
    );
    is_refused(
        "insert into contact (tenant_id, contact_id) values ($1, $2)",
        &["`contact` is written without `customer_id`"],
    );
    is_refused(
        "with a as (delete from outbox where tenant_id = $1 and customer_id = $2)
         insert into outbox (tenant_id, customer_id) values ($1, $2)",
        &["writes `outbox` twice"],
    );
}

#[test]
fn sql_in_source_is_found_unless_it_is_listed() {
    let source = r#"
        // select "a" from comment
        const QUOTE: char = '"';
        const READ: &str = "select seq from customer \
            where tenant_id = $1";
        fn write(table: &str) -> String {
            format!("insert into {table} (a) select {{rows}} from b")
        }
        const PROSE: &str = "an update is needed";
        #[cfg(test)]
        const TEST: &str = "select a from b";
    "#;
    let found = literal::sql_literals(source);
    assert_eq!(
        found,
        [
            "select seq from customer where tenant_id = $1",
            "insert into {table} (a) select {{rows}} from b"
        ]
    );
    let texts = ["insert into t (a) select x from b on conflict do nothing".to_owned()];
    assert!(is_listed(&found[1], &texts) && !is_listed(&found[0], &texts));
}
