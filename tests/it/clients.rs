//! The page of clients: which one pays twice by default. Each cell is a run.

use sim_models::language::words;
use sim_models::outcome::Outcome;

use crate::support::{call, effects, run_text, same_as_written};

const PAGE: &str = "docs/CLIENTS.md";

const HEAD: &str = "\
# Which client pays twice by default

One payment, one disturbance. A shop sends `POST /pay` through a client or a retry library **with its
default settings**. The first attempt goes wrong in the way that the column says. Nothing else does:
a further attempt meets a payment service that is well. Each cell is a run of the simulator, and this
page is made from those runs.

## How to read it

`2 sent, **charged 2×**, ok` means: two attempts were sent, the customer was charged twice, and the
caller was told that all is well. `1 sent, charged 1×, status 503` means: nothing was repeated, the
customer was charged, and the caller was told 503.

| column | what happens to the first attempt |
|---|---|
| answer lost | It is charged, and no answer comes. The client stops waiting after 1 s. |
| 503 after | It is charged, then answered with a 503. |
| reset before | The connection breaks before anything is charged. |
| reset after | The connection breaks after the charge, before the answer. |
| 429 | It is answered with a 429 and `Retry-After: 1`; nothing is charged. |
| slow | It is charged after 3 s. The client has stopped waiting after 1 s. |

The client's own timeout is 1 s for each attempt in all rows, since many have none by default. What is
bold was charged twice. *Nothing charged, and the caller knows* is a good end; *charged, and the caller
was told of an error* invites the caller to try again by hand.

A default is what a library does when it is told nothing. Where a library must be told what to repeat
at all (gRPC, Envoy), its preset's defaults count; [POLICIES.md](POLICIES.md) shows them. `House` is the
simulator's own retry: it repeats nothing that is in doubt, but believes a 503 that nothing was done.
";

const KEYED: &str = "
## At one that heeds the key that the library itself sends

Some SDKs send an idempotency key with each payment, and the same key with all attempts of one call.
The payment service below keeps its promise: it does a key's work once. A call that the *caller*
repeats has a new key, and is charged again.

";

const WITHOUT: &str = "
All other clients in the table above send no key of their own. Their rows stay as they are, however
careful the payment service is, until the caller sends a key: `Call(\"psp.pay\", key: \"{order}\")`.

How the table is made: `tests/it/clients.rs`. The rules behind each row: [POLICIES.md](POLICIES.md). The
proof that the presets behave as the libraries do: [CONFORMANCE.md](CONFORMANCE.md).
";

/// A way to fail: the head of its column, the fault, and what the first attempt meets before and
/// after the charge.
struct Disturbance {
    name: &'static str,
    fault: &'static str,
    before: &'static str,
    after: &'static str,
}

const CRASH: &str = r#"for: "1ms", Crash("psp")"#;

