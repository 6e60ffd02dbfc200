//! The worlds in which a design is tried: what happens there, and what it promises beside.

use std::fs;

use sim_models::explore::change::with_own_designs;
use sim_models::{Draft, Scenario};

use crate::support::{draft, root};

/// A world in which a design is tried.
pub struct Ground {
    pub name: String,
    pub scenario: Scenario,
}

impl Ground {
    fn new(name: &str, draft: &Draft) -> Ground {
        let scenario = draft.load().unwrap_or_else(|error| panic!("{name}: {error}"));
        let scenario = with_own_designs(&scenario).expect("it was loaded");
        Ground { name: name.to_owned(), scenario }
    }

    /// `text` with what `sets` change, and with further promises.
    fn promising(
        name: &str,
        text: &str,
        variant: Option<&str>,
        sets: &[(&str, &str)],
        promises: &[&str],
    ) -> Ground {
        let plain = draft(text, variant, sets);
        let known = plain.run().unwrap_or_else(|error| panic!("{name}: {error}")).invariants.len();
        let add = |draft: Draft, (n, promise): (usize, &&str)| {
            draft.set(format!("invariants[{}]", known + n), promise)
        };
        Ground::new(name, &promises.iter().enumerate().fold(plain, add))
    }
}

const NO_FAULT: (&str, &str) = ("faults", "[]");

