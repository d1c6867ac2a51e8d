//! Texts that have one spelling, read from left to right. Where a form has two, two verifiers can read one file differently,
//! and whoever wrote it chooses what each of them sees.

/// What is left of a text.
pub(super) struct Spelling<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Spelling<'a> {
    /// Begins at the text's first byte.
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Returns how many bytes were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns what was not read yet.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Reads these very bytes.
    pub(super) fn literal(&mut self, expected: &str) -> Option<()> {
        self.rest().starts_with(expected).then(|| self.at += expected.len())
    }

    /// Reads up to a character, and the character; returns what stands before it.
    pub(super) fn until(&mut self, end: char) -> Option<&'a str> {
        let (before, _) = self.rest().split_once(end)?;
        self.at += before.len() + end.len_utf8();
        Some(before)
    }

    /// Reads a whole number.
    pub(super) fn number(&mut self) -> Option<u64> {
        let rest = self.rest();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = decimal(&rest[..digits])?;
        self.at += digits;
        Some(number)
    }
}

/// Reads a decimal number in its one spelling: no sign, and no zero before other digits.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let leads_with_nothing = text.len() > 1 && text.starts_with('0');
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits_only && !leads_with_nothing { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for other in ["", "00", "01", "+1", "-0", "1.0", "1e1", " 1", "1 ", "18446744073709551616", "٣"] {
            assert_eq!(decimal(other), None, "{other:?}");
        }
    }

    #[test]
    fn nothing_is_read_that_does_not_fit() {
        let mut text = Spelling::of("—17,x");
        assert_eq!(text.number(), None);
        assert_eq!(text.literal("-"), None);
        assert_eq!(text.at(), 0);
        assert_eq!((text.until('1'), text.number(), text.literal(",")), (Some("—"), Some(7), Some(())));
        assert_eq!((text.until(','), text.rest()), (None, "x"));
    }
}