const DISTURBANCES: [Disturbance; 6] = [
    Disturbance { name: "answer lost", fault: "", before: "", after: r#"Sleep(Const("1h"))"# },
    Disturbance { name: "503 after", fault: "", before: "", after: "Fail(503)" },
    Disturbance { name: "reset before", fault: "before", before: "", after: "" },
    Disturbance { name: "reset after", fault: "after", before: "", after: "" },
    Disturbance { name: "429", fault: "", before: r#"Respond(429, retry_after: "1s")"#, after: "" },
    Disturbance { name: "slow", fault: "", before: r#"Sleep(Const("3s"))"#, after: "" },
];

/// One payment through a client; `once` is the key that the payment service heeds.
fn pay(client: &str, disturbance: &Disturbance, once: &str) -> Outcome {
    let Disturbance { fault, before, after, .. } = disturbance;
    let fault = match *fault {
        "" => String::new(),
        at => format!(r#"After("psp.pay/{at}", {CRASH})"#),
    };
    run_text(&format!(
        r#"Scenario(
            name: "pay", about: "One payment, one disturbance.", horizon: "10m",
            actors: {{
                "shop": Client(load: Burst(count: 1), does: [
                    Call("psp.pay", policy: "client", method: "POST", key: None, body: "{{attempt}}"),
                ]),
                "psp": Service(workers: 9, endpoints: {{ "pay": [
                    If(Eq("{{body}}", 1), then: [Label("before"), Work(Const("1ms")), {before}]),
                    Effect("charge"{once}),
                    If(Eq("{{body}}", 1), then: [Label("after"), Work(Const("1ms")), {after}]),
                ] }}),
            }},
            links: [Link(from: "shop", to: "psp", latency: Const("5ms"))],
            policies: {{ "client": [Retry({client}), Timeout("1s")] }},
            faults: [{fault}],
        )"#
    ))
}

/// What the caller was told at the end: how the last attempt ended.
fn told(outcome: &Outcome) -> &str {
    if call(outcome, "shop", "psp").success > 0 {
        return "ok";
    }
    let lines = outcome.log.iter().rev().map(|line| line.what.as_str());
    let after = lines.filter_map(|what| what.strip_prefix("gave up after ")).next();
    after.and_then(|after| after.split(':').next()).expect("the retry has given up")
}

fn cell(client: &str, disturbance: &Disturbance, once: &str) -> String {
    let outcome = pay(client, disturbance, once);
    let (sent, charged) = (call(&outcome, "shop", "psp").attempts, effects(&outcome, "charge"));
    let charged = match charged {
        0 => "not charged".to_owned(),
        1 => "charged 1×".to_owned(),
        n => format!("**charged {n}×**"),
    };
    format!("{sent} sent, {charged}, {}", told(&outcome))
}

fn table(rows: &[(String, String)], once: &str) -> String {
    let names: Vec<&str> = DISTURBANCES.iter().map(|disturbance| disturbance.name).collect();
    let mut text = format!("| client | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(6));
    for (name, client) in rows {
        let cells = DISTURBANCES.iter().map(|disturbance| cell(client, disturbance, once));
        text += &format!("| `{name}` | {} |\n", cells.collect::<Vec<_>>().join(" | "));
    }
    text
}

/// Every retry that the language knows, at its defaults, and those that have two defaults.
fn clients() -> Vec<(String, String)> {
    let retries = words().iter().filter(|word| word.kind == "retry");
    let mut rows: Vec<(String, String)> =
        retries.map(|word| (word.name.clone(), format!("{}()", word.name))).collect();
    let global = "StripePython(entry: Global)".to_owned();
    let n = rows.iter().position(|(name, _)| name == "StripePython").expect("a row");
    rows.insert(n + 1, (global.clone(), global));
    rows
}

#[test]
fn the_page_of_clients_is_what_the_runs_say() {
    let all = clients();
    let stripes: Vec<(String, String)> =
        all.iter().filter(|(name, _)| name.starts_with("Stripe")).cloned().collect();
    let mut page = HEAD.to_owned();
    page += "\n## At a payment service that heeds no key\n\n";
    page += &table(&all, "");
    page += KEYED;
    page += &table(&stripes, r#", once: "{key}""#);
    page += WITHOUT;
    same_as_written(PAGE, &page);
}

/// Calls of `psp.pay` through a client, and the steps of that endpoint.
fn calls(client: &str, does: &str, steps: &str) -> Outcome {
    run_text(&format!(
        r#"Scenario(
            name: "calls", about: "What comes with a client.", horizon: "10m",
            actors: {{
                "shop": Client(load: Burst(count: 1), does: [{does}]),
                "psp": Service(workers: 9, endpoints: {{ "pay": [{steps}] }}),
            }},
            policies: {{ "client": [Retry({client})] }},
        )"#
    ))
}

const GET: &str =
    r#"Call("psp.pay", policy: "client", method: "GET", key: None, body: "{attempt}")"#;
const POST: &str = r#"Call("psp.pay", policy: "client", method: "POST", key: None)"#;

/// When the caller was told, and what.
fn end(outcome: &Outcome) -> (String, String) {
    let line = outcome.log.iter().rfind(|line| line.who == "user").expect("an end");
    (line.at.to_string(), line.what.clone())
}

#[test]
fn axios_has_one_timeout_for_all_attempts_unless_told_otherwise() {
    let steps = r#"
        If(Eq("{body}", 1), then: [Work(Const("400ms")), Fail(503)]),
        Sleep(Const("1h")),
    "#;
    let ends = |more: &str| {
        let delay = r#"retry_delay: LinearDelay, delay_factor: "200ms""#;
        let outcome = calls(&format!(r#"AxiosRetry(timeout: "1s", {delay}{more})"#), GET, steps);
        assert_eq!(call(&outcome, "shop", "psp").attempts, 2);
        end(&outcome).0
    };
    assert_eq!(ends(""), "1s");
    assert_eq!(ends(", should_reset_timeout: true"), "1.6s");
}

#[test]
fn azure_waits_past_its_timeout_and_then_gives_up() {
    let client = r#"AzureCore(timeout: "2s", retry_backoff_factor: "3s")"#;
    let outcome = calls(client, GET, "Fail(503)");
    assert_eq!(call(&outcome, "shop", "psp").attempts, 2);
    assert_eq!(end(&outcome).0, "6s");
}

#[test]
fn a_key_of_the_sdk_is_the_same_for_all_attempts_and_another_for_each_call() {
    let steps = r#"Effect("charge", once: "{key}"), Fail(500)"#;
    let twice = format!("Loop(2, [Try([{POST}], catch: [Let(\"seen\", 1)])])");
    let outcome = calls("StripeNode()", &twice, steps);
    let hop = call(&outcome, "shop", "psp");
    assert_eq!((hop.calls, hop.attempts, hop.unsafe_retries), (2, 6, 0));
    assert_eq!(effects(&outcome, "charge"), 2);
    // The caller's own key, and a method that gets none.
    let keyed = twice.replace("key: None", r#"key: "order""#);
    assert_eq!(effects(&calls("StripeNode()", &keyed, steps), "charge"), 1);
    let put = twice.replace("POST", "PUT");
    assert_eq!(effects(&calls("StripeNode()", &put, steps), "charge"), 6);
}

#[test]
fn go_repeats_a_post_on_a_kept_connection_if_it_has_a_key() {
    // Three connections break in a row.
    let faults: Vec<String> = (1..=3)
        .map(|nth| format!(r#"After("psp.pay/got", nth: {nth}, for: "1ms", Crash("psp"))"#))
        .collect();
    let sent = |client: &str, method: &str, key: &str| {
        let does = POST.replace("POST", method).replace("key: None", key);
        let outcome = run_text(&format!(
            r#"Scenario(
                name: "kept", about: "Connections that break.", horizon: "10m",
                actors: {{
                    "shop": Client(load: Burst(count: 1), does: [{does}]),
                    "psp": Service(workers: 9, endpoints: {{ "pay": [
                        Label("got"), Work(Const("1ms")), Effect("charge"),
                    ] }}),
                }},
                links: [Link(from: "shop", to: "psp", latency: Const("5ms"))],
                policies: {{ "client": [Retry({client})] }},
                faults: [{}],
            )"#,
            faults.join(", ")
        ));
        call(&outcome, "shop", "psp").attempts
    };
    let (go, none, key) = ("GoNetHttp()", "key: None", r#"key: "order""#);
    assert_eq!(sent(go, "POST", none), 1);
    assert_eq!(sent(go, "PUT", none), 1);
    assert_eq!(sent(go, "GET", none), 3);
    assert_eq!(sent(go, "POST", key), 3);
    assert_eq!(sent("GoNetHttp(get_body: false)", "POST", key), 1);
    assert_eq!(sent("OkHttp()", "POST", none), 4);
}

#[test]
fn the_fibonacci_waits_of_aiohttp_grow_over_all_calls() {
    let options = r#"AiohttpRetry(options: FibonacciRetry(max_timeout: "1m"))"#;
    let outcome =
        calls(options, &format!("Loop(2, [Try([{GET}], catch: [Let(\"seen\", 1)])])"), "Fail(500)");
    let waits = outcome.log.iter().filter_map(|line| line.what.split_once(" in "));
    let waits: Vec<&str> = waits.filter_map(|(_, wait)| wait.split(',').next()).collect();
    assert_eq!(waits, ["2s", "3s", "5s", "8s"]);
}

#[test]
fn an_http_client_never_sees_what_a_policy_inside_has_refused() {
    let outcome = run_text(
        r#"Scenario(
            name: "open", about: "A breaker inside.", horizon: "10m",
            actors: {
                "shop": Client(load: Burst(count: 1), does: [
                    Loop(3, [Try([Call("psp.pay", policy: "client")], catch: [Let("seen", 1)])]),
                ]),
                "psp": Service(workers: 9, endpoints: { "pay": [Fail(404)] }),
            },
            policies: { "client": [
                Retry(GoRetryablehttp()),
                Breaker(Consecutive(failures: 1), record: ["4xx"]),
            ] },
        )"#,
    );
    let hop = call(&outcome, "shop", "psp");
    assert_eq!((hop.calls, hop.attempts), (3, 1));
}
