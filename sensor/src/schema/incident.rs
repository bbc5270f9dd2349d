//! The schema of an incident, below `$defs`.

use sensor_common::detect::Severity;
use serde_json::{Value, json};

use super::{address, integer, list, names, object, one_of, or_null};
use crate::{
    correlate::{
        Cause, Heading, State,
        aggregate::{Aggregate, Alternative},
    },
    report::SCHEMA,
};

pub(super) fn schema() -> Value {
    let text = |text: &str| json!({ "type": "string", "description": text });
    let time = |text: &str| json!({ "type": "string", "format": "date-time", "description": text });
    object(
        "An incident: what many findings have in common. One line of `--output json` each time that it begins to be more than one \
         connection's, has grown, or is over.",
        &[
            ("schema", json!({ "const": SCHEMA, "description": "Version of the objects." })),
            ("type", json!({ "const": "incident", "description": "A finding has none." })),
            (
                "id",
                json!({ "type": "string", "pattern": "^[0-9a-f]{10}$", "description": "The same as long as it lasts." }),
            ),
            ("state", one_of("Why it is told.", State::ALL.map(State::id))),
            ("severity", one_of("That of the worst finding.", Severity::ALL.map(Severity::name))),
            ("first", time("The first finding, UTC.")),
            ("last", time("The latest, UTC.")),
            ("what", text("What is going on, in a line.")),
            ("about", about()),
            ("connections", integer("Those that are hit; 0 where many connections together are meant.", 64)),
            ("at_least", json!({ "type": "boolean", "description": "Whether there may be more of these." })),
            (
                "findings",
                integer(
                    "All findings; of many connections together what is counted: requests, segments, targets, ports.",
                    64,
                ),
            ),
            (
                "kinds",
                list(object("Findings by kind.", &[("kind", text("Its id.")), ("findings", integer("How many.", 64))])),
            ),
            ("causes", list(reasoned("What may be behind it, the likeliest first."))),
            ("ruled_out", list(reasoned("What is not behind it."))),
            ("also", list(text("What the service's connections do anyway, and what the kernel says."))),
            ("per_minute", list(integer("Findings by the minute, the last 30 minutes up to the latest one.", 32))),
            (
                "heading",
                or_null(one_of("Where that is heading; null while it is young.", Heading::ALL.map(Heading::id))),
            ),
            (
                "services",
                list(object(
                    "A service that is hit.",
                    &[
                        ("server", text("Address and port.")),
                        ("established", integer("Its connections so far.", 64)),
                        ("flagged", integer("Those with a finding.", 64)),
                    ],
                )),
            ),
            ("more_services", integer("Those that are not named.", 64)),
            ("peers", integer("Peers of these services, up to 16.", 64)),
            (
                "examples",
                list(object(
                    "A connection that is hit.",
                    &[
                        ("src", text("In whose name the suspect came.")),
                        ("dst", text("Whom it was addressed to.")),
                        ("reference", text("Its finding, by frame or time.")),
                    ],
                )),
            ),
            ("next", list(text("What to check."))),
            ("kubernetes", list(names::who())),
        ],
    )
}

fn about() -> Value {
    let device = object(
        "Somebody who speaks in others' names.",
        &[
            ("of", json!({ "const": "device" })),
            ("interface", or_null(json!({ "type": "string", "description": "Where its packets are seen." }))),
            ("outgoing", json!({ "type": "boolean", "description": "On the way out." })),
            (
                "hops",
                or_null(integer("Routers between it and the sensor; null if its TTLs fit no device on the way.", 8)),
            ),
            ("initial_ttl", or_null(integer("What its TTLs begin with.", 8))),
        ],
    );
    let service = object(
        "The same thing at one service.",
        &[
            ("of", json!({ "const": "service" })),
            ("server", json!({ "type": "string", "description": "Address and port." })),
            (
                "topic",
                json!({ "type": "string", "description": "`forged`, `cut-off`, a kind of finding, a pattern, or an aggregate." }),
            ),
        ],
    );
    let topic = || ("topic", one_of("What was found.", Aggregate::ALL.iter().map(|aggregate| aggregate.id())));
    let source = object(
        "What a source does.",
        &[("of", json!({ "const": "source" })), ("address", address("Its own.")), topic()],
    );
    let client = object(
        "What happens between a client and a service.",
        &[
            ("of", json!({ "const": "client" })),
            ("address", address("The client's.")),
            ("server", json!({ "type": "string", "description": "Address and port." })),
            topic(),
        ],
    );
    let here = object("All that passes the sensor.", &[("of", json!({ "const": "here" })), topic()]);
    json!({ "description": "Whom or what it is about.", "oneOf": [device, service, source, client, here] })
}

/// Causes of what was found, aggregates, and what those are not.
fn causes() -> impl Iterator<Item = &'static str> {
    let aggregates = Aggregate::ALL.iter().map(|aggregate| aggregate.id());
    let instead = Alternative::ALL.iter().map(|alternative| alternative.id());
    Cause::ALL.map(Cause::id).into_iter().chain(aggregates).chain(instead)
}

fn reasoned(description: &str) -> Value {
    object(
        description,
        &[
            ("cause", one_of("Its id.", causes())),
            ("name", json!({ "type": "string", "description": "In a few words." })),
            ("points", integer("How much speaks for it.", 64)),
            ("reasons", list(json!({ "type": "string", "description": "Why, or why not." }))),
        ],
    )
}
