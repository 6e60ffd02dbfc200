//! `sim watch`: what its page shows is what `sim run` prints, only its own page may ask, and a reader who
//! turns, pins and saves sees what comes of it, in a real browser.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::browser;
use crate::devtools::Chromium;
use crate::report::SHOP;
use crate::support::{Told, binary, scratch};

/// `sim watch shop.ron` in a folder of its own.
struct Watching {
    child: Child,
    told: BufReader<ChildStdout>,
    folder: PathBuf,
    /// `127.0.0.1:40123`
    host: String,
    address: String,
}

impl Watching {
    fn start(name: &str, args: &[&str]) -> Watching {
        let folder = scratch(name);
        fs::write(folder.join("shop.ron"), shop()).unwrap();
        let mut child = Command::new(binary())
            .args(["watch", "shop.ron", "--port", "0"])
            .args(args)
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("sim runs");
        let mut told = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        told.read_line(&mut line).expect("it says where it listens");
        let address = line.trim().split_once(" at ").expect("an address").1.to_owned();
        let host = address.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        Watching { child, told, folder, host, address }
    }

    /// Status and text of an answer.
    fn ask(&self, line: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.host).expect("it listens");
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(stream, "{line} HTTP/1.0\r\n{headers}\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer in UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    /// What a state shows.
    fn run(&self, query: &str) -> Value {
        let (status, text) = self.ask(&format!("GET /run/test?{query}"), &[("Host", &self.host)]);
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Waits for a line of the terminal that says so.
    fn until_told(&mut self, wanted: &str) {
        let mut line = String::new();
        while !line.contains(wanted) {
            line.clear();
            assert!(self.told.read_line(&mut line).unwrap() > 0, "it ended before {wanted}");
        }
    }

    /// What a command line that the page shows prints as JSON.
    fn printed(&self, command: &str) -> Value {
        let binary = binary().display();
        let script = format!("sim() {{ '{binary}' \"$@\"; }}; {command} --json --no-chart");
        let output = Command::new("sh").args(["-c", &script]).current_dir(&self.folder).output();
        let told = Told::of(output.expect("sh runs"));
        serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{command}: {told:?}"))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The shop, with two knobs.
fn shop() -> String {
    let knobs = "    knobs: [\"actors.psp.workers\", \"actors.users.load.rate=1/s..9/s/9\"],\n";
    SHOP.replace("    variants:", &format!("{knobs}    variants:"))
}

#[test]
fn a_state_shows_what_its_command_prints() {
    let watching = Watching::start("watch-same", &["--seed", "3", "--set", "horizon=15s"]);
    assert!(watching.address.ends_with("/?seed=3&set=horizon%3D15s"), "{}", watching.address);
    let queries = [
        "",
        "seed=18446744073709551615",
        "variant=patient&seed=7",
        "set=actors.psp.workers%3D1&set=policies.again%3D%5BTimeout%28%222s%22%29%5D&seed=2",
        "seed=4&b.variant=",
        "seed=4&b.variant=patient&b.seed=5&b.set=horizon%3D12s",
    ];
    for query in queries {
        let shown = watching.run(query);
        let sides = shown["sides"].as_array().unwrap_or_else(|| panic!("{query}: {shown}"));
        assert_eq!(sides.len(), if query.contains("b.") { 2 } else { 1 });
        for side in sides {
            let printed = watching.printed(side["command"].as_str().unwrap());
            for key in ["digest", "run_id", "verdict"] {
                assert_eq!(side[key], printed[key], "{query}: {key}");
            }
            let digest = side["digest"].as_str().unwrap();
            assert!(shown["html"].as_str().unwrap().contains(digest), "the page says it");
        }
        assert_eq!(watching.run(query), shown, "and the same again");
    }
}

#[test]
fn every_number_is_there_with_its_place() {
    let watching = Watching::start("watch-numbers", &[]);
    let shown = watching.run("");
    let text = shop();
    let numbers = shown["numbers"].as_array().unwrap();
    assert!(numbers.len() > 9, "{numbers:?}");
    for number in numbers {
        let place = |n: usize| number["place"][n].as_u64().expect("a place") as usize;
        let line = text.lines().nth(place(0) - 1).unwrap();
        let written = line[place(1)..place(2)].trim_matches('"');
        // What no path reaches is set with what it is a part of.
        let value = number["value"].as_str().expect("a value");
        assert!(value.contains(written), "{number}");
    }
    let knobs: Vec<&str> =
        shown["knobs"].as_array().unwrap().iter().filter_map(|own| own["path"].as_str()).collect();
    assert_eq!(knobs, ["actors.psp.workers", "actors.users.load.rate"]);
    assert_eq!(shown["knobs"][1]["stops"][8], "9/s");
}

#[test]
fn mistakes_are_told_in_their_place_and_end_nothing() {
    let watching = Watching::start("watch-mistakes", &[]);
    for (query, wanted) in [
        ("set=actors.psp.wrokers%3D4", "did you mean `workers`?"),
        ("set=actors.psp.workers%3D0", "workers = 0"),
        ("set=workers", "write a path"),
        ("variant=impatient", "there is no `impatient`"),
        ("sed=7", "`sed` is no part of a state"),
        ("seed=x", "no seed"),
        ("b.variant=impatient", "there is no `impatient`"),
    ] {
        let told = watching.run(query);
        assert!(told["problem"].as_str().unwrap().contains(wanted), "{query}: {told}");
        assert!(told["html"].is_null());
    }
    let good = watching.run("");
    fs::write(watching.folder.join("shop.ron"), shop().replace("horizon", "horizn")).unwrap();
    let told = watching.run("");
    let problem = told["problem"].as_str().unwrap();
    assert!(problem.contains("shop.ron:2:") && problem.contains("`horizon`"), "{problem}");
    assert_ne!(told["stamp"], good["stamp"]);
    fs::remove_file(watching.folder.join("shop.ron")).unwrap();
    assert!(watching.run("")["problem"].as_str().unwrap().contains("there is no file"));
    fs::write(watching.folder.join("shop.ron"), shop()).unwrap();
    assert_eq!(watching.run(""), good, "what is mended is shown again");
}

#[test]
fn only_its_own_page_may_ask() {
    let watching = Watching::start("watch-guard", &[]);
    let host = watching.host.as_str();
    let own: [(&str, &str); 1] = [("Host", host)];
    assert_eq!(watching.ask("GET /", &own).0, 200);
    let foreign = host.replace("127.0.0.1", "sim.example");
    assert_eq!(watching.ask("GET /", &[("Host", &foreign)]).0, 403, "a name that leads here");
    assert_eq!(watching.ask("GET /run/a", &[]).0, 403, "no name at all");
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "HEAD"] {
        assert_eq!(watching.ask(&format!("{method} /run/a"), &own).0, 405, "{method}");
    }
    let elsewhere = [("Host", host), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(watching.ask("GET /run/a?seed=1", &elsewhere).0, 403);
    assert_eq!(watching.ask("GET /?seed=1", &elsewhere).0, 200, "a link");
    for path in ["/shop.ron", "/../shop.ron", "/run", "//", "/%2e%2e/"] {
        assert_eq!(watching.ask(&format!("GET {path}"), &own).0, 404, "{path}");
    }
    let long = format!("GET /?set=a={}", "x".repeat(100_000));
    assert_eq!(watching.ask(&long, &own).0, 414);
}

#[test]
fn a_port_that_is_taken_is_told() {
    let watching = Watching::start("watch-port", &[]);
    let port = watching.host.split_once(':').unwrap().1;
    let told = crate::support::sim_in(&watching.folder, &["watch", "shop.ron", "--port", port]);
    crate::support::refused(&told, &["cannot listen at port", "--port 0"]);
    let told = crate::support::sim_in(&watching.folder, &["watch", "shp.ron", "--port", "0"]);
    crate::support::refused(&told, &["did you mean `shop.ron`?"]);
}

/// A browser at the page, once the first run is shown.
fn open(browser: &str, watching: &Watching, state: &str) -> Chromium {
    let mut page = Chromium::start(browser, &watching.folder);
    page.window(1200, 900, false);
    let url = format!("http://{}/{state}", watching.host);
    page.ask("Page.navigate", json!({ "url": url }));
    page.until("document.querySelector('.digest') !== null");
    page
}

/// The digest that stands in a card of the page.
fn digest(page: &mut Chromium, card: usize) -> String {
    let told = page.value(&format!("document.querySelectorAll('.digest')[{card}].textContent"));
    told.as_str().expect("a digest").to_owned()
}

/// Moves what a selector finds to a value, as a hand does.
fn put(page: &mut Chromium, selector: &str, value: &str, event: &str) {
    page.value(&format!(
        "(() => {{ const own = document.querySelector({selector:?}); own.value = {value:?}; \
         own.dispatchEvent(new Event({event:?})); }})()"
    ));
}

const RATE: &str = "[data-path='actors.users.load.rate'][type=range]";

#[test]
fn a_reader_turns_scrubs_pins_and_saves() {
    let Some(browser) = browser::found("the page of `sim watch`") else { return };
    let mut watching = Watching::start("watch-browser", &[]);
    let mut page = open(browser, &watching, "");
    assert_eq!(page.value("document.querySelectorAll('.knob').length"), 3, "a seed and two knobs");

    // A slider changes figures and address.
    let first = digest(&mut page, 0);
    put(&mut page, RATE, "8", "input");
    page.until("document.querySelector('.repeat').textContent.includes('load.rate=9/s')");
    page.until("new URLSearchParams(location.search).get('set') === 'actors.users.load.rate=9/s'");
    let turned = digest(&mut page, 0);
    assert_ne!(turned, first);
    let query = page.value("location.search.slice(1)").as_str().unwrap().to_owned();
    assert_eq!(watching.run(&query)["sides"][0]["digest"], *turned, "a colleague sees the same");
    assert!(
        page.value("document.querySelectorAll('.panels [data-line]').length").as_u64() > Some(0)
    );

    // Back at the file's value, the address says nothing of it.
    put(&mut page, RATE, "1", "input");
    page.until(&format!("document.querySelector('.digest').textContent === '{first}'"));
    assert_eq!(page.value("location.search"), "?seed=1");

    // A number of the text becomes a control.
    page.value("document.querySelector(\".quantity[data-path='faults[0].for']\").click()");
    put(&mut page, "[data-path='faults[0].for'][type=text]", "4s", "change");
    page.until("document.querySelector('.quantity.set ins').textContent === ' 4s'");
    put(&mut page, "[data-path='faults[0].for'][type=text]", "never", "change");
    page.until("!document.getElementById('problem').hidden");
    let told = page.value("document.getElementById('problem').textContent");
    assert!(told.as_str().unwrap().contains("faults[0].for=never"), "{told}");
    assert!(page.value("document.querySelector('.digest') !== null") == true, "the last one stays");
    page.value("document.querySelector(\"[data-knob='faults[0].for'] button\").click()");
    page.until("document.getElementById('problem').hidden && location.search === '?seed=1'");

    // The seed, and a run pinned beside another.
    page.value(
        "[...document.querySelectorAll('button')].find((own) => own.textContent === 'pin').click()",
    );
    page.until("document.querySelectorAll('.digest').length === 2");
    put(&mut page, "#seeds", "5", "input");
    page.until("document.querySelector('.repeat').textContent.endsWith('--seed 5')");
    assert_eq!(digest(&mut page, 1), first, "what is pinned stays");
    assert_ne!(digest(&mut page, 0), first);
    assert!(page.value("document.querySelector('.difference') !== null") == true);
    assert_eq!(page.value("location.search"), "?seed=5&b.seed=1");
    page.value("[...document.querySelectorAll('button')].find((own) => own.textContent === 'unpin').click()");
    page.until("document.querySelectorAll('.digest').length === 1");

    // Saving: once the terminal says that this seed was shown, the file gets another rate.
    put(&mut page, "#seed", "77", "change");
    watching.until_told("--seed 77");
    page.until("document.querySelector('.repeat').textContent.endsWith('--seed 77')");
    let before = digest(&mut page, 0);
    let saved = shop().replace("rate: \"2/s\"", "rate: \"3/s\"");
    fs::write(watching.folder.join("shop.ron"), saved).unwrap();
    page.until(&format!("document.querySelector('.digest').textContent !== '{before}'"));
    page.until(&format!(
        "document.querySelector(\"{RATE}\").getAttribute('aria-valuetext') === '3/s'"
    ));

    proper(&page, &watching);
}

/// Nothing left the machine, and nobody complained.
fn proper(page: &Chromium, watching: &Watching) {
    let own = format!("http://{}/", watching.host);
    let foreign = |url: &String| !url.starts_with(&own) && !url.starts_with("data:");
    let requests = page.requests();
    assert!(requests.len() > 3, "{requests:?}");
    assert_eq!(requests.into_iter().filter(foreign).collect::<Vec<_>>(), [""; 0]);
    assert!(page.complaints().is_empty(), "{:?}", page.complaints());
}

#[test]
fn a_page_fits_a_phone_and_the_dark() {
    let Some(browser) = browser::found("the page of `sim watch`") else { return };
    let watching = Watching::start("watch-looks", &[]);
    let mut page = open(browser, &watching, "?variant=patient&b.variant=");
    for (width, height, dark) in
        [(1200, 900, false), (1200, 900, true), (400, 800, false), (1700, 1000, true)]
    {
        let picture = page.picture(width, height, dark);
        keep(&watching.folder, &format!("{width}-{dark}"), picture.as_str().unwrap());
        let wide = page.value("document.documentElement.scrollWidth");
        assert!(wide.as_u64() <= Some(u64::from(width)), "{wide} px in {width}");
        let paper = page.value("getComputedStyle(document.body).backgroundColor");
        assert_eq!(paper, if dark { "rgb(20, 23, 28)" } else { "rgb(255, 255, 255)" });
    }
    proper(&page, &watching);
}

/// A picture for who looks at one.
fn keep(folder: &Path, name: &str, base64: &str) {
    fs::write(folder.join(format!("{name}.png.base64")), base64).unwrap();
}
