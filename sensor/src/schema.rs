//! `sensor schema`: the JSON Schema of what `--output json` prints. Its enumerations are the engine's tables.

mod incident;
mod names;

use std::io::{self, BufWriter, Write};

use sensor_common::{
    detect::{Confidence, Evidence, RstClass, Severity},
    event::Hook,
    kind::Kind,
    record::Ending,
};
use serde_json::{Map, Value, json};

use crate::{
    catalogue::numbers::{self, Number, Part},
    failure::Failure,
    report::{
        Mark, Word,
        json::{FLAGS, SCHEMA, hook, part},
    },
};

/// Prints it.
///
/// # Errors
///
/// The output cannot be written.
pub fn run() -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, &schema()).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// The schema of one object, which is one line. Objects of the same version may have more fields.
pub fn schema() -> Value {
    let mut schema = object(
        "A finding: one line of `sensor attach --output json` or `sensor replay --output json`.",
        &[
            ("schema", json!({ "const": SCHEMA, "description": "Version of the objects." })),
            ("time", json!({ "type": "string", "format": "date-time", "description": "UTC." })),
            ("kind", one_of("What was found: `sensor explain` lists them.", Kind::ALL.iter().map(|kind| kind.id()))),
            ("severity", one_of("How much to care.", Severity::ALL.map(Severity::name))),
            (
                "confidence",
                one_of("That the segment is not the peer's.", numbered(Confidence::from_u8).map(Confidence::name)),
            ),
            ("score", json!({ "type": "number", "multipleOf": 0.5, "description": "Points." })),
            ("evidence", list(one_of("Speaks against the segment.", evidence(false)))),
            ("against", list(one_of("Speaks for the segment.", evidence(true)))),
            ("src_addr", address("Whom the segment claims to come from.")),
            ("src_port", integer("Its port.", 16)),
            ("dst_addr", address("Whom it is addressed to.")),
            ("dst_port", integer("Its port.", 16)),
            (
                "flow_id",
                json!({ "type": "string", "pattern": "^[0-9a-f]{16}$", "description": "The connection within this run." }),
            ),
            ("community_id", community_id()),
            ("interface", or_null(json!({ "type": "string", "description": "Where it was seen." }))),
            (
                "stack",
                or_null(one_of(
                    "Of a reset that left: whose TCP stack sent it, as the kernel says: this host's, another of this machine, none.",
                    Word::IDS,
                )),
            ),
            ("stack_reason", or_null(json!({ "type": "string", "description": "Why, as the kernel names it." }))),
            ("hook", one_of("In which direction.", numbered(Hook::from_u8).map(hook))),
            ("frame", or_null(integer("Number in a capture.", 64))),
            ("vlan", list(integer("VLAN id, the outer one first.", 12))),
            (
                "rst_class",
                or_null(one_of("A reset's anatomy.", numbered(RstClass::from_u8).map(|class| class.kind().id()))),
            ),
            ("flags", flags()),
            ("ttl", integer("As it arrived.", 8)),
            ("expected_ttl", or_null(integer("The side's own.", 8))),
            ("hops", integer("Counted from the usual initial TTLs.", 8)),
            ("expected_hops", or_null(integer("The side's own.", 8))),
            ("window", integer("Raw.", 16)),
            ("seq", integer("Sequence number.", 32)),
            ("ack", integer("Acknowledgment field.", 32)),
            ("len", integer("Bytes of payload.", 16)),
            ("ipid", integer("IP-ID; for IPv6 a digest of the flow label.", 16)),
            ("delay_us", or_null(integer("Microseconds since the trigger, or the contradicted reset.", 64))),
            ("min_rtt_us", or_null(integer("Least round trip to the claimed sender, in microseconds.", 64))),
            ("age_us", integer("Of the connection, in microseconds.", 64)),
            ("idle_us", or_null(integer("Of the connection, in microseconds.", 64))),
            ("detail", detail()),
            ("held_back", integer("Findings of this connection held back since the last one told.", 32)),
            (
                "service",
                object(
                    "Counts of the server's address and port.",
                    &[
                        ("established", integer("Connections.", 64)),
                        ("flagged", integer("Connections with a finding.", 64)),
                        ("rst", integer("Resets.", 64)),
                    ],
                ),
            ),
            (
                "roles",
                object(
                    "Who is who, as address and port.",
                    &[
                        ("client", or_null(json!({ "type": "string" }))),
                        ("server", or_null(json!({ "type": "string" }))),
                        ("local", or_null(json!({ "type": "string" }))),
                    ],
                ),
            ),
            ("recorder", list(recorded())),
            ("kubernetes", names::ends("src", "dst")),
        ],
    );
    if let Value::Object(fields) = &mut schema {
        fields.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        fields.insert("allOf".to_owned(), numbered_kinds().into());
        fields.insert("$defs".to_owned(), json!({ "flow": flow(), "incident": incident::schema() }));
        fields.insert("title".to_owned(), json!("sensor finding"));
    }
    schema
}

