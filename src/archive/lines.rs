//! The lines of a table, out of a small buffer that is used again and again.

use std::io::{self, Read};

use memchr::memchr;

/// Bytes read at once: they stay in the processor's cache until they are parsed.
const BUFFER: usize = 256 << 10;

/// Longer than any row of a table.
const LONGEST_LINE: usize = 64 << 10;

/// One line without its end.
pub(crate) struct Line<'a> {
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) text: &'a [u8],
    /// Whether a line break follows.
    pub(crate) ended: bool,
}

/// Reads line by line; the last one need not end.
pub(crate) struct Lines<'a> {
    reader: &'a mut dyn Read,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(reader: &'a mut dyn Read) -> Lines<'a> {
        Lines { reader, buffer: vec![0; BUFFER], begin: 0, end: 0, number: 0 }
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut searched = 0;
        let length = loop {
            let waiting = self.buffer.get(self.begin + searched..self.end).unwrap_or_default();
            if let Some(at) = memchr(b'\n', waiting) {
                break Some(searched + at);
            }
            searched += waiting.len();
            if searched > LONGEST_LINE {
                let problem = format!("line {} has no end: it is no table", self.number + 1);
                return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
            }
            if self.fill()? == 0 {
                break None;
            }
        };
        let begin = self.begin;
        let end = length.map_or(self.end, |length| begin + length);
        self.begin = length.map_or(self.end, |_| end + 1);
        if length.is_none() && begin == end {
            return Ok(None);
        }
        self.number += 1;
        let text = self.buffer.get(begin..end).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Ok(Some(Line { number: self.number, text, ended: length.is_some() }))
    }

    /// Moves what waits to the front and reads behind it.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        loop {
            match self.reader.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn all(text: &[u8], at_once: usize) -> Vec<(usize, String, bool)> {
        let mut slow = Slow(text, at_once);
        let mut lines = Lines::new(&mut slow);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push((line.number, String::from_utf8(line.text.to_vec()).unwrap(), line.ended));
        }
        found
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        let expected = [
            (1, "a,b".to_owned(), true),
            (2, String::new(), true),
            (3, "c".to_owned(), true),
            (4, "d".to_owned(), false),
        ];
        for at_once in 1..12 {
            assert_eq!(all(b"a,b\r\n\nc\nd", at_once), expected, "{at_once} at once");
        }
        assert_eq!(all(b"", 5), []);
        assert_eq!(all(b"a\n", 5), [(1, "a".to_owned(), true)]);
    }

    #[test]
    fn more_than_a_buffer_passes_through_and_a_line_without_end_does_not() {
        let long = "x".repeat(999) + "\n";
        let found = all(long.repeat(1000).as_bytes(), 100_000);
        assert!(found.len() == 1000 && found.iter().all(|(_, text, ended)| text.len() == 999 && *ended));
        let mut endless = Slow(&[b'0'; 200_000], 100_000);
        let error = Lines::new(&mut endless).next().err().unwrap();
        assert_eq!(error.to_string(), "line 1 has no end: it is no table");
    }
}
