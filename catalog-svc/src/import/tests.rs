//! Files in both formats, read in pieces of every size.

use super::*;
use crate::domain::schema::FieldType;

fn schema() -> Schema {
    let fields = [
        ("name", FieldType::String),
        ("visits", FieldType::Integer),
        ("spent", FieldType::Decimal),
        ("member", FieldType::Boolean),
        ("born", FieldType::Date),
        ("seen", FieldType::Timestamp),
    ];
    let fields = fields.map(|(name, of_type)| (name.to_owned(), of_type));
    Schema { id: "schema_customer".into(), name: "Customer".into(), fields: fields.into() }
}

/// Rows as `number@line customer field=value …` or their faults; a file in pieces of every size
/// reads the same.
fn check(format: Format, file: &str, expected: &[&str]) {
    for size in [1, 2, 7, file.len().max(1)] {
        let chunks: Vec<Vec<u8>> = file.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
        let mut told = Vec::new();
        let ended = read(format, &schema(), Incoming::of(chunks), &mut |row| {
            let read = match row.read {
                Ok(changes) => changes
                    .into_iter()
                    .map(|(name, value)| format!(" {name}={value:?}"))
                    .collect::<String>(),
                Err(faults) => {
                    faults.into_iter().map(|(field, text)| format!(" !{field}: {text}")).collect()
                }
            };
            told.push(format!("{}@{} {}{read}", row.number, row.line, row.customer_id));
            true
        });
        if let Err(error) = ended {
            told.push(error.to_string());
        }
        assert_eq!(told, expected, "{file:?} in pieces of {size}");
    }
}

#[test]
fn a_csv_cell_is_read_by_its_fields_type_and_an_empty_one_is_nothing() {
    check(
        Format::Csv(None),
        "\u{feff}customerId,name,visits,spent,member,born,seen\r\n\
         a,\"Ann, \"\"A\"\"\",3,19.90,true,2026-07-03,2026-07-03T12:00:00+02:00\r\n\
         b,,,,,,\r\n\r\nc,,,,,,",
        &[
            "1@2 a born=Some(Date(2026-07-03)) member=Some(Boolean(true)) name=Some(Text(\"Ann, \
             \\\"A\\\"\")) seen=Some(Timestamp(2026-07-03T10:00:00Z)) \
             spent=Some(Decimal(\"19.90\")) visits=Some(Integer(3))",
            "2@3 b born=None member=None name=None seen=None spent=None visits=None",
            "3@5 c born=None member=None name=None seen=None spent=None visits=None",
        ],
    );
}

#[test]
fn a_csv_row_is_refused_by_field_and_the_others_are_read() {
    check(
        Format::Csv(None),
        "visits,customerId,member\n1.5,a,yes\n2,b,false\n3,\"two\nlines\",true\n,,\n4,e\n\
         5,f,true,6\n6,g,true",
        &[
            "1@2 a !visits: must be an integer, not the number 1.5 !member: must be true or \
             false, not the string `yes`",
            "2@3 b member=Some(Boolean(false)) visits=Some(Integer(2))",
            "3@4 two\nlines !customerId: must not contain control characters",
            "4@6  !customerId: is required",
            "5@7 e !: has 2 cells; the header line has 3",
            "6@8 f !: has 4 cells; the header line has 3",
            "7@9 g member=Some(Boolean(true)) visits=Some(Integer(6))",
        ],
    );
}

#[test]
fn a_header_line_that_does_not_fit_refuses_the_file() {
    let told = |file: &str, expected: &str| check(Format::Csv(None), file, &[expected]);
    told("", "is empty: the first line must name the fields, `customerId` among them");
    told("name,visits\n", "has no `customerId` in its header line");
    told(
        "customerId,visit,name,name\n",
        "has `visit` in its header line, which is not a field of schema `Customer`; did you mean \
         `visits`?; has `name` twice in its header line",
    );
    told("customerId,\"name\n", "has a header line whose quotes do not fit");
}

#[test]
fn a_json_line_is_an_object_with_exact_numbers() {
    check(
        Format::JsonLines,
        "{\"customerId\":\"a\",\"name\":\"\\u00e4\",\"visits\":3,\"spent\":0.1000,\
         \"member\":true}\n\n\
         {\"spent\":\"12345678901234567890.1234\",\"customerId\":\"b\",\"born\":null}",
        &[
            "1@1 a member=Some(Boolean(true)) name=Some(Text(\"ä\")) \
             spent=Some(Decimal(\"0.1000\")) visits=Some(Integer(3))",
            "2@3 b born=None spent=Some(Decimal(\"12345678901234567890.1234\"))",
        ],
    );
}

