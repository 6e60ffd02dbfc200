//! How wide text will be, without a font: generous per character, so that what fits here fits
//! on paper.

/// The width of a character in ems, as wide fonts such as DejaVu Sans have it.
fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.36,
        'f' | 't' | 'r' | '(' | ')' | '"' | '/' | '-' | '[' | ']' => 0.46,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '—' | '…' => 0.98,
        'A'..='Z' => 0.74,
        '\u{1100}'..='\u{ffff}' | '\u{1f000}'..='\u{3ffff}' => 1.05,
        _ => 0.64,
    }
}

/// How much wider bold letters are: what fits at a size so many times as large fits in bold.
pub const BOLD: f64 = 1.13;

/// What a character of a monospace face takes, in ems: DejaVu Sans Mono's 0.602; two of them where it
/// is ideographic.
const MONOSPACE: f64 = 0.61;

/// The width of `text` at `size` px.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

/// `text`, cut with an ellipsis where it would pass `room` px.
pub fn clip(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = em('…') * size;
    for c in text.chars() {
        used += em(c) * size;
        if used > room {
            break;
        }
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    kept + "…"
}

/// `text` broken into at most `lines_max` lines of `room` px; the last is clipped. Breaks at
/// spaces, and inside a word only where the word is wider than a line.
pub fn wrap(text: &str, size: f64, room: f64, lines_max: usize) -> Vec<String> {
    lines(text, size, room, lines_max, em)
}

/// `text` in a monospace face, broken into lines of `room` px as [`wrap`] breaks it.
pub fn wrap_monospace(text: &str, size: f64, room: f64) -> Vec<String> {
    let em = |c| if em(c) > 1.0 { 2.0 * MONOSPACE } else { MONOSPACE };
    lines(text, size, room, usize::MAX, em)
}

fn lines(
    text: &str,
    size: f64,
    room: f64,
    lines_max: usize,
    em: impl Fn(char) -> f64,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if lines.len() + 1 == lines_max {
            lines.push(clip(rest, size, room));
            break;
        }
        let (line, tail) = rest.split_at(break_point(rest, room, |c| em(c) * size));
        lines.push(line.trim_end().to_owned());
        rest = tail.trim_start();
    }
    lines
}

/// The byte at which the first line of `text` ends; at least one character is taken.
fn break_point(text: &str, room: f64, wide: impl Fn(char) -> f64) -> usize {
    let mut used = 0.0;
    let mut space = None;
    for (at, c) in text.char_indices() {
        used += wide(c);
        if used > room && at > 0 {
            return space.unwrap_or(at);
        }
        if c == ' ' {
            space = Some(at + 1);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_loses_nothing_but_spaces() {
        let text = "one two 三四五六七八九十 averyveryverylongwordwithoutanyspace end";
        let lines = wrap(text, 10.0, 80.0, usize::MAX);
        assert!(lines.iter().all(|line| width(line, 10.0) <= 80.0), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
    }

    #[test]
    fn a_narrow_character_is_as_wide_as_any_in_a_monospace_face() {
        let room = 10.0 * MONOSPACE * 10.0;
        assert_eq!(wrap_monospace("1/s,2/s,3/s,4/s", 10.0, room + 0.1), ["1/s,2/s,3/", "s,4/s"]);
        assert_eq!(wrap("1/s,2/s,3/s,4/s", 10.0, room + 0.1, 9), ["1/s,2/s,3/s", ",4/s"]);
    }

    #[test]
    fn clipping_keeps_to_the_room() {
        for room in [0.0, 12.0, 40.0, 1000.0] {
            let clipped = clip("Zürich, 三四五六", 11.0, room);
            assert!(clipped == "…" || width(&clipped, 11.0) <= room, "{clipped}");
        }
        assert_eq!(wrap("a b c d", 10.0, 12.0, 2), ["a", "…"]);
    }
}
