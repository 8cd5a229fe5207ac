//! Imports a file of records. A thread parses rows while the next pieces arrive and the last rows
//! are written. Back-pressure slows a caller that sends faster than rows are written.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    io,
    time::Duration,
};

use futures::{Stream, StreamExt as _};
use history::ServiceContext as _;
use proffer_proto::{
    catalog::v1::{self as proto, import_records_request::Part},
    errors::v1::ErrorReason,
};
use serve::{CallBytes, HeldShare, Problem, Shutdown, metadata::ROWS_KEPT};
use tokio::sync::mpsc;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{
    Context, parse,
    status::clipped,
    stored_record::{store_error, whole as whole_record},
};
use crate::{
    domain::{
        Faults,
        name::quoted,
        record::{CUSTOMER_ID, ROW_FAULTS_MAX},
        schema::Schema,
    },
    import::{self, FileError, FileRow, Format, Incoming, ROWS_MAX, Separator},
    store::NewRecord,
    telemetry,
};

/// Longest wait for the next piece of a file. The import as a whole has no time limit.
pub const IDLE_MAX: Duration = Duration::from_secs(30);
/// Bytes of a piece.
pub const PIECE_BYTES_MAX: usize = 256 * 1024;
/// Rows of an import that is taken whole or not at all: they wait in memory for the last one.
pub const WHOLE_ROWS_MAX: usize = 100_000;
/// Bytes of such rows.
pub const WHOLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Faults reported for one import; more are counted.
pub const FAULTS_MAX: usize = 1_000;
/// Bytes of a row that waits, besides its payload: the customer's id and what holds both.
const ROW_BYTES: u64 = 128;
/// Rows written together.
const BATCH_ROWS: usize = 2_000;
/// Bytes written together, not counting the row that passes it.
const BATCH_BYTES: usize = 1024 * 1024;
/// The same where rows wait for the last one: there they are only moved.
const WHOLE_BATCH_BYTES: usize = 128 * 1024;
/// Pieces that wait for the reader, and batches that wait for the writer. An import holds these
/// uncounted, besides one batch that is read and one that is written.
const WAITING_MAX: usize = 1;

/// Rows on their way from the reader to the writer.
#[derive(Default)]
struct Batch {
    records: Vec<NewRecord>,
    bytes: usize,
    refused: u64,
    faults: Vec<proto::ImportFault>,
}

/// What the listener knows of the call.
#[derive(Default)]
pub struct Caller {
    shutdown: Shutdown,
    /// A share in the bytes of the process; none in tests without a listener.
    held: Option<HeldShare>,
}

impl Caller {
    /// What a request carries.
    pub fn of(extensions: &tonic::Extensions) -> Self {
        Self {
            shutdown: extensions.get::<Shutdown>().cloned().unwrap_or_default(),
            held: extensions.get::<CallBytes>().map(CallBytes::beside),
        }
    }
}

/// Takes a file in; says what became of its rows. An error says how many of them are kept.
pub async fn import(
    context: &Context,
    tenant: &str,
    caller: Caller,
    parts: impl Stream<Item = Result<proto::ImportRecordsRequest, Status>> + Send + Unpin,
) -> Result<proto::ImportRecordsResponse, Status> {
    let idle_max = context.import_idle_max;
    let mut parts = Parts { parts, idle_max, shutdown: caller.shutdown };
    let first = parts.next().await.transpose().map_err(|status| with_kept(status, 0))?;
    let header = header(first)?;
    let format = format(&header)?;
    let found: proto::Schema = context.stored().get(tenant, &header.schema).await?;
    let schema = parse::schema(&found);
    let schema_id = schema.id.clone();

    let (pieces, incoming) = mpsc::channel(WAITING_MAX);
    let (batches, read) = mpsc::channel(WAITING_MAX);
    let batch_bytes = if header.all_or_nothing { WHOLE_BATCH_BYTES } else { BATCH_BYTES };
    let incoming = Incoming::new(incoming, context.import_turns.clone());
    let reader = tokio::task::spawn_blocking(move || {
        read_all((format, batch_bytes), &schema, incoming, &batches)
    });
    let answer = proto::ImportRecordsResponse::default();
    let mut writer = Writer { context, tenant, schema_id, answer, held: caller.held };
    let (sent, written) =
        tokio::join!(send(parts, pieces), writer.take(read, header.all_or_nothing));
    let ended = reader.await.map_err(|error| serve::internal(&error))?;
    let kept = writer.answer.accepted;
    let waiting = written.map_err(|status| with_kept(status, kept))?;
    sent.map_err(|status| with_kept(status, kept))?;
    match ended {
        Ok(separator) => writer.answer.set_separator(spoken(separator)),
        Err(error) => return Err(broken_off(error, kept)),
    }
    if writer.answer.refused == 0 {
        writer.write(waiting).await.map_err(|status| with_kept(status, kept))?;
    } else {
        writer.answer.refused += i64::try_from(waiting.len()).unwrap_or(i64::MAX);
    }
    Ok(writer.answer)
}

