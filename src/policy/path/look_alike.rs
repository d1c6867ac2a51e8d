//! Characters beyond ASCII that pass for one which separates or ends something in a path. A provider's front end that
//! normalises Unicode (NFKC), or maps to a smaller character set by best fit, would see two segments where we saw one.

/// Tells whether `c` can become `/`, `\`, `.`, `;`, `%`, `?` or `#`: by compatibility decomposition (all of Unicode 16's,
/// by block), or by looking so much like a slash that best-fit tables map it.
pub(super) const fn is_look_alike(c: char) -> bool {
    matches!(c,
        '\u{037E}'                  // Greek question mark: ;
        | '\u{2024}'..='\u{2026}'   // dot leaders, ellipsis
        | '\u{2044}' | '\u{2215}' | '\u{2216}' | '\u{29F5}' | '\u{29F8}' | '\u{29F9}' // slashes of mathematics
        | '\u{2047}'..='\u{2049}'   // double punctuation: ?
        | '\u{2100}' | '\u{2101}' | '\u{2105}' | '\u{2106}' // account of, care of: /
        | '\u{2488}'..='\u{249B}'   // digits with a full stop
        | '\u{33C2}' | '\u{33C7}' | '\u{33D8}' // squared abbreviations: .
        | '\u{FE14}' | '\u{FE16}' | '\u{FE19}' | '\u{FE30}' // vertical forms
        | '\u{FE52}' | '\u{FE54}' | '\u{FE56}' | '\u{FE5F}' | '\u{FE68}' | '\u{FE6A}' // small forms
        | '\u{FF03}' | '\u{FF05}' | '\u{FF0E}' | '\u{FF0F}' | '\u{FF1B}' | '\u{FF1F}' | '\u{FF3C}' // full width
        | '\u{1F100}'               // digit zero full stop
    )
}