/// The record of a connection, below `$defs`: such lines have the type `flow`, and findings have none.
fn flow() -> Value {
    let side = |text: &str| {
        object(
            text,
            &[
                ("segments", integer("Resets included.", 32)),
                ("data_segments", integer("With payload, saturating.", 16)),
                ("bytes", integer("Payload by its sequence numbers, modulo 2^32.", 32)),
                ("repeated", integer("Segments repeated, saturating.", 16)),
                ("rtt_us", or_null(integer("Least round trip between the sensor and that side, in microseconds.", 64))),
            ],
        )
    };
    let time = |text: &str| json!({ "type": "string", "format": "date-time", "description": text });
    let ended = [Ending::Fin, Ending::Rst, Ending::Silence, Ending::Eviction, Ending::CaptureEnd].map(Ending::id);
    object(
        "A connection: one line of `--records`, or of `sensor flows`, with `--output json`.",
        &[
            ("schema", json!({ "const": SCHEMA, "description": "Version of the objects." })),
            ("type", json!({ "const": "flow", "description": "A finding has none." })),
            ("time", time("Last segment, UTC.")),
            ("start", time("First segment, UTC, to a millisecond.")),
            ("ended", or_null(one_of("Why; null while it lives.", ended))),
            ("client_addr", address("Who asked; a guess where the SYN was not seen.")),
            ("client_port", integer("Its port.", 16)),
            ("server_addr", address("Who was asked.")),
            ("server_port", integer("Its port.", 16)),
            ("roles_known", json!({ "type": "boolean", "description": "Whether the SYN was seen." })),
            ("local", or_null(json!({ "type": "string", "description": "The end that is this host." }))),
            ("interface", or_null(json!({ "type": "string", "description": "Where it was seen." }))),
            ("vlan", list(integer("VLAN id, the outer one first.", 12))),
            ("duration_us", integer("From the first segment to the last, in microseconds.", 64)),
            ("conn_state", json!({ "type": "string", "description": "As Zeek tells it." })),
            ("history", json!({ "type": "string", "description": "As Zeek tells it." })),
            ("completeness", integer("As Wireshark tells it.", 6)),
            ("client", side("What the client sent.")),
            ("server", side("What the server sent.")),
            (
                "findings",
                object(
                    "At least so many.",
                    &[("mild", integer("Below warn.", 8)), ("severe", integer("From warn up.", 8))],
                ),
            ),
            ("community_id", community_id()),
            ("kubernetes", names::ends("client", "server")),
        ],
    )
}

/// The numbers beside a finding: which there are goes by its kind, see [`numbered_kinds`].
fn detail() -> Value {
    let field = |number: &Number| {
        let least = if number.part == Part::Signed { i64::from(i32::MIN) } else { 0 };
        let field =
            json!({ "type": "integer", "minimum": least, "description": format!("{}.", sentence(number.meaning)) });
        (number.name.to_owned(), field)
    };
    let properties: Map<String, Value> = numbers::ALL.iter().map(field).collect();
    json!({ "type": "object", "description": "Numbers of its kind.", "properties": properties })
}

/// Which numbers each kind has.
fn numbered_kinds() -> Vec<Value> {
    let kinds = Kind::ALL.iter().map(|kind| (kind.id(), numbers::numbers(*kind)));
    let rule = |(id, numbers): (&str, &[Number])| {
        let names: Vec<&str> = numbers.iter().map(|number| number.name).collect();
        json!({
            "if": { "properties": { "kind": { "const": id } } },
            "then": { "properties": { "detail": { "required": names } } },
        })
    };
    kinds.filter(|(_, numbers)| !numbers.is_empty()).map(rule).collect()
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn recorded() -> Value {
    let parts = [Mark::Trigger, Mark::Suspect, Mark::Proof].into_iter().filter_map(part);
    object(
        "One of the last segments of both sides, oldest first.",
        &[
            (
                "offset_us",
                or_null(json!({ "type": "integer", "description": "Microseconds after the event's own segment." })),
            ),
            ("from", one_of("Who sent it: of the event's source and destination.", ["src", "dst"])),
            ("flags", flags()),
            ("ttl", integer("As it arrived.", 8)),
            ("window", integer("Raw.", 16)),
            ("seq", integer("Sequence number.", 32)),
            ("ack", integer("Acknowledgment field.", 32)),
            ("len", integer("Bytes of payload.", 16)),
            ("ipid", integer("IP-ID.", 16)),
            ("part", or_null(one_of("In the finding.", parts))),
        ],
    )
}

/// An object that has all these fields.
fn object(description: &str, fields: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())).collect();
    json!({ "type": "object", "description": description, "required": required, "properties": properties })
}

fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn one_of(description: &str, names: impl IntoIterator<Item = &'static str>) -> Value {
    json!({ "enum": names.into_iter().collect::<Vec<_>>(), "description": description })
}

/// A number that is not negative, and has so many bits.
fn integer(description: &str, bits: u32) -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX >> (64 - bits), "description": description })
}

fn address(description: &str) -> Value {
    json!({ "type": "string", "description": description, "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] })
}

fn flags() -> Value {
    let names = FLAGS.map(|(_, name)| name).join("|");
    json!({ "type": "string", "pattern": format!("^(({names})(,({names}))*)?$"), "description": "By name, with commas." })
}

fn community_id() -> Value {
    let text = "The connection as Zeek, Suricata and others name it; place and time are no part of it.";
    or_null(json!({ "type": "string", "pattern": "^1:[A-Za-z0-9+/]{27}=$", "description": text }))
}

fn or_null(field: Value) -> Value {
    json!({ "anyOf": [field, { "type": "null" }] })
}

/// Every value of a numbered type.
fn numbered<T>(from: fn(u8) -> Option<T>) -> impl Iterator<Item = T> {
    (0..=u8::MAX).map_while(from)
}

/// The ids of what speaks for segments, or against them.
fn evidence(against: bool) -> impl Iterator<Item = &'static str> {
    Evidence::ALL.iter().filter(move |(bit, ..)| bit.any(Evidence::AGAINST) == against).map(|(_, id, _)| *id)
}
