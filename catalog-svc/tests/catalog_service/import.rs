//! Files of records, streamed in.

use futures::{StreamExt as _, stream};
use proffer_proto::catalog::v1::{
    self as proto, FieldType, ImportFormat, import_records_request::Part,
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{
    Catalog, boolean, decimal, faults, integer, on_both, on_sqlite, refusal, schema, text,
};

async fn prepare(catalog: &Catalog) {
    let fields = [
        ("visits", FieldType::Integer),
        ("spent", FieldType::Decimal),
        ("name", FieldType::String),
        ("member", FieldType::Boolean),
    ];
    catalog.create_schema(schema("Customer", &fields)).await.unwrap();
}

fn header(format: ImportFormat, all_or_nothing: bool) -> Part {
    Part::Header(proto::ImportHeader {
        schema: "Customer".to_owned(),
        format: format.into(),
        all_or_nothing,
        separator: 0,
    })
}

async fn send(catalog: &Catalog, parts: Vec<Part>) -> Result<proto::ImportRecordsResponse, Status> {
    let parts = parts.into_iter().map(|part| proto::ImportRecordsRequest { part: Some(part) });
    Ok(catalog
        .records()
        .import_records(stream::iter(parts.collect::<Vec<_>>()))
        .await?
        .into_inner())
}

/// Sends a file in pieces of a few bytes.
async fn import(
    catalog: &Catalog,
    format: ImportFormat,
    all_or_nothing: bool,
    file: &str,
) -> Result<proto::ImportRecordsResponse, Status> {
    let pieces = file.as_bytes().chunks(11).map(|piece| Part::Piece(piece.to_vec()));
    send(catalog, [header(format, all_or_nothing)].into_iter().chain(pieces).collect()).await
}

fn told(answer: &proto::ImportRecordsResponse) -> Vec<String> {
    let told = |fault: &proto::ImportFault| {
        format!(
            "{}@{} {} {}: {}",
            fault.row, fault.line, fault.customer_id, fault.field, fault.message
        )
    };
    answer.faults.iter().map(told).collect()
}

const CSV: &str =
    "customerId,visits,spent,name\nann,3,19.90,\"Ann\nB\"\nbob,many,,Bob\n,1,,\nann,4,,\ncid,,,\n";
const JSON_LINES: &str = "\
    {\"customerId\":\"ann\",\"visits\":3,\"spent\":19.90,\"name\":\"Ann\\nB\"}\n\
    {\"customerId\":\"bob\",\"visits\":\"many\"}\n{\"visits\":1}\n\n\
    {\"customerId\":\"ann\",\"visits\":4}\n{\"customerId\":\"cid\"}";

#[tokio::test(flavor = "multi_thread")]
async fn wrong_rows_are_refused_by_row_and_field_and_the_rest_is_kept() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        let check = async |format, file, lines: [i64; 3], many: &str| {
            let answer = import(&catalog, format, false, file).await.unwrap();
            assert_eq!((answer.accepted, answer.refused), (2, 3));
            let twice = "is in an earlier row already: send one row per customer";
            let expected = [
                format!("2@{} bob visits: must be an integer, not the {many} `many`", lines[0]),
                format!("3@{}  customerId: is required", lines[1]),
                format!("4@{} ann customerId: {twice}", lines[2]),
            ];
            assert_eq!(
                told(&answer),
                expected.map(|line| line.replace("number `many`", "number many"))
            );
            let ann = catalog.get("ann").await.unwrap();
            assert_eq!(ann.fields["visits"], integer(3));
            assert_eq!(ann.fields["spent"], decimal("19.90"));
            assert_eq!(ann.fields["name"], text("Ann\nB"));
            assert_eq!(catalog.get("cid").await.unwrap().fields.len(), 0);
            assert_eq!(crate::support::code(catalog.get("bob").await), Code::NotFound);
        };
        check(ImportFormat::Csv, CSV, [4, 5, 6], "number").await;
        check(ImportFormat::JsonLines, JSON_LINES, [2, 3, 5], "string").await;
        // A row replaces its record whole, as a PUT does.
        assert_eq!(catalog.get("ann").await.unwrap().version, 2);
        let answer = import(&catalog, ImportFormat::Csv, false, "member,customerId\ntrue,ann\n")
            .await
            .unwrap();
        assert_eq!((answer.accepted, answer.refused, answer.faults.len()), (1, 0, 0));
        let ann = catalog.get("ann").await.unwrap();
        assert_eq!((ann.fields.len(), &ann.fields["member"], ann.version), (1, &boolean(true), 3));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_or_nothing_keeps_nothing_when_one_row_is_wrong() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        for (format, file) in [(ImportFormat::Csv, CSV), (ImportFormat::JsonLines, JSON_LINES)] {
            let answer = import(&catalog, format, true, file).await.unwrap();
            assert_eq!((answer.accepted, answer.refused, answer.faults.len()), (0, 5, 3));
            assert_eq!(crate::support::code(catalog.get("ann").await), Code::NotFound);
        }
        let answer = import(&catalog, ImportFormat::Csv, true, "customerId,visits\nann,1\nbob,2\n")
            .await
            .unwrap();
        assert_eq!((answer.accepted, answer.refused), (2, 0));
        assert_eq!(catalog.get("bob").await.unwrap().fields["visits"], integer(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_file_is_taken_in_whole() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        let rows: String = (0..10_001).map(|number| format!("c{number:05},{number}\n")).collect();
        let answer =
            import(&catalog, ImportFormat::Csv, false, &format!("customerId,visits\n{rows}"))
                .await
                .unwrap();
        assert_eq!((answer.accepted, answer.refused), (10_001, 0));
        for number in [0, 1_999, 2_000, 10_000] {
            assert_eq!(
                catalog.get(&format!("c{number:05}")).await.unwrap().fields["visits"],
                integer(number)
            );
        }
        let wrong: String = (0..1_500).map(|number| format!("c{number:05},x\n")).collect();
        let answer =
            import(&catalog, ImportFormat::Csv, false, &format!("customerId,visits\n{wrong}"))
                .await
                .unwrap();
        assert_eq!((answer.accepted, answer.refused, answer.faults.len()), (0, 1_500, 1_000));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_file_as_such_is_told() {
    let catalog = on_sqlite().await;
    prepare(&catalog).await;
    let csv = || header(ImportFormat::Csv, false);
    let piece = |text: &str| Part::Piece(text.as_bytes().to_vec());
    let told = async |parts: Vec<Part>| faults(send(&catalog, parts).await);
    assert_eq!(told(vec![]).await, ["header must come first"]);
    assert_eq!(told(vec![piece("customerId\n")]).await, ["header must come first"]);
    assert_eq!(told(vec![csv(), csv()]).await, ["header must come only once; no row is stored"]);
    assert_eq!(
        told(vec![csv(), piece("customerId,visit\na,1\n")]).await,
        ["file has `visit` in its header line, which is not a field of schema `Customer`; did \
             you mean `visits`?"]
    );
    let separated = |format: ImportFormat, separator| {
        Part::Header(proto::ImportHeader {
            schema: "Customer".to_owned(),
            format: format.into(),
            all_or_nothing: false,
            separator,
        })
    };
    assert_eq!(
        told(vec![separated(ImportFormat::JsonLines, 1)]).await,
        ["header.separator is for CSV only: JSON Lines has no separator"]
    );
    assert_eq!(
        told(vec![separated(ImportFormat::Csv, 9)]).await,
        ["header.separator must be comma, semicolon or tab"]
    );
    let unspecified = proto::ImportHeader { schema: "Customer".to_owned(), ..Default::default() };
    assert_eq!(
        told(vec![Part::Header(unspecified)]).await,
        ["header.format is required: csv or json_lines"]
    );
    let unknown = proto::ImportHeader {
        schema: "Lead".to_owned(),
        format: ImportFormat::Csv.into(),
        all_or_nothing: false,
        separator: 0,
    };
    assert_eq!(refusal(send(&catalog, vec![Part::Header(unknown)]).await).0, Code::NotFound);
    let large = Part::Piece(vec![b'x'; 256 * 1024 + 1]);
    assert_eq!(refusal(send(&catalog, vec![csv(), large]).await).0, Code::InvalidArgument);
    let long = std::iter::repeat_with(|| Part::Piece(vec![b'x'; 256 * 1024])).take(6);
    let parts = [csv(), piece("customerId,name\nann,A\nbob,\"")].into_iter().chain(long).collect();
    let [message] = told(parts).await.try_into().unwrap();
    assert_eq!(
        message,
        "file has more than 1048576 bytes in the row that begins on line 3: the quote opened on \
         line 3 is not closed; no row is stored"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_quote_stores_no_row_of_another_customer() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        let file = "customerId,name,spent\nhans,\"home,1\nida,\"apparel,2\njan,home,3\n";
        let answer = import(&catalog, ImportFormat::Csv, false, file).await.unwrap();
        assert_eq!((answer.accepted, answer.refused), (1, 2));
        let lines: Vec<_> =
            answer.faults.iter().map(|fault| (fault.line, fault.customer_id.as_str())).collect();
        assert_eq!(lines, [(2, "hans"), (3, "ida")]);
        for missing in ["hans", "ida"] {
            assert_eq!(crate::support::code(catalog.get(missing).await), Code::NotFound);
        }
        assert_eq!(catalog.get("jan").await.unwrap().fields["spent"], decimal("3"));
        let open = "customerId,name\nkai,\"home\nlea,home\nmia,home\n";
        let answer = import(&catalog, ImportFormat::Csv, true, open).await.unwrap();
        assert_eq!((answer.accepted, answer.refused, answer.faults.len()), (0, 3, 3));
        assert_eq!(crate::support::code(catalog.get("lea").await), Code::NotFound);
    })
    .await;
}

/// Sends the rows of a file and then nothing more, without an end.
async fn falls_silent(
    catalog: &Catalog,
    rows: usize,
    extension: Option<serve::Shutdown>,
) -> Status {
    let lines: String = (0..rows).map(|row| format!("c{row},1\n")).collect();
    let file = format!("customerId,visits\n{lines}").into_bytes();
    let pieces: Vec<_> = file.chunks(4_096).map(|piece| Part::Piece(piece.to_vec())).collect();
    let parts = [header(ImportFormat::Csv, false)].into_iter().chain(pieces);
    let parts = parts.map(|part| proto::ImportRecordsRequest { part: Some(part) });
    let parts = stream::iter(parts.collect::<Vec<_>>()).chain(stream::pending());
    let mut request = tonic::Request::new(parts);
    if let Some(shutdown) = extension {
        request.extensions_mut().insert(shutdown);
    }
    catalog.records().import_records(request).await.unwrap_err()
}

async fn kept(catalog: &Catalog) -> usize {
    let (mut count, mut page_token) = (0, String::new());
    loop {
        let asked = proto::ListRecordsRequest {
            schema: "Customer".to_owned(),
            page_size: 1_000,
            page_token,
        };
        let page = catalog.records().list_records(asked).await.unwrap().into_inner();
        count += page.records.len();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return count;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_falls_silent_ends_and_says_how_many_rows_are_kept() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        let refused = falls_silent(&catalog, 2_500, None).await;
        assert_eq!(refused.code(), Code::DeadlineExceeded);
        let message = "nothing arrived for 1 s; 2000 rows before it are stored";
        assert_eq!(refused.message(), message);
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.metadata["rows_kept"], "2000");
        assert_eq!(kept(&catalog).await, 2_000);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_says_what_separates_the_cells() {
    let catalog = on_sqlite().await;
    prepare(&catalog).await;
    let check = async |format, file: &str, expected: proto::CsvSeparator| {
        let answer = import(&catalog, format, false, file).await.unwrap();
        assert_eq!((answer.refused, answer.separator()), (0, expected), "{file}");
        assert_eq!(catalog.get("ann").await.unwrap().fields["member"], boolean(true));
    };
    let csv = ImportFormat::Csv;
    check(csv, "customerId,member\nann,true\n", proto::CsvSeparator::Comma).await;
    check(csv, "customerId;member\r\nann;TRUE\r\n", proto::CsvSeparator::Semicolon).await;
    check(csv, "sep=\t\ncustomerId\tmember\nann\tTrue\n", proto::CsvSeparator::Tab).await;
    let line = "{\"customerId\":\"ann\",\"member\":true}";
    check(ImportFormat::JsonLines, line, proto::CsvSeparator::Unspecified).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_the_end_of_the_process_cuts_says_how_many_rows_are_kept() {
    let catalog = on_sqlite().await;
    prepare(&catalog).await;
    let shutdown = serve::Shutdown::new();
    shutdown.cancel();
    let refused = falls_silent(&catalog, 50_000, Some(shutdown)).await;
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().starts_with("the server is stopping; "), "{refused}");
    let told: usize =
        refused.get_details_error_info().unwrap().metadata["rows_kept"].parse().unwrap();
    assert!(told < 50_000);
    assert_eq!(kept(&catalog).await, told);
}
