//! What things are drawn with: each ink is a CSS class with a light and a dark form.
//!
//! Colours are Okabe and Ito's, which colour-blind readers can tell apart. Each line also has a
//! dash of its own and each breaker state a pattern, so that no meaning rests on colour alone.
//! Colours are written into plain rules instead of CSS variables, which several SVG renderers do
//! not know.

use plotters::style::{Color, RGBColor};
use plotters_backend::BackendColor;

/// One way of drawing. Plotters carries it as a colour whose blue part is its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Paper,
    Text,
    Muted,
    Halo,
    Grid,
    Axis,
    Shade,
    Fault,
    Broken,
    BrokenLine,
    Offered,
    Goodput,
    Failed,
    Retries,
    Median,
    Tail,
    Closed,
    Open,
    HalfOpen,
    Queue1,
    Queue2,
    Queue3,
    Queue4,
    Queue5,
    Queue6,
    Side1,
    Side2,
    Side3,
    Side4,
    Side5,
    Side6,
    Side7,
    Side8,
    Dot1,
    Dot2,
    Dot3,
    Dot4,
    Dot5,
    Dot6,
    Dot7,
    Dot8,
    Whisker,
    Border,
    Frame,
    Blank,
    Band,
    Limit,
    Success,
    ClientError,
    ServerError,
    ConnectionLost,
    TimedOut,
    Abandoned,
    NotSent,
    Tally,
    Unanswered,
    FailedMedian,
    FailedTail,
    Degraded,
}

/// The inks of queues, in the order in which they are given out.
pub const QUEUES: [Ink; 6] =
    [Ink::Queue1, Ink::Queue2, Ink::Queue3, Ink::Queue4, Ink::Queue5, Ink::Queue6];

/// The inks of the sides of a comparison, in the order in which they are given out: lines, and dots
/// of the same colours.
pub const SIDES: [Ink; 8] = [
    Ink::Side1,
    Ink::Side2,
    Ink::Side3,
    Ink::Side4,
    Ink::Side5,
    Ink::Side6,
    Ink::Side7,
    Ink::Side8,
];
pub const DOTS: [Ink; 8] =
    [Ink::Dot1, Ink::Dot2, Ink::Dot3, Ink::Dot4, Ink::Dot5, Ink::Dot6, Ink::Dot7, Ink::Dot8];

const ALL: [Ink; 59] = [
    Ink::Paper,
    Ink::Text,
    Ink::Muted,
    Ink::Halo,
    Ink::Grid,
    Ink::Axis,
    Ink::Shade,
    Ink::Fault,
    Ink::Broken,
    Ink::BrokenLine,
    Ink::Offered,
    Ink::Goodput,
    Ink::Failed,
    Ink::Retries,
    Ink::Median,
    Ink::Tail,
    Ink::Closed,
    Ink::Open,
    Ink::HalfOpen,
    Ink::Queue1,
    Ink::Queue2,
    Ink::Queue3,
    Ink::Queue4,
    Ink::Queue5,
    Ink::Queue6,
    Ink::Side1,
    Ink::Side2,
    Ink::Side3,
    Ink::Side4,
    Ink::Side5,
    Ink::Side6,
    Ink::Side7,
    Ink::Side8,
    Ink::Dot1,
    Ink::Dot2,
    Ink::Dot3,
    Ink::Dot4,
    Ink::Dot5,
    Ink::Dot6,
    Ink::Dot7,
    Ink::Dot8,
    Ink::Whisker,
    Ink::Border,
    Ink::Frame,
    Ink::Blank,
    Ink::Band,
    Ink::Limit,
    Ink::Success,
    Ink::ClientError,
    Ink::ServerError,
    Ink::ConnectionLost,
    Ink::TimedOut,
    Ink::Abandoned,
    Ink::NotSent,
    Ink::Tally,
    Ink::Unanswered,
    Ink::FailedMedian,
    Ink::FailedTail,
    Ink::Degraded,
];

