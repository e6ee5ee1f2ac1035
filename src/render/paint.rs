//! Colour, for meaning only.

use crate::render::Style;

/// What a line means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// What happens, among what does not.
    Strong,
    /// Nothing happens here.
    Faint,
    /// Done as wanted.
    Good,
    /// Needs attention.
    Attention,
    /// Went wrong or is refused.
    Bad,
    /// Went wrong, before everything else.
    Alarm,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Attention => "33",
            Tone::Bad => "31",
            Tone::Alarm => "1;31",
        }
    }
}

/// `text` in the colour of `tone`, where colours are wanted.
pub(crate) fn paint(text: &str, tone: Tone, style: &Style) -> String {
    if !style.color || tone == Tone::Plain || text.is_empty() {
        return text.to_owned();
    }
    format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
}

/// The same drawing without anything beyond ASCII, character for character, so that columns stay.
/// Names of coins are left as the exchange spells them.
pub(crate) fn in_ascii(text: &str) -> String {
    let plain = |c: char| match c {
        '─' => '-',
        '│' => '|',
        '█' => '#',
        '▌' | '▐' => '=',
        '▶' => '>',
        '◀' => '<',
        '·' => '.',
        '≈' => '~',
        '≤' => '<',
        '≥' => '>',
        '…' => '~',
        '→' => '>',
        other => other,
    };
    text.chars().map(plain).collect()
}