#[test]
fn a_json_line_is_refused_by_field_and_the_others_are_read() {
    check(
        Format::JsonLines,
        "{\"customerId\":\"a\",\"visits\":\"3\",\"colour\":[1]}\n[1]\n{\"customerId\":7}\n\
         {\"customerId\":\"d\"\n\
         {\"customerId\":\"e\",\"name\":\"x\",\"name\":\"y\"}\n\
         {\"customerId\":\"f\",\"name\":{}}\n{\"customerId\":\"g\"}\n",
        &[
            "1@1 a !visits: must be an integer, not the string `3` !colour: is not a field of \
             schema `Customer`; known are born, member, name, seen, spent, visits",
            "2@2  !: is not a JSON object: invalid type: sequence, expected an object at \
             column 0",
            "3@3  !customerId: must be a string",
            "4@4  !: is not a JSON object: EOF while parsing an object at column 17",
            "5@5 e !name: is given twice",
            "6@6 f !name: must be a string, not a list",
            "7@7 g",
        ],
    );
}

#[test]
fn a_row_too_long_to_be_a_record_ends_the_file() {
    for (format, head) in [(Format::Csv(None), "customerId,name\n"), (Format::JsonLines, "")] {
        let row = |size: usize| match format {
            Format::Csv(_) => format!("a,\"{}\n", "x".repeat(size)),
            Format::JsonLines => {
                format!("{{\"customerId\":\"a\",\"name\":\"{}", "x".repeat(size))
            }
        };
        let file = format!("{head}{}", row(2 * ROW_BYTES_MAX + 100_000));
        let chunks = file.as_bytes().chunks(65_536).map(<[u8]>::to_vec).collect();
        let ended = read(format, &schema(), Incoming::of(chunks), &mut |_| true);
        let Err(FileError::Row { line, quote }) = ended else { panic!("{format:?} {ended:?}") };
        let expected = if format == Format::JsonLines { (1, None) } else { (2, Some(2)) };
        assert_eq!((line, quote), expected, "{format:?}");
    }
}

/// What RFC 4180 forbids: each line concerned is refused, and no other.
#[test]
fn a_malformed_quote_refuses_its_own_lines_and_mixes_no_customers() {
    let csv = |rows: &str, expected: &[&str]| {
        check(Format::Csv(None), &format!("customerId,name\n{rows}"), expected);
    };
    let jan = "home";
    let kept =
        |row: u64, line: u64, id: &str| format!("{row}@{line} {id} name=Some(Text({jan:?}))");
    csv(
        "hans,\"home\nida,\"apparel\njan,home\n",
        &[
            "1@2 hans !: the quote opened on line 2 is not closed",
            "2@3 ida !: has text after the closing quote of the cell opened on line 2; write a \
             quote within a cell twice",
            &kept(3, 4, "jan"),
        ],
    );
    csv(
        "jan,home\nkai,\"home\n\nlea,home\nmia,home",
        &[
            &kept(1, 2, "jan"),
            "2@3 kai !: the quote opened on line 3 is not closed",
            "3@5 lea !: is within the quote opened on line 3, which is not closed",
            "4@6 mia !: is within the quote opened on line 3, which is not closed",
        ],
    );
    let after = "has text after the closing quote of the cell; write a quote within a cell twice";
    csv(
        "m7,\"say \"hi\" now\"\njan,home\nm8,\"a\" \nm9,\"a\"\rb\n",
        &[
            &format!("1@2 m7 !: {after}"),
            &kept(2, 3, "jan"),
            &format!("3@4 m8 !: {after}"),
            &format!("4@5 m9 !: {after}"),
        ],
    );
    let within = "has a quote within a cell that does not begin with one; put the whole cell in \
                  quotes, and write each quote within it twice";
    csv(
        "n1,5\" pipe\nn2, \"a\"\njan,home\n\"n3\nx\",a\"\n",
        &[
            &format!("1@2 n1 !: {within}"),
            &format!("2@3 n2 !: {within}"),
            &kept(3, 4, "jan"),
            "4@5  !: is part of a row that cannot be read: see line 6",
            &format!("5@6 x !: {within}"),
        ],
    );
    csv(
        "o1,a\rb\njan,home\r\n",
        &[
            "1@2 o1 !: has a carriage return within a cell; put the cell in quotes, and end lines \
             with LF or CRLF",
            &kept(2, 3, "jan"),
        ],
    );
}