/// A colour on white paper and the same colour on dark paper.
type Pair = [&'static str; 2];

const PAPER: Pair = ["#ffffff", "#14171c"];
const INK: Pair = ["#1b1f24", "#e8eaed"];
const MUTED: Pair = ["#59626c", "#a0a8b2"];
const BLUE: Pair = ["#0072b2", "#56b4e9"];
const GREEN: Pair = ["#009e73", "#1fc79a"];
const VERMILLION: Pair = ["#d55e00", "#ff7f2a"];
const PURPLE: Pair = ["#b0558a", "#e08fc0"];
const ORANGE: Pair = ["#c98400", "#e69f00"];
const SKY: Pair = ["#2b9fd6", "#8fd3ff"];

impl Ink {
    /// The ink that a plotters colour stands for.
    pub fn of(color: BackendColor) -> Ink {
        ALL.get(usize::from(color.rgb.2)).copied().unwrap_or(Ink::Text)
    }

    /// The CSS class.
    pub const fn class(self) -> &'static str {
        match self {
            Ink::Paper => "paper",
            Ink::Text => "text",
            Ink::Muted => "muted",
            Ink::Halo => "halo",
            Ink::Grid => "grid",
            Ink::Axis => "axis",
            Ink::Shade => "shade",
            Ink::Fault => "fault",
            Ink::Broken => "broken",
            Ink::BrokenLine => "brokenline",
            Ink::Offered => "offered",
            Ink::Goodput => "goodput",
            Ink::Failed => "failed",
            Ink::Retries => "retries",
            Ink::Median => "p50",
            Ink::Tail => "p99",
            Ink::Closed => "closed",
            Ink::Open => "open",
            Ink::HalfOpen => "halfopen",
            Ink::Queue1 => "q1",
            Ink::Queue2 => "q2",
            Ink::Queue3 => "q3",
            Ink::Queue4 => "q4",
            Ink::Queue5 => "q5",
            Ink::Queue6 => "q6",
            Ink::Side1 => "s1",
            Ink::Side2 => "s2",
            Ink::Side3 => "s3",
            Ink::Side4 => "s4",
            Ink::Side5 => "s5",
            Ink::Side6 => "s6",
            Ink::Side7 => "s7",
            Ink::Side8 => "s8",
            Ink::Dot1 => "d1",
            Ink::Dot2 => "d2",
            Ink::Dot3 => "d3",
            Ink::Dot4 => "d4",
            Ink::Dot5 => "d5",
            Ink::Dot6 => "d6",
            Ink::Dot7 => "d7",
            Ink::Dot8 => "d8",
            Ink::Whisker => "whisker",
            Ink::Border => "border",
            Ink::Frame => "frame",
            Ink::Blank => "blank",
            Ink::Band => "band",
            Ink::Limit => "limit",
            Ink::Success => "e-ok",
            Ink::ClientError => "e-4xx",
            Ink::ServerError => "e-5xx",
            Ink::ConnectionLost => "e-lost",
            Ink::TimedOut => "e-late",
            Ink::Abandoned => "e-left",
            Ink::NotSent => "e-none",
            Ink::Tally => "tally",
            Ink::Unanswered => "unanswered",
            Ink::FailedMedian => "f50",
            Ink::FailedTail => "f99",
            Ink::Degraded => "degraded",
        }
    }

    /// The declarations on paper `mode`: 0 is light, 1 is dark.
    fn declarations(self, id: &str, mode: usize) -> String {
        let fill = |pair: Pair, rest: &str| format!("fill:{}{rest}", pair[mode]);
        let line = |pair: Pair, width: &str, dash: &str| {
            let dash = if dash.is_empty() { "" } else { &format!(";stroke-dasharray:{dash}") };
            format!("fill:none;stroke:{};stroke-width:{width}{dash}", pair[mode])
        };
        let band = |pair: Pair| {
            format!("fill:url(#{id}-{});stroke:{};stroke-width:.8", self.class(), pair[mode])
        };
        match self {
            Ink::Paper => fill(PAPER, ""),
            Ink::Text => fill(INK, ""),
            Ink::Muted => fill(MUTED, ""),
            Ink::Halo => format!(
                "fill:{};stroke:{};stroke-width:3;stroke-linejoin:round;paint-order:stroke",
                INK[mode], PAPER[mode]
            ),
            Ink::Grid => line(["#e3e6ea", "#2b3038"], "1", ""),
            Ink::Axis => line(["#8b949e", "#6b7480"], "1", ""),
            Ink::Shade => fill(INK, ";fill-opacity:.07"),
            Ink::Fault => format!(
                "fill:{};fill-opacity:.22;stroke:{};stroke-width:.8",
                MUTED[mode], MUTED[mode]
            ),
            Ink::Broken => fill(VERMILLION, ""),
            Ink::BrokenLine => line(VERMILLION, "1.2", "2 3"),
            Ink::Offered => line(INK, "1.2", ""),
            Ink::Goodput => line(GREEN, "2.2", ""),
            Ink::Failed => line(VERMILLION, "1.8", "7 3"),
            Ink::Retries => line(BLUE, "1.8", "2 2"),
            Ink::Median => line(BLUE, "2", ""),
            Ink::Tail => line(PURPLE, "1.8", "7 3"),
            Ink::Closed => band(GREEN),
            Ink::Open => band(VERMILLION),
            Ink::HalfOpen => band(BLUE),
            Ink::Queue1 => line(BLUE, "1.8", ""),
            Ink::Queue2 => line(ORANGE, "1.8", "7 3"),
            Ink::Queue3 => line(PURPLE, "1.8", "2 2"),
            Ink::Queue4 => line(GREEN, "1.8", "9 3 2 3"),
            Ink::Queue5 => line(INK, "1.5", "4 2"),
            Ink::Queue6 => line(VERMILLION, "1.8", "1 3"),
            Ink::Side1 => line(INK, "2", ""),
            Ink::Side2 => line(BLUE, "2", "7 3"),
            Ink::Side3 => line(VERMILLION, "2", "2 2"),
            Ink::Side4 => line(GREEN, "2", "9 3 2 3"),
            Ink::Side5 => line(PURPLE, "2", "4 2"),
            Ink::Side6 => line(ORANGE, "2.2", "1 3"),
            Ink::Side7 => line(SKY, "2", "12 3"),
            Ink::Side8 => line(MUTED, "2", "6 2 1 2 1 2"),
            Ink::Dot1 => fill(INK, ""),
            Ink::Dot2 => fill(BLUE, ""),
            Ink::Dot3 => fill(VERMILLION, ""),
            Ink::Dot4 => fill(GREEN, ""),
            Ink::Dot5 => fill(PURPLE, ""),
            Ink::Dot6 => fill(ORANGE, ""),
            Ink::Dot7 => fill(SKY, ""),
            Ink::Dot8 => fill(MUTED, ""),
            Ink::Whisker => line(INK, "1.2", ""),
            Ink::Border => line(INK, "3.5", ""),
            Ink::Frame => line(INK, "1.2", ""),
            Ink::Blank => format!("fill:{};stroke:{};stroke-width:.8", PAPER[mode], MUTED[mode]),
            Ink::Band => fill(BLUE, ";fill-opacity:.2"),
            Ink::Limit => line(VERMILLION, "1.8", "7 3"),
            Ink::Success => band(GREEN),
            Ink::ClientError => band(ORANGE),
            Ink::ServerError => band(VERMILLION),
            Ink::ConnectionLost => band(PURPLE),
            Ink::TimedOut => band(BLUE),
            Ink::Abandoned => band(MUTED),
            Ink::NotSent => band(INK),
            Ink::Tally => fill(MUTED, ""),
            Ink::Unanswered => line(INK, "1.8", "1 3"),
            Ink::FailedMedian => line(VERMILLION, "1.6", "2 2"),
            Ink::FailedTail => line(VERMILLION, "1.8", "9 3 2 3"),
            Ink::Degraded => line(ORANGE, "1.8", "4 2"),
        }
    }
}

