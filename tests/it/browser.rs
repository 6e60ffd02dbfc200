//! A report in a real browser: what its scripts do, in light and dark, on a phone and on paper.
//!
//! `browser.js` is added to a copy of the page; it does what a reader does and writes what came of it
//! into the title. Without a Chromium the tests prove nothing, and say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::report::SHOP;
use crate::support::{scratch, sim_in};

const HOOK: &str = include_str!("browser.js");

/// A page of 400 px that says what the report in it says.
const PHONE: &str = "<!DOCTYPE html><title>nothing was said</title>
<script>addEventListener(\"message\", (event) => { document.title = event.data; });</script>
<iframe src=\"used.html\" style=\"border: 0; width: 400px; height: 800px\"></iframe>
";

fn browser() -> Option<&'static str> {
    found("a report in a browser")
}

/// The browser's name, if there is one; without it, something is not tested.
pub fn found(what: &str) -> Option<&'static str> {
    let is_there = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(is_there);
    if found.is_none() {
        eprintln!("SKIPPED: {what}; no Chromium is installed");
    }
    found
}

/// Whatever the browser says on standard output and standard error.
fn browse(browser: &str, folder: &Path, args: &[&str], page: &Path) -> (String, String) {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--hide-scrollbars", "--enable-logging=stderr", "--virtual-time-budget=5000"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", &profile])
        .args(args)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("it was there a moment ago");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr))
}

/// A report of three seeds and two variants, and a copy that uses itself.
fn pages(name: &str) -> (PathBuf, PathBuf, PathBuf) {
    let folder = scratch(name);
    fs::write(folder.join("shop.ron"), SHOP).unwrap();
    let told = sim_in(&folder, &["report", "shop.ron", "--seeds", "3"]);
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    let page = folder.join("out/report.html");
    let html = fs::read_to_string(&page).unwrap();
    let used = folder.join("used.html");
    fs::write(&used, html.replace("</body>", &format!("<script>{HOOK}</script></body>"))).unwrap();
    (folder, page, used)
}

/// The title that `browser.js` leaves; nothing was written to the console.
fn title(browser: &str, folder: &Path, args: &[&str], page: &Path) -> String {
    let (dom, log) = browse(browser, folder, &[args, &["--dump-dom"]].concat(), page);
    let said: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(said.is_empty(), "{said:?}");
    let start = dom.find("<title>").unwrap_or_else(|| panic!("no page: {dom}\n{log}")) + 7;
    dom[start..start + dom[start..].find("</title>").expect("a title ends")].to_owned()
}

#[test]
fn a_reader_points_zooms_chooses_and_searches() {
    let Some(browser) = browser() else { return };
    let (folder, _, used) = pages("browser");
    let wide = title(browser, &folder, &["--window-size=1200,900"], &used);
    assert!(wide.starts_with("all is well, dark false, 1200"), "{wide}");
    let dark = ["--window-size=1200,900", "--blink-settings=preferredColorScheme=0"];
    let dark = title(browser, &folder, &dark, &used);
    assert!(dark.starts_with("all is well, dark true"), "{dark}");
    // No window is as narrow as a phone, but a frame is.
    let phone = folder.join("phone.html");
    fs::write(&phone, PHONE).unwrap();
    let phone = title(browser, &folder, &["--window-size=1200,900"], &phone);
    assert!(phone.starts_with("all is well, dark false, 400"), "{phone}");
}

#[test]
fn a_page_prints_with_all_that_unfolds() {
    let Some(browser) = browser() else { return };
    let (folder, page, _) = pages("browser-print");
    let pdf = folder.join("report.pdf");
    let to = format!("--print-to-pdf={}", pdf.display());
    browse(browser, &folder, &[&to, "--no-pdf-header-footer"], &page);
    let pdf = fs::read(&pdf).expect("it prints");
    assert!(pdf.starts_with(b"%PDF"));
    let pages = String::from_utf8_lossy(&pdf).matches("/Type /Page\n").count();
    assert!(pages > 3, "{pages} pages");
}