struct Writer<'a> {
    context: &'a Context,
    tenant: &'a str,
    schema_id: String,
    answer: proto::ImportRecordsResponse,
    /// The share of rows that wait in the bytes of the process.
    held: Option<HeldShare>,
}

impl Writer<'_> {
    /// Writes what was read, as it comes; returns what waits until all is read.
    async fn take(
        &mut self,
        mut read: mpsc::Receiver<Batch>,
        is_whole: bool,
    ) -> Result<Vec<NewRecord>, Status> {
        let mut waiting = Batch::default();
        while let Some(batch) = read.recv().await {
            self.answer.refused += i64::try_from(batch.refused).unwrap_or(i64::MAX);
            telemetry::count_rows("rejected", batch.refused);
            self.answer.faults.extend(batch.faults);
            if !is_whole {
                self.write(batch.records).await?;
                continue;
            }
            waiting.bytes += batch.bytes;
            let rows = batch.records.len() as u64;
            if let Some(held) = &mut self.held {
                held.grow(batch.bytes as u64 + rows * ROW_BYTES).await?;
            }
            waiting.records.extend(batch.records);
            if waiting.records.len() > WHOLE_ROWS_MAX {
                return Err(Problem::limit("rows", waiting.records.len(), WHOLE_ROWS_MAX).into());
            }
            if waiting.bytes > WHOLE_BYTES_MAX {
                return Err(Problem::bytes_limit("rows", waiting.bytes, WHOLE_BYTES_MAX).into());
            }
        }
        Ok(waiting.records)
    }

    async fn write(&mut self, records: Vec<NewRecord>) -> Result<(), Status> {
        if records.is_empty() {
            return Ok(());
        }
        let rows = records.len();
        let count = i64::try_from(rows).unwrap_or(i64::MAX);
        let (context, at) = (self.context, self.context.clock.now());
        context
            .records
            .put_all(self.tenant, &self.schema_id, records, at)
            .await
            .map_err(store_error)?;
        self.answer.accepted += count;
        telemetry::count_rows("accepted", rows as u64);
        Ok(())
    }
}

fn header(first: Option<proto::ImportRecordsRequest>) -> Result<proto::ImportHeader, Status> {
    match first.and_then(|first| first.part) {
        Some(Part::Header(header)) => Ok(header),
        Some(Part::Piece(_)) | None => {
            Err(Problem::invalid_field("header", "must come first").into())
        }
    }
}

fn format(header: &proto::ImportHeader) -> Result<Format, Status> {
    let separator = match proto::CsvSeparator::try_from(header.separator) {
        Ok(proto::CsvSeparator::Unspecified) => None,
        Ok(proto::CsvSeparator::Comma) => Some(Separator::Comma),
        Ok(proto::CsvSeparator::Semicolon) => Some(Separator::Semicolon),
        Ok(proto::CsvSeparator::Tab) => Some(Separator::Tab),
        Err(_) => {
            let message = "must be comma, semicolon or tab";
            return Err(Problem::invalid_field("header.separator", message).into());
        }
    };
    match (header.format(), separator) {
        (proto::ImportFormat::Csv, separator) => Ok(Format::Csv(separator)),
        (proto::ImportFormat::JsonLines, None) => Ok(Format::JsonLines),
        (proto::ImportFormat::JsonLines, Some(_)) => {
            let message = "is for CSV only: JSON Lines has no separator";
            Err(Problem::invalid_field("header.separator", message).into())
        }
        (proto::ImportFormat::Unspecified, _) => {
            Err(Problem::invalid_field("header.format", "is required: csv or json_lines").into())
        }
    }
}

