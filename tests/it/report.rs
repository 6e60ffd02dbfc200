//! The page that `sim report` writes: it says what the other commands say, and is the same again.

use std::fs;

use crate::support::{root, scratch, sim_in};

/// A payment whose answer is lost, so that the retry charges twice; `safe` has a key.
pub const SHOP: &str = r#"Scenario(
    name: "shop", about: "Users pay.", hypothesis: "Nobody pays twice.", horizon: "20s",
    actors: {
        "users": Client(
            load: Open(rate: "2/s", until: "10s"), does: [Call("psp.charge", policy: "again")],
        ),
        "psp": Service(workers: 8, endpoints: { "charge": [Work(Const("20ms")), Effect("charge")] }),
    },
    policies: { "again": [
        Retry(attempts: 3, backoff: Constant("1s"), even_if_unsafe: true), Timeout("1s"),
    ] },
    faults: [At("2s", for: "2s", Loss("psp", "users", 0.5))],
    invariants: [AtMostOnce("charge")],
    variants: { "patient": { "policies.again": [Timeout("5s")] } },
)
"#;

#[test]
fn a_page_says_what_a_run_says() {
    let folder = scratch("report");
    fs::write(folder.join("shop.ron"), SHOP).unwrap();
    let told = sim_in(&folder, &["report", "shop.ron"]);
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(
        told.stdout.starts_with("VIOLATED  shop: AtMostOnce(\"charge\") broken"),
        "{}",
        told.stdout
    );
    let html = fs::read_to_string(folder.join("out/report.html")).unwrap();
    let markdown = fs::read_to_string(folder.join("out/report.md")).unwrap();
    for variant in [None, Some("patient")] {
        let mut args = vec!["run", "shop.ron", "--json"];
        args.extend(variant.iter().flat_map(|name| ["--variant", *name]));
        let run = sim_in(&folder, &args);
        let run: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let text = |key: &str| run[key].as_str().unwrap().to_owned();
        for figure in [text("digest"), text("run_id")] {
            assert!(html.contains(&figure), "{figure}");
        }
        assert!(markdown.contains(&text("digest")), "{markdown}");
    }
    assert!(markdown.contains("| base | violated | AtMostOnce"), "{markdown}");
    for picture in ["shop.svg", "shop-patient.svg", "shop-why-1.svg"] {
        assert!(folder.join("out").join(picture).is_file(), "{picture}");
    }
    assert!(markdown.contains("(shop.svg)"), "{markdown}");
}

#[test]
fn a_page_is_the_same_again() {
    let folder = scratch("report-again");
    fs::write(folder.join("shop.ron"), SHOP).unwrap();
    let page = |out: &str| {
        let told = sim_in(&folder, &["report", "shop.ron", "--seeds", "3", "--out", out]);
        assert_eq!(told.code, Some(1), "{}", told.stderr);
        fs::read(folder.join(out).join("report.html")).unwrap()
    };
    let html = page("a");
    assert_eq!(html, page("b"));
    let html = String::from_utf8(html).unwrap();
    for seed in 1..=3 {
        assert!(html.contains(&format!("sim run shop.ron --variant patient --seed {seed}")));
    }
    assert!(html.contains("sim compare shop.ron --variant base --variant patient --seeds 3"));
}

#[test]
fn every_seed_that_ran_is_counted_also_where_its_timeline_is_not_there() {
    let folder = scratch("report-seeds");
    fs::write(folder.join("shop.ron"), SHOP).unwrap();
    let many = ["shop.ron", "--seeds", "25"];
    assert_eq!(sim_in(&folder, &[&["report"][..], &many].concat()).code, Some(1));
    sim_in(&folder, &[&["check"][..], &many, &["--rows", "rows.jsonl"]].concat());
    let rows = fs::read_to_string(folder.join("rows.jsonl")).unwrap();
    let count = |verdict: &str| rows.matches(&format!("\"verdict\":\"{verdict}\"")).count();
    let (violated, kept) = (count("violated"), count("kept"));
    assert!(violated > 0 && kept > 0 && violated + kept == 25, "{rows}");
    let html = fs::read_to_string(folder.join("out/report.html")).unwrap();
    assert!(html.contains(&format!("<td>{violated} violated, {kept} kept</td>")), "{violated}");
    assert!(html.contains("sim run shop.ron --seed 20<") && !html.contains("--seed 21<"));
}

#[test]
fn several_files_are_chapters_and_mistakes_are_told_as_elsewhere() {
    let folder = scratch("report-several");
    fs::write(folder.join("shop.ron"), SHOP).unwrap();
    fs::copy(root().join("scenarios/double_click.ron"), folder.join("click.ron")).unwrap();
    let told = sim_in(&folder, &["report", "shop.ron", "click.ron"]);
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    let html = fs::read_to_string(folder.join("out/report.html")).unwrap();
    assert!(html.contains("2 scenarios") && html.contains("id=\"c1\""));
    let told = sim_in(&folder, &["report", "shop.ron", "shp.ron"]);
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("there is no file shp.ron"), "{}", told.stderr);
    let told = sim_in(&folder, &["report", "shop.ron", "--variants", "none"]);
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("there is no `none`"), "{}", told.stderr);
    let map = ["report", "shop.ron", "--x", "actors.psp.workers=1,2", "--seeds", "1"];
    assert_eq!(sim_in(&folder, &map).code, Some(1));
    let html = fs::read_to_string(folder.join("out/report.html")).unwrap();
    assert!(html.contains("sim map shop.ron --x 'actors.psp.workers=1,2' --seeds 1"));
}
