//! Knowledge flows one way: the sources are read, and every import points down or stays in its
//! room, and nowhere do imports run in a circle.
//!
//! A *room* is a file beside `lib.rs`, or a folder with all that is in it. A folder's `mod.rs` is
//! the folder itself: it may name its children, and they may name it. Tests may look anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::root;

/// The rooms of a crate, or of a folder in it, from the ground up.
///
/// Rooms of one floor may name each other, though not in a circle. `*` is every other room.
struct House {
    sources: &'static str,
    within: &'static [&'static str],
    floors: &'static [&'static [&'static str]],
}

const HOUSES: &[House] = &[
    House {
        sources: "sim-core/src",
        within: &[],
        floors: &[&["time", "math", "limits"], &["*"], &["dist", "queue"], &["simulation"]],
    },
    House {
        sources: "sim-models/policies/src",
        within: &[],
        floors: &[&["ending", "method", "out_of_range"], &["*"], &["conform"]],
    },
    House {
        sources: "sim-models/redis/src",
        within: &[],
        floors: &[&["value"], &["*"], &["node"], &["conform"]],
    },
    House {
        sources: "sim-models/src",
        within: &[],
        floors: &[
            &["axis", "pool", "source", "custom", "figure"],
            &["knob", "language", "designs", "error"],
            &["plan"],
            &[
                "account",
                "endings",
                "intent",
                "ledger",
                "lengths",
                "metrics",
                "recovery",
                "invariant",
                "outcome",
                "resource",
                "log",
                "lineage",
                "trace",
            ],
            &["world", "compile"],
            &["reading", "promises"],
            &["run", "scenario", "draft", "conform"],
            &["anatomy", "study", "strategies"],
            &["why"],
            &["explore", "activity"],
            &["prelude"],
        ],
    },
    House {
        sources: "sim-models/src",
        within: &["world"],
        floors: &[
            &["condition", "luck", "ids"],
            &["shared", "event"],
            &["network"],
            &["*"],
            &["flow"],
        ],
    },
    House { sources: "sim-cli/src", within: &[], floors: &[&["words"], &["*"], &["command"]] },
];

/// Rooms of one crate that never name each other, for a reason.
const STRANGERS: &[(&str, &str, &str)] = &[
    ("world", "compile", "the plan is all that they share"),
    ("world", "language", "what runs knows the plan, not how it was written"),
    ("run", "language", "what runs knows the plan, not how it was written"),
    ("ledger", "language", "what is counted is counted of the plan"),
    ("metrics", "language", "what is counted is counted of the plan"),
    ("invariant", "language", "a law looks at a scene"),
    ("recovery", "language", "what is counted is counted of the plan"),
    ("outcome", "language", "an outcome refers to nothing"),
];

#[test]
fn every_import_points_down_or_stays_in_its_room() {
    let mut faults = Vec::new();
    for House { sources: folder, within, floors } in HOUSES {
        let sources = Sources::read(&root().join(folder));
        let on = |room: &str| floors.iter().position(|rooms| rooms.contains(&room));
        let floor = |room: &str| on(room).or(on("*"));
        let room = |module: &Module| {
            let names = module.iter().zip(*within).all(|(name, within)| name == within);
            names.then(|| module.get(within.len()).cloned()).flatten()
        };
        let rooms: BTreeSet<String> = sources.modules.keys().filter_map(room).collect();
        for room in rooms.iter().filter(|room| floor(room).is_none()) {
            faults.push(format!("{folder}: `{room}` has no floor"));
        }
        let named = floors.iter().copied().flatten().filter(|name| **name != "*");
        for name in named.filter(|name| !rooms.contains(**name)) {
            faults.push(format!("{folder}: there is no room `{name}`"));
        }
        for (from, to, place) in sources.imports() {
            if let (Some(from), Some(to)) = (room(&from), room(&to))
                && floor(&from) < floor(&to)
            {
                faults.push(format!("{folder}/{place}: `{from}` lies below `{to}`"));
            }
        }
    }
    faults.sort();
    faults.dedup();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn imports_run_in_no_circle() {
    let mut faults = Vec::new();
    for House { sources: folder, .. } in HOUSES.iter().filter(|house| house.within.is_empty()) {
        let sources = Sources::read(&root().join(folder));
        let mut folders: BTreeMap<&[String], Graph> = BTreeMap::new();
        let imports = sources.imports();
        for (from, to, place) in &imports {
            // The folder in which they part is where they are siblings.
            let depth = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            if depth < from.len() && depth < to.len() {
                let graph = folders.entry(&from[..depth]).or_default();
                let edge = graph.entry(&from[depth]).or_default();
                edge.entry(&to[depth]).or_insert(place);
            }
        }
        for (inner, graph) in folders {
            let folder = format!("{folder}/{}", inner.join("/"));
            if let Some(circle) = circle(&graph) {
                faults.push(format!("{folder}:\n{}", circle.join("\n")));
            }
        }
    }
    assert!(faults.is_empty(), "circles of imports in\n{}", faults.join("\n"));
}

#[test]
fn strangers_never_name_each_other() {
    let sources = Sources::read(&root().join("sim-models/src"));
    for (from, to, place) in sources.imports() {
        for (a, b, why) in STRANGERS {
            let meet = (from[0] == *a && to[0] == *b) || (from[0] == *b && to[0] == *a);
            assert!(!meet, "{place}: `{}` names `{}`; {why}", from[0], to[0]);
        }
    }
}

#[test]
fn an_import_is_found_however_it_is_written() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c;\npub use b::Name;\npub use c::{d::Deep, Wide as Far};"),
        ("a.rs", "use crate::{\n    Name,\n    c::{self, d::Thing},\n};\n// crate::a::x\n"),
        (
            "b.rs",
            "fn f() { \"crate::a\"; super::c::g(); crate::Deep; }\n#[cfg(test)]\nmod tests { use crate::a; }",
        ),
        ("c/mod.rs", "mod d; pub use d::Thing;"),
        ("c/d.rs", "use super::super::a; use super::Thing; use crate::Far;"),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let sources = Sources::from(files.into_iter().collect());
    let told = sources
        .imports()
        .into_iter()
        .map(|(from, to, place)| format!("{} {} {place}", from.join("/"), to.join("/")));
    let told: Vec<String> = told.collect();
    let expected = [
        "a b a.rs:2",
        "a c a.rs:3",
        "a c/d a.rs:3",
        "b c b.rs:1",
        "b c/d b.rs:1",
        "c/d a c/d.rs:1",
        "c/d c c/d.rs:1",
        "c/d c c/d.rs:1",
    ];
    assert_eq!(told, expected);
}

