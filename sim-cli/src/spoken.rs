//! A value of a scenario as people speak of it: by its actor, its policy, its fault. One place for axes,
//! titles, tables and pages; the path itself stands in the command that repeats.

use sim_models::anatomy::{Anatomy, Part, Stack};

/// How a value is spoken of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// What it is: `rate of users`, `how long “api: 10x slower” lasts`.
    pub name: String,
    /// What stands before a setting of it: `rate of users = `, `“api: 10x slower” for `.
    before: String,
}

impl Spoken {
    /// The value at a path of a scenario. What is no part of the scenario is called by its path.
    pub fn of(anatomy: &Anatomy, path: &str) -> Spoken {
        let fault = anatomy.faults.iter().enumerate();
        let fault = fault.filter_map(|(n, part)| Some((n, part, below(path, &part.path)?))).next();
        if let Some((n, part, field)) = fault {
            return of_fault(anatomy, n, part, field);
        }
        let policy = || of_policy(&anatomy.stacks, path);
        let link = || {
            let link = anatomy.links.iter().find_map(|part| Some((part, below(path, &part.path)?)));
            link.map(|(part, field)| format!("{} of {}", words(field), part.name))
        };
        let actor = || of_actor(path.strip_prefix("actors.")?);
        let name = policy().or_else(link).or_else(actor).unwrap_or_else(|| path.to_owned());
        Spoken { before: format!("{name} = "), name }
    }

    /// A setting of it: `rate of users = 12/s`, `“api: 10x slower” for 5s`.
    pub fn at(&self, value: &str) -> String {
        format!("{}{}", self.before, plain(value))
    }
}

/// A value without the quotes that it has in the file.
pub fn plain(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

/// What follows a part's path in the path of one of its values.
fn below<'a>(path: &'a str, part: &str) -> Option<&'a str> {
    path.strip_prefix(part)?.strip_prefix('.')
}

/// `load.rate` as `load rate`, `pay[0].time` as `pay step 1 time`.
fn words(field: &str) -> String {
    field.replace(['.', '_'], " ").replace(['[', ']'], "")
}

/// A fault's own name tells its values as they stand, so that only what it lasts is told with them.
fn of_fault(anatomy: &Anatomy, n: usize, part: &Part, field: &str) -> Spoken {
    let is_same = |other: &&Part| other.name == part.name;
    let nth = match anatomy.faults.iter().filter(is_same).count() {
        1 => String::new(),
        _ => format!(" (fault {})", n + 1),
    };
    let fault = format!("“{}”{nth}", part.name);
    match field {
        "for" => {
            Spoken { name: format!("how long {fault} lasts"), before: format!("{fault} for ") }
        }
        "at" => Spoken { name: format!("when {fault} begins"), before: format!("{fault} at ") },
        _ => {
            let who = part.name.split_once(": ").map_or(&part.name[..], |(who, _)| who);
            let what = words(field.strip_prefix("fault.").unwrap_or(field));
            let name = format!("{what} of fault {} at {who}", n + 1);
            Spoken { before: format!("{name} = "), name }
        }
    }
}

/// `attempts of Retry in checkout`; a stack as a whole is `policy checkout`.
fn of_policy(stacks: &[Stack], path: &str) -> Option<String> {
    let policy = path.strip_prefix("policies.")?;
    for stack in stacks {
        let alike = |own: &Part| stack.layers.iter().filter(|l| l.name == own.name).count() > 1;
        for (n, layer) in stack.layers.iter().enumerate() {
            let nth = if alike(layer) { format!(" {}", n + 1) } else { String::new() };
            if let Some(field) = below(path, &layer.path) {
                return Some(format!(
                    "{} of {}{nth} in {}",
                    words(field),
                    layer.name,
                    stack.policy
                ));
            }
            if path == layer.path {
                return Some(format!("{}{nth} in {}", layer.name, stack.policy));
            }
        }
    }
    let is_whole = stacks.iter().any(|stack| stack.policy == policy);
    is_whole.then(|| format!("policy {policy}"))
}

/// `rate of users`, `queue limit of api`, `time of step 1 of api.pay`.
fn of_actor(path: &str) -> Option<String> {
    let (actor, field) = path.split_once('.')?;
    if let Some((program, rest)) = field.strip_prefix("endpoints.").and_then(|rest| {
        let (program, step) = rest.split_once('[')?;
        Some((program, step.split_once(']')?))
    }) {
        let step = rest.0.parse::<usize>().ok()?.checked_add(1)?;
        let what = words(rest.1.trim_start_matches('.'));
        let of = if what.is_empty() { String::new() } else { format!("{what} of ") };
        return Some(format!("{of}step {step} of {actor}.{program}"));
    }
    let field = field.strip_prefix("load.").unwrap_or(field);
    Some(format!("{} of {actor}", words(field)))
}

#[cfg(test)]
mod tests {
    use sim_models::Scenario;

    use super::*;

    const TEXT: &str = r#"Scenario(
        name: "shop", about: "", horizon: "1m",
        actors: {
            "users": Client(load: Open(rate: "1/s"), does: [Call("psp.charge", policy: "p")]),
            "psp": Service(workers: 1, queue: Fifo(limit: 9), endpoints: { "charge": [
                Work(Const("1ms")), Effect("charge"),
            ] }),
        },
        links: [Link(from: "users", to: "psp", latency: Const("1ms"))],
        policies: { "p": [Timeout("9s"), Retry(attempts: 2), Timeout("1s")] },
        faults: [
            At("1s", for: "5s", Slow("psp", factor: 10.0)),
            At("20s", for: "1s", Crash("psp")),
            At("30s", for: "1s", Crash("psp")),
        ],
    )"#;

    #[test]
    fn a_value_is_called_as_people_speak_of_it() {
        let anatomy = Anatomy::of(&Scenario::text("shop.ron", TEXT).load().unwrap());
        for (path, name, setting) in [
            ("actors.users.load.rate", "rate of users", "rate of users = 5s"),
            ("actors.psp.queue.limit", "queue limit of psp", "queue limit of psp = 5s"),
            (
                "actors.psp.endpoints.charge[0].time",
                "time of step 1 of psp.charge",
                "time of step 1 of psp.charge = 5s",
            ),
            ("policies.p[1].attempts", "attempts of Retry in p", "attempts of Retry in p = 5s"),
            ("policies.p[2].after", "after of Timeout 3 in p", "after of Timeout 3 in p = 5s"),
            ("policies.p", "policy p", "policy p = 5s"),
            ("policies.q", "policies.q", "policies.q = 5s"),
            ("faults[0].for", "how long “psp: 10x slower” lasts", "“psp: 10x slower” for 5s"),
            ("faults[0].at", "when “psp: 10x slower” begins", "“psp: 10x slower” at 5s"),
            ("faults[0].fault.factor", "factor of fault 1 at psp", "factor of fault 1 at psp = 5s"),
            (
                "faults[2].at",
                "when “psp: crashed” (fault 3) begins",
                "“psp: crashed” (fault 3) at 5s",
            ),
            ("links[0].latency", "latency of users->psp", "latency of users->psp = 5s"),
            ("horizon", "horizon", "horizon = 5s"),
        ] {
            let spoken = Spoken::of(&anatomy, path);
            assert_eq!((&spoken.name[..], &spoken.at("\"5s\"")[..]), (name, setting), "{path}");
        }
    }
}
