//! What a call answered, the same for every door.

use serde_json::Value;

/// The answer to one call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status, or the one that belongs to the gRPC code.
    pub status: u16,
    /// The body as REST shows it; null when there is none.
    pub body: Value,
    /// What is wrong, when the call failed.
    pub error: Option<Fault>,
}

/// An error as a caller sees it. A door that cannot show a part leaves it out.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    /// `INVALID_ARGUMENT` and so on.
    pub code: String,
    /// The text for people.
    pub message: String,
    /// The reason of `google.rpc.ErrorInfo`.
    pub reason: Option<String>,
    /// Paths of wrong fields, as REST writes them.
    pub fields: Option<Vec<String>>,
}

impl Fault {
    /// Reads REST's error envelope; none when `body` is no error.
    pub fn in_json(body: &Value) -> Option<Self> {
        let error = body.get("error").filter(|error| error.is_object())?;
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        let details = error["details"].as_array().cloned().unwrap_or_default();
        let reason = details.iter().find_map(|detail| detail["reason"].as_str().map(str::to_owned));
        let violations = details.iter().filter_map(|detail| detail["fieldViolations"].as_array());
        let fields =
            violations.flatten().filter_map(|one| one["field"].as_str().map(str::to_owned));
        let fields = Some(fields.collect());
        Some(Self { code: text("code"), message: text("message"), reason, fields })
    }
}