/// Who names whom, and where.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>;

/// The places of a circle of imports, if there is one.
fn circle(graph: &Graph<'_>) -> Option<Vec<String>> {
    graph.keys().find_map(|start| {
        // How each room is reached from the first one.
        let mut reached: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        let mut next = vec![*start];
        while let Some(room) = next.pop() {
            for (to, place) in graph.get(room).into_iter().flatten() {
                if !reached.contains_key(to) {
                    reached.insert(to, (room, place));
                    next.push(to);
                }
            }
        }
        let mut at = *start;
        let mut trail = Vec::new();
        while let Some((from, place)) = reached.get(at) {
            trail.push(format!("  `{from}` names `{at}` in {place}"));
            at = from;
            if at == *start {
                return Some(trail);
            }
        }
        None
    })
}

/// A module by the names that lead to it; the crate itself has none.
type Module = Vec<String>;

/// The sources of a crate.
struct Sources {
    /// Each module's file and what it says, but for its tests.
    modules: BTreeMap<Module, (String, Vec<Token>)>,
    /// Where a name comes from that a module passes on.
    passed_on: BTreeMap<Module, Module>,
}

impl Sources {
    fn read(folder: &Path) -> Sources {
        fn go(folder: &Path, name: &str, files: &mut BTreeMap<String, String>) {
            for entry in fs::read_dir(folder).expect("a folder of sources") {
                let path = entry.expect("an entry").path();
                let file = path.file_name().expect("a name").to_string_lossy();
                let name = format!("{name}{file}");
                if path.is_dir() {
                    go(&path, &format!("{name}/"), files);
                } else if name.ends_with(".rs") && file != "tests.rs" {
                    files.insert(name, fs::read_to_string(&path).expect("a source"));
                }
            }
        }
        let mut files = BTreeMap::new();
        go(folder, "", &mut files);
        Sources::from(files)
    }

    fn from(files: BTreeMap<String, String>) -> Sources {
        let module = |name: &str| -> Module {
            let name = name.trim_end_matches(".rs");
            let parts = name.split('/').filter(|part| !["lib", "main", "mod"].contains(part));
            parts.map(str::to_owned).collect()
        };
        let modules = files.into_iter().map(|(name, text)| {
            let own = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            (module(&name), (name, tokens(own)))
        });
        let mut sources = Sources { modules: modules.collect(), passed_on: BTreeMap::new() };
        let mut passed_on = BTreeMap::new();
        for (module, (_, tokens)) in &sources.modules {
            let uses = (0..tokens.len()).filter(|&at| tokens[at].0 == "use");
            for Leaf { path, name, .. } in uses.flat_map(|at| leaves(tokens, at + 1)) {
                if let Some(origin) = sources.absolute(module, &path) {
                    // A room answers for what it passes on of others.
                    if module.is_empty() || module.first() == origin.first() {
                        passed_on.insert([module.as_slice(), &[name]].concat(), origin);
                    }
                }
            }
        }
        passed_on.retain(|name, origin| name != origin);
        sources.passed_on = passed_on;
        sources
    }

