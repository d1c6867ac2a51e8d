//! Names that people give to things. A name is only data: it is never a path, a template or a key.

/// A name: trimmed, 1 to 200 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// A text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is no name: 1 to 200 characters are expected, without control characters")]
pub struct NotAName {
    /// The field that it stood in.
    pub field: &'static str,
}

impl Name {
    /// The longest name, in characters.
    pub const MAX: usize = 200;

    /// Reads the name in `field`.
    ///
    /// # Errors
    /// [`NotAName`], naming the field.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, NotAName> {
        let name = text.trim();
        // Bidirectional overrides would let a name read as another's on an auditor's screen.
        let hides = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if name.is_empty() || name.chars().count() > Self::MAX || name.contains(hides) {
            return Err(NotAName { field });
        }
        Ok(Self(name.to_owned()))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_otherwise_left_as_it_is() {
        for text in ["Acme", "../../etc", "{{tenant}}", "a/b*", "Ümläut & Söhne", &"x".repeat(200)] {
            assert_eq!(Name::parse("name", &format!("  {text} ")).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_name_is_refused_naming_the_field() {
        for text in ["", "   ", "a\nb", "a\u{0}b", "a\u{202e}b", &"x".repeat(201)] {
            assert_eq!(Name::parse("label", text), Err(NotAName { field: "label" }), "{text:?}");
        }
    }
}
