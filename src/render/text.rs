//! Words, numbers and outside text, made fit to be read.

/// Whether a character can move the cursor, reorder a line or hide in it: terminal controls, bidi
/// marks and overrides, zero-width characters, line and paragraph separators.
#[must_use]
pub fn steers(c: char) -> bool {
    let code = u32::from(c);
    c.is_control()
        || matches!(code, 0x061c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb)
        || (0xe0000..=0xe007f).contains(&code)
}

/// Outside text on one line: line breaks and tabs become blanks, everything else that steers is
/// dropped.
#[must_use]
pub fn clean(text: &str) -> String {
    let blank = |c: char| if matches!(c, '\n' | '\t' | '\r') { ' ' } else { c };
    text.chars().map(blank).filter(|c| !steers(*c)).collect()
}