fn spoken(separator: Option<Separator>) -> proto::CsvSeparator {
    match separator {
        None => proto::CsvSeparator::Unspecified,
        Some(Separator::Comma) => proto::CsvSeparator::Comma,
        Some(Separator::Semicolon) => proto::CsvSeparator::Semicolon,
        Some(Separator::Tab) => proto::CsvSeparator::Tab,
    }
}

/// Hands the pieces to the reader as it takes them.
async fn send(
    mut parts: Parts<impl Stream<Item = Result<proto::ImportRecordsRequest, Status>> + Unpin>,
    pieces: mpsc::Sender<io::Result<Vec<u8>>>,
) -> Result<(), Status> {
    while let Some(part) = parts.next().await {
        let piece = match part.map(|part| part.part) {
            Ok(Some(Part::Piece(piece))) if piece.len() > PIECE_BYTES_MAX => {
                Err(Problem::bytes_limit("piece", piece.len(), PIECE_BYTES_MAX).into())
            }
            Ok(Some(Part::Piece(piece))) => Ok(piece),
            Ok(Some(Part::Header(_))) => {
                Err(Problem::invalid_field("header", "must come only once").into())
            }
            Ok(None) => {
                let text = "is missing: the file broke off before its end";
                Err(Problem::invalid_field("part", text).into())
            }
            Err(status) => Err(status),
        };
        match piece {
            // A reader that stopped has said why.
            Ok(piece) => {
                if pieces.send(Ok(piece)).await.is_err() {
                    return Ok(());
                }
            }
            Err(status) => {
                drop(pieces.send(Err(io::ErrorKind::BrokenPipe.into())).await);
                return Err(status);
            }
        }
    }
    Ok(())
}

/// Field of the faults of a file as such.
const FILE: &str = "file";

/// The parts of a file as its caller sends them.
struct Parts<S> {
    parts: S,
    idle_max: Duration,
    shutdown: Shutdown,
}

impl<S: Stream<Item = Result<proto::ImportRecordsRequest, Status>> + Unpin> Parts<S> {
    /// The next part; an error when none arrives in time, or when the process stops. Only the wait
    /// for the caller counts.
    async fn next(&mut self) -> Option<Result<proto::ImportRecordsRequest, Status>> {
        let ended = |code, message| {
            let problem = Problem::new(code, ErrorReason::Unavailable, message);
            Some(Err(problem.retry_after(serve::RETRY_AFTER).into()))
        };
        tokio::select! {
            part = self.parts.next() => part,
            () = tokio::time::sleep(self.idle_max) => {
                let waited = self.idle_max.as_secs_f64();
                ended(Code::DeadlineExceeded, format!("nothing arrived for {waited} s"))
            }
            () = self.shutdown.cancelled() => {
                ended(Code::Unavailable, "the server is stopping".to_owned())
            }
        }
    }
}

/// Why the rest of a file could not be read, and what became of the rows before.
fn broken_off(error: FileError, kept: i64) -> Status {
    match error {
        FileError::File(faults) => {
            let faults = faults.into_iter().map(|fault| (FILE.to_owned(), fault));
            Problem::invalid_fields(faults).into()
        }
        FileError::Row { .. } | FileError::Broken(_) | FileError::Rows => {
            with_kept(Problem::invalid_field(FILE, error.to_string()).into(), kept)
        }
    }
}