impl Color for Ink {
    fn to_backend_color(&self) -> BackendColor {
        RGBColor(0, 0, *self as u8).to_backend_color()
    }
}

/// The style sheet and the patterns of what `scope` selects; patterns are called after `id`. Every
/// rule is scoped, so that many figures fit on one page.
pub fn style(scope: &str, id: &str) -> String {
    let mut css = String::new();
    for (mode, (open, close)) in
        [("", ""), ("@media (prefers-color-scheme:dark){\n", "}\n")].into_iter().enumerate()
    {
        css += open;
        for ink in ALL {
            css += &format!("{scope} .{}{{{}}}\n", ink.class(), ink.declarations(id, mode));
        }
        for Fill { ink, pair, opacity, .. } in FILLS {
            let (name, colour) = (ink.class(), pair[mode]);
            css += &format!("{scope} .{name}-bg{{fill:{colour};fill-opacity:{opacity}}}\n");
            css += &format!("{scope} .{name}-fg{{fill:none;stroke:{colour}}}\n");
        }
        css += close;
    }
    let patterns: String = FILLS.iter().map(|fill| fill.pattern(id)).collect();
    format!("<style>\n{css}</style>\n<defs>\n{patterns}</defs>\n")
}

/// What an area is filled with: a tint, and strokes over it that tell it from others without colour.
struct Fill {
    ink: Ink,
    pair: Pair,
    opacity: &'static str,
    /// By how many degrees the strokes are turned.
    turn: u16,
    /// Through a tile of 7 px; nothing is plain.
    strokes: &'static str,
    /// How wide they are.
    width: &'static str,
}

