//! Canonicalises a request's target once, so that the policy decides about the same bytes that go upstream. Every known
//! way of writing one path so that two programs read it as two is refused rather than repaired: whoever writes
//! `/orders/v0/orders/1%2Faddress` hopes that we see one segment and the provider two.

mod look_alike;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt};

/// A request target in origin form (RFC 9112 section 3.2.1), in exact canonical bytes: these are matched, and these are
/// forwarded. Parsing one again gives the same bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CanonicalTarget {
    /// The path, and where there is a query a `?` and the query.
    text: String,
    path_len: usize,
}

/// Why a target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathRefusal {
    /// The target does not begin with a slash: absolute form, authority form, asterisk form.
    #[error("the target is not in origin form")]
    NotOriginForm,
    /// The path is longer than [`CanonicalTarget::MAX_PATH_BYTES`] or the query than [`CanonicalTarget::MAX_QUERY_BYTES`].
    #[error("the target is too long")]
    TooLong,
    /// `//`, or a slash at the end.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// A segment of nothing but dots.
    #[error("the path has a dot segment")]
    DotSegment,
    /// `%2F` or `%5C`.
    #[error("the path has an encoded slash or backslash")]
    EncodedSlash,
    /// `%2E`.
    #[error("the path has an encoded dot")]
    EncodedDot,
    /// A letter or a digit that came percent-encoded. Clients have no reason to; those who evade filters do.
    #[error("the path has an encoded letter or digit")]
    EncodedLetter,
    /// `%25` and two hexadecimal digits: something encoded twice.
    #[error("the path is encoded twice")]
    EncodedTwice,
    /// A percent sign without two hexadecimal digits.
    #[error("a percent sign is not followed by two hexadecimal digits")]
    InvalidEncoding,
    /// Decoded bytes that are not UTF-8, overlong forms among them.
    #[error("the target is not UTF-8 when decoded")]
    InvalidUtf8,
    /// A character beyond ASCII that some programs fold into one that means something in a path.
    #[error("the path has a character that can pass for a separator")]
    LookAlike,
    /// A backslash.
    #[error("the target has a backslash")]
    Backslash,
    /// A semicolon; in a path also an encoded one.
    #[error("the target has a semicolon")]
    Semicolon,
    /// A control character, raw or encoded: NUL, CR, LF, tab.
    #[error("the target has a control character")]
    Control,
    /// A `#`.
    #[error("the target has a fragment")]
    Fragment,
    /// A raw byte beyond ASCII.
    #[error("the target has a byte that is not ASCII")]
    NotAscii,
    /// A raw character that RFC 3986 does not allow in a path.
    #[error("the path has a character that must be encoded")]
    NotAllowed,
}

impl CanonicalTarget {
    /// The longest path, in bytes, as it came and as it is forwarded.
    pub const MAX_PATH_BYTES: usize = 2_048;
    /// The longest query, in bytes, as it came and as it is forwarded.
    pub const MAX_QUERY_BYTES: usize = 8_192;

    /// Reads a target as it came on the request line.
    ///
    /// In the path, encoded `-`, `_` and `~` are decoded (RFC 3986 section 6.2.2.2), what stays encoded gets upper-case
    /// digits, and sub-delimiters stay as they came. In the query unreserved characters are decoded, the order of the
    /// parameters and repeated ones are kept, and `+` stays `+`. A `?` with nothing behind it is dropped.
    ///
    /// A stock-keeping unit with a slash, a backslash or a semicolon in it cannot be named in a path: that is the cost.
    ///
    /// # Errors
    /// [`PathRefusal`], the first found from the left. One pass; at most three bytes are written for each that is read.
    pub fn parse(raw: &str) -> Result<Self, PathRefusal> {
        if !raw.starts_with('/') {
            return Err(PathRefusal::NotOriginForm);
        }
        let (path, query) = raw.split_once('?').unwrap_or((raw, ""));
        if path.len() > Self::MAX_PATH_BYTES || query.len() > Self::MAX_QUERY_BYTES {
            return Err(PathRefusal::TooLong);
        }
        let mut text = String::with_capacity(raw.len());
        for segment in path[1..].split('/') {
            text.push('/');
            segment_push(&mut text, segment)?;
        }
        let path_len = text.len();
        if !query.is_empty() {
            text.push('?');
            query_push(&mut text, query)?;
        }
        if path_len > Self::MAX_PATH_BYTES || text.len() - path_len > Self::MAX_QUERY_BYTES + 1 {
            return Err(PathRefusal::TooLong);
        }
        Ok(Self { text, path_len })
    }