    /// Who names whom and where, but for what `lib.rs` names and a module of its own.
    fn imports(&self) -> Vec<(Module, Module, String)> {
        let mut imports = Vec::new();
        for (module, (file, tokens)) in self.modules.iter().filter(|(m, _)| !m.is_empty()) {
            let starts = (0..tokens.len()).filter(|&at| {
                let begins = ["crate", "super", "self"].contains(&tokens[at].0.as_str());
                begins && (at == 0 || tokens[at - 1].0 != "::")
            });
            for Leaf { path, line, .. } in starts.flat_map(|at| leaves(tokens, at)) {
                let to = self.module_of(self.absolute(module, &path).unwrap_or_default());
                if !to.is_empty() && to != *module {
                    imports.push((module.clone(), to, format!("{file}:{line}")));
                }
            }
        }
        imports
    }

    /// A path from the crate on; none for one that leads to another crate.
    fn absolute(&self, from: &Module, path: &[String]) -> Option<Module> {
        let mut at = from.clone();
        for (n, part) in path.iter().enumerate() {
            match part.as_str() {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                _ => at.push(part.clone()),
            }
            if n == 0 && at.len() > from.len() && !self.modules.contains_key(&at) {
                return None;
            }
        }
        Some(at)
    }

    /// The module that a path leads to, also through one that passes a name on.
    fn module_of(&self, mut at: Module) -> Module {
        // Nobody passes a name on ten times.
        for _ in 0..10 {
            match (1..=at.len()).rev().find_map(|n| Some((n, self.passed_on.get(&at[..n])?))) {
                Some((n, origin)) => at = [origin.as_slice(), &at[n..]].concat(),
                None => break,
            }
        }
        while !self.modules.contains_key(&at) {
            at.pop();
        }
        at
    }
}

/// A word or a sign of a source, and its line.
type Token = (String, usize);

/// The words and signs of a source, without comments and texts in quotes.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(c) = rest.chars().next() {
        let (length, is_told) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if let Some(length) = quoted(rest) {
            (length, false)
        } else if is_word(c) {
            (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), true)
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (c.len_utf8(), !c.is_whitespace())
        };
        let (token, tail) = rest.split_at(length);
        if is_told {
            tokens.push((token.to_owned(), line));
        }
        line += token.matches('\n').count();
        rest = tail;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the text in quotes, or of the character, that a source begins with.
fn quoted(source: &str) -> Option<usize> {
    let mut chars = source.char_indices();
    match chars.next()?.1 {
        '"' => {
            let mut is_escaped = false;
            let end = chars.find(|(_, c)| {
                let ends = *c == '"' && !is_escaped;
                is_escaped = *c == '\\' && !is_escaped;
                ends
            });
            end.map(|(at, _)| at + 1)
        }
        'r' => {
            let hashes = source[1..].find(|c| c != '#')?;
            let inner = source[1 + hashes..].strip_prefix('"')?;
            let end = format!("\"{}", &source[1..1 + hashes]);
            Some(source.len() - inner.len() + inner.find(&end)? + end.len())
        }
        '\'' => {
            let c = chars.next()?.1;
            let (end, last) = if c == '\\' { chars.nth(1)? } else { chars.next()? };
            (last == '\'').then_some(end + 1)
        }
        _ => None,
    }
}

/// One path that an import brings in.
struct Leaf {
    path: Vec<String>,
    /// What it is called here.
    name: String,
    line: usize,
}

/// The paths that begin at a token, with all that braces hold.
fn leaves(tokens: &[Token], at: usize) -> Vec<Leaf> {
    fn go(tokens: &[Token], mut at: usize, mut path: Vec<String>, out: &mut Vec<Leaf>) -> usize {
        loop {
            match tokens.get(at).map(|(token, line)| (token.as_str(), *line)) {
                Some(("{", _)) => {
                    while tokens.get(at).is_some_and(|(token, _)| token != "}") {
                        at = go(tokens, at + 1, path.clone(), out);
                    }
                    return at + 1;
                }
                Some(("}" | ",", _)) | None => return at,
                Some((token, line)) if token.starts_with(is_word) => {
                    path.push(token.to_owned());
                    let next = |n: usize| tokens.get(at + n).map(|(token, _)| token.as_str());
                    if next(1) == Some("::") {
                        at += 2;
                        continue;
                    }
                    let (name, end) = match (next(1), next(2)) {
                        (Some("as"), Some(name)) => (name.to_owned(), at + 3),
                        _ => (token.to_owned(), at + 1),
                    };
                    out.push(Leaf { path, name, line });
                    return end;
                }
                // All of a module, or generic arguments.
                Some((_, line)) => {
                    out.push(Leaf { path, name: String::new(), line });
                    return at + 1;
                }
            }
        }
    }
    let mut out = Vec::new();
    go(tokens, at, Vec::new(), &mut out);
    out
}