/// Quotes, separators and line ends within quotes are text.
#[test]
fn what_rfc_4180_allows_is_read_to_the_letter() {
    check(
        Format::Csv(None),
        "\"customerId\",\"name\"\r\n\"a\",\"x\r\ny\"\r\nb,\"\"\"\"\nc,\"\"\nd,\",\"\ne,\"\n\"",
        &[
            "1@2 a name=Some(Text(\"x\\r\\ny\"))",
            "2@4 b name=Some(Text(\"\\\"\"))",
            "3@5 c name=None",
            "4@6 d name=Some(Text(\",\"))",
            "5@7 e name=Some(Text(\"\\n\"))",
        ],
    );
}

#[test]
fn a_fault_names_its_line_also_after_blank_lines() {
    let wrong = "must be an integer, not the number abc";
    let check = |file: &str, row: u64, line: u64| {
        check(Format::Csv(None), file, &[&format!("{row}@{line} x !visits: {wrong}")]);
    };
    check("customerId,visits\n\n\nx,abc\n", 1, 4);
    check("\n\ncustomerId,visits\n\nx,abc\n", 1, 5);
    check("customerId,visits\r\n\r\n\r\nx,abc\r\n", 1, 4);
    check("\u{feff}\ncustomerId,visits\nx,abc\n", 1, 3);
}

#[test]
fn booleans_of_csv_may_be_written_in_any_case() {
    check(
        Format::Csv(None),
        "customerId,member\na,TRUE\nb,False\nc,yes\nd,1\n",
        &[
            "1@2 a member=Some(Boolean(true))",
            "2@3 b member=Some(Boolean(false))",
            "3@4 c !member: must be true or false, not the string `yes`",
            "4@5 d !member: must be true or false, not the string `1`",
        ],
    );
}

