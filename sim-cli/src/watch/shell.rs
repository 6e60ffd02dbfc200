//! The page itself: what stands still while runs come and go.

use maud::{DOCTYPE, PreEscaped, html};

use crate::chart;
use crate::page;

/// What a page runs.
pub const SCRIPT: &str = include_str!("watch.js");

const STYLE: &str = include_str!("watch.css");

/// Nothing but this server's own scripts and answers.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; \
                          connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                          frame-ancestors 'none'";

/// The page for a scenario that is called so.
pub fn page(label: &str) -> String {
    let label = page::said(label);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (page::metas())
                link rel="icon" href="data:,";
                title { (label) }
                style { (PreEscaped(page::STYLE)) (PreEscaped(STYLE)) }
                script src="report.js" defer {}
                script src="watch.js" defer {}
            }
            body .watch {
                (PreEscaped(chart::style()))
                header {
                    h1 id="name" { (label) }
                    p id="status" role="status" { "running …" }
                }
                noscript { p .warning { "This page needs scripts. `sim report` writes one without." } }
                form id="controls" autocomplete="off" aria-label="what is run" {}
                pre id="problem" role="alert" hidden {}
                main id="report" {}
            }
        }
    }
    .into_string()
}