const UPRIGHT: &str = "M3.5 0V7";
const CROSSED: &str = "M3.5 0V7M0 3.5H7";
const DOTTED: &str = "M2.5 3.5H4.5";

const FILLS: [Fill; 10] = [
    fill(Ink::Closed, GREEN, ".16", 0, "", "0"),
    fill(Ink::Open, VERMILLION, ".24", 45, UPRIGHT, "2.4"),
    fill(Ink::HalfOpen, BLUE, ".16", 0, UPRIGHT, "2.4"),
    fill(Ink::Success, GREEN, ".3", 0, "", "0"),
    fill(Ink::ClientError, ORANGE, ".24", 135, UPRIGHT, "1.4"),
    fill(Ink::ServerError, VERMILLION, ".3", 45, UPRIGHT, "2.4"),
    fill(Ink::ConnectionLost, PURPLE, ".2", 0, CROSSED, "1.4"),
    fill(Ink::TimedOut, BLUE, ".22", 90, UPRIGHT, "2"),
    fill(Ink::Abandoned, MUTED, ".2", 0, DOTTED, "2"),
    fill(Ink::NotSent, INK, ".04", 0, UPRIGHT, ".7"),
];

const fn fill(
    ink: Ink,
    pair: Pair,
    opacity: &'static str,
    turn: u16,
    strokes: &'static str,
    width: &'static str,
) -> Fill {
    Fill { ink, pair, opacity, turn, strokes, width }
}

impl Fill {
    /// The pattern of the figure `id`.
    fn pattern(&self, id: &str) -> String {
        let Fill { ink, turn, strokes, width, .. } = self;
        let name = ink.class();
        let turn = match turn {
            0 => String::new(),
            _ => format!(" patternTransform=\"rotate({turn})\""),
        };
        let strokes = match *strokes {
            "" => String::new(),
            _ => format!("<path class=\"{name}-fg\" stroke-width=\"{width}\" d=\"{strokes}\"/>"),
        };
        format!(
            "<pattern id=\"{id}-{name}\" width=\"7\" height=\"7\" \
             patternUnits=\"userSpaceOnUse\"{turn}>\
             <rect class=\"{name}-bg\" width=\"7\" height=\"7\"/>{strokes}</pattern>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ink_survives_plotters() {
        for (i, ink) in ALL.into_iter().enumerate() {
            assert_eq!(ink as usize, i);
            assert_eq!(Ink::of(ink.to_backend_color()), ink);
        }
    }
}