/// The separator that a reader finds, or why it does not.
fn separator(declared: Option<Separator>, file: &str) -> String {
    let pieces = vec![file.as_bytes().to_vec()];
    match read(Format::Csv(declared), &schema(), Incoming::of(pieces), &mut |row| {
        assert!(row.read.is_ok(), "{file:?} {row:?}");
        true
    }) {
        Ok(found) => format!("{:?}", found.unwrap()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_separator_is_declared_or_seen_from_the_header_line() {
    let check = |declared: Option<Separator>, file: &str, expected: &str| {
        assert_eq!(separator(declared, file), expected, "{declared:?} {file:?}");
    };
    check(None, "customerId,name\na,x;y\n", "Comma");
    check(None, "customerId;name\na;\"x;y,z\"\n", "Semicolon");
    check(None, "customerId\tname\r\na\tx;y\r\n", "Tab");
    check(None, "customerId\na;b\n", "Comma");
    check(None, "sep=;\ncustomerId;name\na;b\n", "Semicolon");
    check(None, "SEP=\t\r\ncustomerId\tname\r\n", "Tab");
    check(Some(Separator::Tab), "customerId\tname\na\tb\n", "Tab");
    check(
        Some(Separator::Comma),
        "customerId;name\n",
        "has `customerId;name` in its header line, which is not a field of schema `Customer`; did \
         you mean `customerId`?; has no `customerId` in its header line",
    );
    check(
        None,
        "customerId;colour\n",
        "has `colour` in its header line, which is not a field of schema `Customer`; known are \
         customerId, born, member, name, seen, spent, visits; is read with `;` as its separator; \
         `separator` declares it",
    );
    check(
        Some(Separator::Tab),
        "sep=;\ncustomerId;name\n",
        "says `sep=`, but a tab was declared as its separator",
    );
    check(None, "sep=|\ncustomerId|name\n", "says `sep=`, which takes `,`, `;` or a tab");
}

/// What a file in bytes is refused for.
fn refusal(format: Format, bytes: &[u8]) -> String {
    let ended = read(format, &schema(), Incoming::of(vec![bytes.to_vec()]), &mut |_| true);
    ended.unwrap_err().to_string()
}

#[test]
fn a_file_that_is_not_utf_8_or_has_no_line_ends_is_refused_with_that_reason() {
    let utf_16 = |mark: &[u8], text: &str| {
        mark.iter().copied().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    };
    let no_ends = "has no line ends: end each line with LF or CRLF; `curl -d` removes them, \
                   `--data-binary` does not";
    let json = "{\"customerId\":\"a\"}";
    for (format, text) in [
        (Format::Csv(None), "customerId,name\na,b\n"),
        (Format::JsonLines, "{\"customerId\":\"a\"}\n"),
    ] {
        for mark in [&b"\xff\xfe"[..], b""] {
            let file: Vec<u8> = utf_16(mark, text);
            let expected = "is not UTF-8, it seems to be UTF-16: save it as UTF-8";
            assert_eq!(refusal(format, &file), expected, "{format:?} {mark:?}");
        }
        let returns = format!("{text}{text}").replace('\n', "\r");
        let expected = "has carriage returns without line feeds: end each line with LF or CRLF";
        assert_eq!(refusal(format, returns.as_bytes()), expected, "{format:?}");
    }
    let long = "customerId,name\ra,b\r".repeat(2 * ROW_BYTES_MAX / 20);
    let expected = "has carriage returns without line feeds: end each line with LF or CRLF";
    assert_eq!(refusal(Format::Csv(None), long.as_bytes()), expected);
    assert_eq!(
        refusal(Format::Csv(None), b"customerId,gr\xf6\xdfe\na,b\n"),
        "is not UTF-8 at byte 14: save it as UTF-8"
    );
    // As `curl -d @file` sends it.
    assert_eq!(refusal(Format::JsonLines, format!("{json}{json}").as_bytes()), no_ends);
    let glued = refusal(Format::Csv(None), b"customerId,nameann,3bob,4");
    assert!(glued.ends_with(no_ends), "{glued}");
}

/// A header of a megabyte took 45 s, a line of as many keys 10 s.
#[test]
fn the_time_of_a_file_grows_with_its_bytes() {
    let read_all = |format: Format, file: &Vec<u8>| {
        let chunks = file.chunks(64 * 1024).map(<[u8]>::to_vec).collect();
        drop(read(format, &schema(), Incoming::of(chunks), &mut |_| true));
    };
    type File = fn(usize) -> String;
    let columns: File = |count| {
        let names: Vec<_> = (0..count).map(|n| format!("c{n:x}")).collect();
        format!("customerId,{}\n", names.join(","))
    };
    let repeats: File = |count| format!("customerId{}\n", ",name".repeat(count));
    let rows: File = |count| format!("customerId,name\n{}", "a,b\n".repeat(count));
    let cells: File = |count| format!("customerId,name\na{}\n", ",b".repeat(count));
    let quotes: File = |count| format!("customerId,name\na,\"{}\"\n", "\"\"".repeat(count));
    let lines: File = |count| format!("customerId,name\na,\"{}\"\n", "\n".repeat(count));
    let unclosed: File = |count| format!("customerId,name\n{}", "a,\"b\n".repeat(count));
    let blank: File = |count| format!("customerId,name\n{}", "\n".repeat(count));
    for (what, file) in [
        ("columns", columns),
        ("repeated columns", repeats),
        ("rows", rows),
        ("cells", cells),
        ("quotes", quotes),
        ("lines in quotes", lines),
        ("quotes that are not closed", unclosed),
        ("blank lines", blank),
    ] {
        let file = |count| file(count).into_bytes();
        let read = |file: &Vec<u8>| read_all(Format::Csv(None), file);
        testkit::assert_linear(what, (1_000, 1 << 17), file, read);
    }
    let keys: File = |count| {
        let keys: Vec<_> = (0..count).map(|n| format!("\"k{n:x}\":1")).collect();
        format!("{{{}}}\n", keys.join(","))
    };
    let same: File = |count| format!("{{{}\"name\":1}}\n", "\"name\":1,".repeat(count));
    let objects: File = |count| "{\"customerId\":\"a\"}\n".repeat(count);
    let nested: File = |count| format!("{{\"name\":{}1", "[".repeat(count));
    let escapes: File = |count| format!("{{\"name\":\"{}\"}}\n", "\\u0041".repeat(count));
    for (what, file) in [
        ("keys", keys),
        ("repeated keys", same),
        ("objects", objects),
        ("nested lists", nested),
        ("escapes", escapes),
    ] {
        let file = |count| file(count).into_bytes();
        let read = |file: &Vec<u8>| read_all(Format::JsonLines, file);
        testkit::assert_linear(what, (1_000, 1 << 17), file, read);
    }
}
