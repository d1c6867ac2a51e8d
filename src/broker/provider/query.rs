//! Reads a query's parameters as a decision needs them: by one exact name, every value, lists split at commas.

use super::demand::BodyRefusal;
use crate::policy::path::CanonicalTarget;

/// Returns every value of a parameter, of repeated ones and of lists `a,b`, or an empty list where there is none.
///
/// # Errors
/// [`BodyRefusal::AmbiguousKey`] where a parameter could pass for `name` with a laxer reader: in another case, padded, or
/// in one of the array forms `name[]`, `name[0]`, `name.1`.
pub(super) fn values(target: &CanonicalTarget, name: &str) -> Result<Vec<String>, BodyRefusal> {
    let mut values = Vec::new();
    for (key, value) in target.parameters() {
        if key == name {
            values.extend(value.split(',').filter(|item| !item.is_empty()).map(str::to_owned));
        } else if passes_for(&key, name) {
            return Err(BodyRefusal::AmbiguousParameter(name.to_owned()));
        }
    }
    Ok(values)
}

fn passes_for(key: &str, name: &str) -> bool {
    let stem = key.split(['[', '.']).next().unwrap_or_default();
    stem.trim().eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Vec<String>, BodyRefusal> {
        values(&CanonicalTarget::parse(&format!("/a?{query}")).unwrap(), "reportTypes")
    }

    #[test]
    fn every_value_counts() {
        assert_eq!(read("reportTypes=A,B&x=1&reportTypes=C%2CD").unwrap(), ["A", "B", "C", "D"]);
        assert_eq!(read("%72eportTypes=A").unwrap(), ["A"]);
        assert!(read("x=1").unwrap().is_empty());
    }

    #[test]
    fn a_name_that_a_laxer_reader_would_take_is_refused() {
        for query in [
            "ReportTypes=A",
            "reporttypes=A",
            "reportTypes%5B%5D=A",
            "reportTypes[0]=A",
            "reportTypes.1=A",
            "+reportTypes=A",
        ] {
            assert!(matches!(read(query), Err(BodyRefusal::AmbiguousParameter(_))), "{query}");
        }
    }
}