/// The error with the number of rows that stay although the import ended early.
fn with_kept(status: Status, kept: i64) -> Status {
    let told = match kept {
        0 => "no row is stored".to_owned(),
        1 => "1 row before it is stored".to_owned(),
        kept => format!("{kept} rows before it are stored"),
    };
    let mut details = status.get_error_details();
    if let Some(info) = details.error_info() {
        let mut metadata = info.metadata.clone();
        metadata.insert(ROWS_KEPT.to_owned(), kept.to_string());
        details.set_error_info(info.reason.clone(), info.domain.clone(), metadata);
    }
    let faults = details.bad_request().map(|bad| bad.field_violations.clone());
    if let Some(mut faults) = faults {
        faults.iter_mut().for_each(|fault| fault.description += &format!("; {told}"));
        details.set_bad_request(faults);
    }
    let message = format!("{}; {told}", status.message());
    Status::with_error_details(status.code(), message, details)
}

/// Reads a file to its end, batch by batch. Returns what separates the cells of CSV.
fn read_all(
    (format, batch_bytes): (Format, usize),
    schema: &Schema,
    incoming: Incoming,
    batches: &mpsc::Sender<Batch>,
) -> Result<Option<Separator>, FileError> {
    let (mut seen, mut batch, mut reported, mut is_too_long) =
        (Seen::default(), Batch::default(), 0, false);
    let separator = import::read(format, schema, incoming, &mut |row| {
        // The caller has gone, or the writer stopped and said why.
        if batches.is_closed() {
            return false;
        }
        if row.number > ROWS_MAX {
            is_too_long = true;
            return false;
        }
        match record(&mut seen, row) {
            Ok(record) => {
                batch.bytes += record.payload.len();
                batch.records.push(record);
            }
            Err(faults) => {
                batch.refused += 1;
                let room = FAULTS_MAX.saturating_sub(reported);
                reported += faults.len().min(room);
                batch.faults.extend(faults.into_iter().take(room));
            }
        }
        let is_full = batch.records.len() >= BATCH_ROWS || batch.bytes >= batch_bytes;
        !is_full || batches.blocking_send(std::mem::take(&mut batch)).is_ok()
    })?;
    drop(batches.blocking_send(batch));
    if is_too_long { Err(FileError::Rows) } else { Ok(separator) }
}

/// The record of a row, or its faults.
fn record(seen: &mut Seen, row: FileRow) -> Result<NewRecord, Vec<proto::ImportFault>> {
    let FileRow { number, line, customer_id, read } = row;
    let whole = |message| vec![(String::new(), message)];
    let made = read.and_then(|changes| whole_record(changes).map_err(whole));
    let made = made.and_then(|payload| match seen.first(&customer_id) {
        true => Ok(payload),
        // Which of two rows was meant is not for us to guess.
        false => Err(vec![(
            CUSTOMER_ID.to_owned(),
            "is in an earlier row already: send one row per customer".to_owned(),
        )]),
    });
    match made {
        Ok(payload) => Ok(NewRecord { customer_id, payload }),
        Err(faults) => Err(faults_of(number, line, &customer_id, faults)),
    }
}

fn faults_of(number: u64, line: u64, customer_id: &str, faults: Faults) -> Vec<proto::ImportFault> {
    let customer_id = match wire::text::id_fault(customer_id) {
        None => customer_id.to_owned(),
        Some(_) => quoted(customer_id),
    };
    let fault = |(field, message): (String, String)| proto::ImportFault {
        row: i64::try_from(number).unwrap_or(i64::MAX),
        line: i64::try_from(line).unwrap_or(i64::MAX),
        customer_id: customer_id.clone(),
        field,
        message: clipped(&message).to_owned(),
    };
    faults.into_iter().take(ROW_FAULTS_MAX).map(fault).collect()
}

/// Customers that had their row, as 128 bits each: a million of them need a few dozen megabytes.
#[derive(Default)]
struct Seen {
    keys: (RandomState, RandomState),
    hashes: HashSet<u128>,
}

impl Seen {
    /// True the first time.
    fn first(&mut self, customer_id: &str) -> bool {
        let (high, low) = (self.keys.0.hash_one(customer_id), self.keys.1.hash_one(customer_id));
        self.hashes.insert(u128::from(high) << 64 | u128::from(low))
    }
}