    /// Returns the path and the query: exactly what goes on the upstream request line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.text[..self.path_len]
    }

    /// Returns the query without its `?`, or `None` where there is none.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path_len + 1..)
    }

    /// Walks the path's segments, still encoded. None is empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> + Clone {
        self.path()[1..].split('/')
    }

    /// Walks the query's parameters, decoded as forms are (`+` is a space), in order, repeated ones each time.
    pub fn parameters(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (form_decoded(name), form_decoded(value))
        })
    }
}

impl fmt::Display for CanonicalTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Prints the path only: queries can hold what a log must not.
impl fmt::Debug for CanonicalTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CanonicalTarget({}{})", self.path(), if self.query().is_some() { "?…" } else { "" })
    }
}

fn segment_push(text: &mut String, segment: &str) -> Result<(), PathRefusal> {
    if segment.is_empty() {
        return Err(PathRefusal::EmptySegment);
    }
    let mut beyond_ascii = Vec::new();
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'%' => {
                let decoded = hex_pair(after)?;
                rest = &after[2..];
                match decoded {
                    b'/' | b'\\' => return Err(PathRefusal::EncodedSlash),
                    b'.' => return Err(PathRefusal::EncodedDot),
                    b';' => return Err(PathRefusal::Semicolon),
                    b'%' if hex_pair(rest).is_ok() => return Err(PathRefusal::EncodedTwice),
                    0..0x20 | 0x7F => return Err(PathRefusal::Control),
                    _ if decoded.is_ascii_alphanumeric() => return Err(PathRefusal::EncodedLetter),
                    b'-' | b'_' | b'~' => text.push(char::from(decoded)),
                    _ => percent_push(text, decoded),
                }
                beyond_ascii.push(decoded);
                continue;
            }
            b'\\' => return Err(PathRefusal::Backslash),
            b';' => return Err(PathRefusal::Semicolon),
            b'#' => return Err(PathRefusal::Fragment),
            0..0x20 | 0x7F => return Err(PathRefusal::Control),
            0x80.. => return Err(PathRefusal::NotAscii),
            _ if is_unreserved(byte) || is_sub_delimiter(byte) => text.push(char::from(byte)),
            _ => return Err(PathRefusal::NotAllowed),
        }
        // An ASCII character between two encoded bytes ends a UTF-8 sequence.
        beyond_ascii.push(b' ');
    }
    if segment.bytes().all(|byte| byte == b'.') {
        return Err(PathRefusal::DotSegment);
    }
    let decoded = std::str::from_utf8(&beyond_ascii).map_err(|_| PathRefusal::InvalidUtf8)?;
    if decoded.chars().any(char::is_control) {
        return Err(PathRefusal::Control);
    }
    if decoded.chars().any(look_alike::is_look_alike) {
        return Err(PathRefusal::LookAlike);
    }
    Ok(())
}

fn query_push(text: &mut String, query: &str) -> Result<(), PathRefusal> {
    let mut decoded_all = Vec::with_capacity(query.len());
    let mut rest = query.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let decoded = match byte {
            b'%' => {
                rest = after.get(2..).unwrap_or_default();
                let decoded = hex_pair(after)?;
                if is_unreserved(decoded) {
                    text.push(char::from(decoded))
                } else {
                    percent_push(text, decoded)
                }
                decoded
            }
            b'\\' => return Err(PathRefusal::Backslash),
            // Some servers split parameters at a semicolon too, and would read other parameters than we do.
            b';' => return Err(PathRefusal::Semicolon),
            b'#' => return Err(PathRefusal::Fragment),
            0..0x20 | 0x7F => return Err(PathRefusal::Control),
            0x80.. => return Err(PathRefusal::NotAscii),
            _ if is_unreserved(byte) || is_sub_delimiter(byte) || matches!(byte, b'/' | b'?') => {
                text.push(char::from(byte));
                byte
            }
            // `filter[0]={"a":1}`, as careless clients send it.
            _ => {
                percent_push(text, byte);
                byte
            }
        };
        decoded_all.push(decoded);
    }
    let decoded = std::str::from_utf8(&decoded_all).map_err(|_| PathRefusal::InvalidUtf8)?;
    if decoded.chars().any(char::is_control) {
        return Err(PathRefusal::Control);
    }
    Ok(())
}

fn hex_pair(bytes: &[u8]) -> Result<u8, PathRefusal> {
    let digit = |index: usize| bytes.get(index).and_then(|&byte| char::from(byte).to_digit(16));
    match (digit(0), digit(1)) {
        (Some(high), Some(low)) => Ok(u8::try_from(high << 4 | low).expect("two hexadecimal digits are a byte")),
        _ => Err(PathRefusal::InvalidEncoding),
    }
}

fn percent_push(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 0xF)]));
}

fn form_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What else a path segment may hold as it is (RFC 3986 section 3.3), but for the semicolon.
const fn is_sub_delimiter(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}