/// Those in which `safe` sits the exam, for each of its steps one.
pub fn of_safe() -> Vec<Ground> {
    let text = fs::read_to_string(root().join("scenarios/exam.ron")).expect("the exam");
    let world = |name, variant, sets: &[_], promises: &[&str]| {
        let lock = r#"LockDiscipline("redis", locks: "*:lease")"#;
        let promises: Vec<&str> = [lock].into_iter().chain(promises.iter().copied()).collect();
        Ground::promising(name, &text, variant, sets, &promises)
    };
    let quick = r#"Threshold("latency_max(customer) < 10s")"#;
    let twice = Some("FM-10 overtaking");
    let other_body = Some("FM-27 other body under the same key");
    let stall = Some("FM-13 stall before the charge");
    let unavailable = Some("FM-34 provider unavailable");
    let params = |value| ("actors.api.endpoints.pay[1].params", value);
    let completer = params(r#"{"takeover": "completer"}"#);
    let once = ("policies.sdk", r#"[Timeout("10s")]"#);
    let keep = ("actors.psp.endpoints.charge[1].keep", r#""45s""#);
    let apart = ("actors.customer.apart", r#""1m""#);
    vec![
        world("one payment", None, &[], &[]),
        world(
            "two payments without a key",
            None,
            &[
                ("actors.customer.load", "Burst(count: 2)"),
                ("actors.customer.does[0].key", "None"),
                ("actors.customer.body", r#"{"amount": 200}"#),
            ],
            &[],
        ),
        world("two tenants with one key", Some("FM-29 two tenants with one key"), &[], &[]),
        world("another body under the key", other_body, &[], &[]),
        world(
            "another body, the first one overtaken",
            other_body,
            &[("faults", r#"[After("api.pay/looked", for: "5s", Stall)]"#)],
            &[],
        ),
        world(
            "another body, and the first customer leaves as the API dies after the charge",
            other_body,
            &[(
                "faults",
                r#"[
                    After("api.pay/charged", User("customer", Leave)),
                    After("api.pay/charged", for: "1s", Crash("api")),
                ]"#,
            )],
            &[],
        ),
        world(
            "a double click, a slow provider",
            twice,
            &[NO_FAULT, ("actors.psp.endpoints.charge[0]", r#"Work(Const("2s"))"#)],
            &[],
        ),
        world(
            "a click a minute later, when the provider forgot",
            twice,
            &[NO_FAULT, apart, keep],
            &[],
        ),
        world(
            "the same, the first one overtaken",
            twice,
            &[("faults", r#"[After("api.pay/looked", for: "2m", Stall)]"#), apart, keep],
            &[],
        ),
        world("the provider is unavailable", unavailable, &[], &[quick]),
        world("a stall before the charge", stall, &[], &[]),
        world(
            "a stall, with fencing",
            stall,
            &[params(r#"{"fencing": true}"#)],
            &[r#"FencingMonotone("charge")"#],
        ),
        world("a completer, and a customer who asks once", None, &[completer, once], &[]),
        world("a completer, and a declined card", Some("CT declined card"), &[completer], &[]),
        // The first attempt comes through late, the second one is told that it does.
        world(
            "a completer, and a provider that is asked twice and says 409 at last",
            None,
            &[
                completer,
                once,
                ("policies.provider", r#"[Retry(attempts: 2), Timeout("1s")]"#),
                (
                    "faults",
                    r#"[
                        At("0s", for: "500ms", Slow("psp", factor: 20)),
                        At("500ms", for: "10s", Errors("psp", status: 409)),
                    ]"#,
                ),
            ],
            &[],
        ),
        // Whoever takes over is refused, and the customer gives up.
        world(
            "a completer, a crash after the charge, then an unavailable provider",
            None,
            &[
                completer,
                ("policies.sdk[0].total", r#""40s""#),
                (
                    "faults",
                    r#"[
                        After("api.pay/charged", for: "1s", Crash("api")),
                        At("500ms", for: "1m", Errors("psp", status: 503)),
                    ]"#,
                ),
            ],
            &[],
        ),
        world(
            "blocking, a double click",
            twice,
            &[NO_FAULT, params(r#"{"in_flight": "block"}"#)],
            &[quick],
        ),
        world(
            "released blindly, the provider is unavailable",
            unavailable,
            &[params(r#"{"release": "delete"}"#)],
            &[quick],
        ),
    ]
}

/// Those in which the correction of a failure mode is tried.
pub fn of_correction(mode: &str, text: &str) -> Vec<Ground> {
    let world = |&(name, sets, promises): &World<'_>| {
        Ground::promising(name, text, Some("corrected"), sets, promises)
    };
    [("its faults", &[][..], &[][..]), ("no faults", &[NO_FAULT], &[])]
        .iter()
        .chain(usual(mode))
        .chain(own(mode))
        .map(world)
        .collect()
}

/// The failure mode itself.
pub fn uncorrected(text: &str) -> Ground {
    Ground::new("", &draft(text, None, &[]))
}

/// What it is called, what is other there, and what is promised beside.
type World<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

const ACKED: &str = r#"AckedImpliesDone("charge")"#;
const FAILED: &str = r#"FailedImpliesNone("charge")"#;
const RECEIPT: &str = r#"ReceiptMatches("charge")"#;
const ONE_IN_FLIGHT: &str = r#"OneInFlight("psp.charge")"#;
const QUICK: &str = r#"Threshold("latency_max(customer) < 1s")"#;
const ALL_SERVED: &str = r#"Threshold("success(customer) >= 100%")"#;

const ONE_REQUEST: &str = r#"Threshold("requests_per_intent(psp) <= 1")"#;

const TWICE: (&str, &str) = ("actors.customer.clicks", "2");
const APP: (&str, &str) = (
    "policies.app",
    r#"[Retry(attempts: 6, backoff: Exponential(base: "1s"), conflict: true), Timeout("5s")]"#,
);
const DECLINED: (&str, &str) = ("actors.psp.endpoints.charge[0]", "Fail(402)");
/// An inventory with goods, which notes what it has given.
const IN_STOCK: (&str, &str) = (
    "actors.inventory.endpoints.reserve",
    r#"[Work(Const("20ms")), Effect("reservation", once: "{key}"), Respond(201)]"#,
);

/// What any design for payments meets.
const USUAL: &[World<'static>] = &[DOUBLE_CLICK, LATER_CLICK, LOST, UNAVAILABLE];
const DOUBLE_CLICK: World<'static> = (
    "a double click",
    &[NO_FAULT, TWICE, ("actors.customer.apart", r#""50ms""#)],
    &[ONE_IN_FLIGHT, ACKED, RECEIPT],
);
/// Who has the answer does not ask the provider for it.
const LATER_CLICK: World<'static> = (
    "a click ten seconds later",
    &[NO_FAULT, TWICE, ("actors.customer.apart", r#""10s""#)],
    &[ONE_REQUEST, ACKED, RECEIPT],
);
const LOST: World<'static> = (
    "the answer is lost",
    &[
        APP,
        (
            "faults",
            r#"[
                After(
                    "psp.charge/Effect charge", for: "1s",
                    Partition("api", "customer", both_ways: false),
                ),
            ]"#,
        ),
    ],
    &[FAILED, RECEIPT],
);
const UNAVAILABLE: World<'static> = (
    "the provider is unavailable for three seconds",
    &[("faults", r#"[At("0s", for: "3s", Errors("psp", status: 503))]"#)],
    &[ACKED, r#"Threshold("latency_max(customer) < 15s")"#],
);

/// Those of them that a mode has.
fn usual(mode: &str) -> &'static [World<'static>] {
    match mode {
        "FM-02" | "FM-08" | "FM-15" | "FM-16" | "FM-32" | "FM-34" | "FM-47" => USUAL,
        _ => &[],
    }
}

/// Those that only one mode has.
fn own(mode: &str) -> &'static [World<'static>] {
    match mode {
        "FM-02" => &[(
            "a double click, a slow provider",
            &[
                NO_FAULT,
                TWICE,
                ("actors.customer.apart", r#""500ms""#),
                ("actors.psp.endpoints.charge[0]", r#"Work(Const("1s"))"#),
            ],
            &[ONE_IN_FLIGHT],
        )],
        "FM-27" => &[(
            "a slow provider",
            &[
                ("actors.psp.endpoints.charge[0]", r#"Work(Const("2s"))"#),
                ("policies.provider", r#"[Timeout("5s")]"#),
                ("policies.app[1]", r#"Timeout("10s")"#),
            ],
            &[ONE_IN_FLIGHT],
        )],
        // The second click has looked before the first one is through.
        "FM-32" => &[(
            "a double click, the second one overtaken",
            &[
                TWICE,
                ("actors.customer.apart", r#""50ms""#),
                ("faults", r#"[After("api.pay/Get redis", nth: 2, for: "500ms", Stall)]"#),
            ],
            &[ONE_REQUEST],
        )],
        "FM-35" => &[(
            "the warehouse is away for five seconds",
            &[(
                "faults",
                r#"[After("api.pay/charged", for: "5s", Errors("warehouse", status: 500))]"#,
            )],
            &[ONE_REQUEST],
        )],
        "FM-33" => &[
            ("a provider in order", &[NO_FAULT], &[QUICK, RECEIPT, ONE_REQUEST]),
            (
                "a declined card",
                &[NO_FAULT, DECLINED],
                &[r#"Threshold("latency_max(customer, failed) < 1s")"#, ONE_REQUEST],
            ),
            (
                "the provider is away for 20 s",
                &[("faults", r#"[At("0s", for: "20s", Outage("psp"))]"#)],
                &[ACKED],
            ),
            (
                "the charge takes ten seconds",
                &[("faults", r#"[At("0s", for: "500ms", Slow("psp", factor: 100))]"#)],
                &[ALL_SERVED],
            ),
            (
                "a crash after the charge, and a customer who asks once",
                &[
                    ("policies.app", r#"[Timeout("5s")]"#),
                    (
                        "faults",
                        r#"[After("psp.charge/Transaction psp_books", for: "1s", Crash("api"))]"#,
                    ),
                ],
                &[],
            ),
        ],
        "FM-34" => &[
            (
                "a double click, answers compared",
                &[NO_FAULT, TWICE, ("actors.customer.apart", r#""50ms""#)],
                &[FAILED, r#"EqualReplays("api.pay")"#],
            ),
            (
                "a double click, a slow provider",
                &[
                    NO_FAULT,
                    TWICE,
                    ("actors.customer.apart", r#""1500ms""#),
                    ("actors.psp.endpoints.charge[0]", r#"Work(Const("2s"))"#),
                    ("policies.provider", r#"[Timeout("5s")]"#),
                    ("policies.app[1]", r#"Timeout("10s")"#),
                ],
                &[ONE_IN_FLIGHT],
            ),
            (
                "another body under the key",
                &[NO_FAULT, ("actors.customer.does[0].key", r#""cart""#)],
                &[r#"NoMerge("charge")"#, r#"EqualReplays("api.pay")"#],
            ),
            ("a declined card", &[NO_FAULT, DECLINED], &[ACKED]),
            (
                "the charge takes three seconds",
                &[("faults", r#"[At("0s", for: "500ms", Slow("psp", factor: 30))]"#)],
                &[FAILED],
            ),
        ],
        "FM-45" => &[
            (
                "the goods are there",
                &[NO_FAULT, IN_STOCK],
                &[
                    QUICK,
                    RECEIPT,
                    r#"BooksBalance(captured: "reservation", fulfilled: "order")"#,
                    r#"Threshold("requests_per_intent(api) <= 2")"#,
                ],
            ),
            (
                "the goods are there, a click ten seconds later",
                &[NO_FAULT, IN_STOCK, TWICE, ("actors.customer.apart", r#""10s""#)],
                &[ONE_REQUEST],
            ),
            (
                "the goods are there, the answer of the inventory is lost",
                &[
                    IN_STOCK,
                    (
                        "faults",
                        r#"[
                            After(
                                "inventory.reserve/Effect reservation", for: "2s",
                                Partition("inventory", "api", both_ways: false),
                            ),
                        ]"#,
                    ),
                ],
                &[r#"BooksBalance(captured: "reservation", fulfilled: "order")"#],
            ),
            (
                "sold out, and no job",
                &[NO_FAULT, ("actors.api.jobs.recover.every", r#""10m""#)],
                &[r#"AckedImpliesDone("order")"#],
            ),
            (
                "sold out at once",
                &[NO_FAULT],
                &[r#"AckedImpliesDone("order")"#, r#"Threshold("requests_per_intent(api) <= 3")"#],
            ),
            // Two runs of the saga at once, and the inventory does not say the same to both.
            (
                "two clicks, sold out for the first one only",
                &[
                    IN_STOCK,
                    TWICE,
                    ("actors.customer.apart", r#""50ms""#),
                    ("faults", r#"[At("0s", for: "170ms", Errors("inventory", status: 410))]"#),
                ],
                &[r#"UndoneStaysUndone("charge")"#],
            ),
            (
                "two clicks, sold out for the second one",
                &[
                    IN_STOCK,
                    TWICE,
                    ("actors.customer.apart", r#""50ms""#),
                    ("faults", r#"[At("170ms", for: "1s", Errors("inventory", status: 410))]"#),
                ],
                &[],
            ),
            (
                "the charge takes three seconds",
                &[("faults", r#"[At("0s", for: "500ms", Slow("psp", factor: 30))]"#)],
                &[],
            ),
            (
                "the provider is away when the refund is due",
                &[("faults", r#"[After("inventory.reserve/sold_out", for: "2s", Outage("psp"))]"#)],
                &[],
            ),
            (
                "the answer to the refund is lost",
                &[(
                    "faults",
                    r#"[
                        After(
                            "psp.refund/Effect refund", for: "1s",
                            Partition("psp", "api", both_ways: false),
                        ),
                    ]"#,
                )],
                &[],
            ),
        ],
        "FM-38" => &[(
            "the provider's answer is lost",
            &[
                APP,
                (
                    "faults",
                    r#"[
                        After(
                            "psp.charge/Effect charge", for: "1s",
                            Partition("psp", "api", both_ways: false),
                        ),
                    ]"#,
                ),
            ],
            &[],
        )],
        "FM-47" => &[
            ("two customers", &[NO_FAULT, ("actors.customer.load", "Burst(count: 2)")], &[]),
            (
                "a crash between the broker and the outbox",
                &[("faults", r#"[After("api.relay/published", for: "1s", Crash("api"))]"#)],
                &[],
            ),
        ],
        _ => &[],
    }
}
