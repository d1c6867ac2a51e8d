//! Reads a JSON body strictly and writes it again. Two programs that read one body differently (the first or the last of
//! two equal keys, a deep tail that one of them drops) would be two opinions about what was asked; so what goes upstream
//! is what was read here.

use super::demand::BodyRefusal;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};
use std::{collections::HashSet, fmt};

/// The longest body that is read to find its category.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// The deepest nesting of arrays and objects.
const MAX_DEPTH: usize = 32;

/// Marks a duplicate key in the parser's error message, which is the only way out of a visitor.
const DUPLICATE: &str = "duplicate key ";

/// A JSON value whose objects keep their order. Numbers are 64-bit integers or IEEE 754 doubles.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a body of at most [`MAX_BODY_BYTES`], at most 32 deep, without duplicate keys.
    pub(super) fn parse(body: &[u8]) -> Result<Self, BodyRefusal> {
        if body.len() > MAX_BODY_BYTES {
            return Err(BodyRefusal::TooLarge);
        }
        // Before parsing, so that a body of a million brackets costs one pass and no stack.
        if depth(body) > MAX_DEPTH {
            return Err(BodyRefusal::TooDeep);
        }
        serde_json::from_slice(body).map_err(|error| match error.to_string().strip_prefix(DUPLICATE) {
            Some(key) => BodyRefusal::DuplicateKey(key.chars().take(100).collect()),
            None => BodyRefusal::NotJson,
        })
    }

    /// Writes the value without spaces.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a value that was parsed can be written")
    }

    /// Returns an object's member, or `None` where it is absent or `null`.
    ///
    /// # Errors
    /// [`BodyRefusal::AmbiguousKey`] where a key differs from `name` in case only: a parser that ignores case would take
    /// it. [`BodyRefusal::Missing`] where the value is not an object.
    pub(super) fn member(&mut self, name: &'static str) -> Result<Option<&mut Self>, BodyRefusal> {
        let Self::Object(members) = self else {
            return Err(BodyRefusal::Missing(name));
        };
        if members.iter().any(|(key, _)| key != name && key.eq_ignore_ascii_case(name)) {
            return Err(BodyRefusal::AmbiguousKey(name));
        }
        let found = members.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value);
        Ok(found.filter(|value| **value != Self::Null))
    }

    /// Returns a member that must be a string.
    pub(super) fn text(&mut self, name: &'static str) -> Result<&mut String, BodyRefusal> {
        match self.member(name)? {
            Some(Self::String(text)) => Ok(text),
            _ => Err(BodyRefusal::Missing(name)),
        }
    }

    /// Returns a member that must be an array.
    pub(super) fn array(&mut self, name: &'static str) -> Result<&mut Vec<Self>, BodyRefusal> {
        match self.member(name)? {
            Some(Self::Array(items)) => Ok(items),
            _ => Err(BodyRefusal::Missing(name)),
        }
    }
}

/// Counts how deep brackets nest, outside of strings.
fn depth(body: &[u8]) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Json, E> {
        serde_json::Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let (mut members, mut seen) = (Vec::new(), HashSet::new());
        while let Some((key, value)) = access.next_entry::<String, Json>()? {
            if !seen.insert(key.clone()) {
                return Err(de::Error::custom(format_args!("{DUPLICATE}{key}")));
            }
            members.push((key, value));
        }
        Ok(Json::Object(members))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => value.serialize(serializer),
            Self::String(value) => serializer.serialize_str(value),
            Self::Array(items) => {
                let mut array = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    array.serialize_element(item)?;
                }
                array.end()
            }
            Self::Object(members) => {
                let mut object = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    object.serialize_entry(key, value)?;
                }
                object.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_written_in_the_order_it_was_read() {
        let body = br#" { "z" : 1, "a" : [ -2, 1.5, 18446744073709551615, true, null, "\u00e9\n" ], "m" : {} } "#;
        let json = Json::parse(body).unwrap();
        let written = r#"{"z":1,"a":[-2,1.5,18446744073709551615,true,null,"é\n"],"m":{}}"#;
        assert_eq!(String::from_utf8(json.to_bytes()).unwrap(), written);
        assert_eq!(Json::parse(&json.to_bytes()), Ok(json));
    }

    #[test]
    fn a_duplicate_key_is_refused_at_every_depth_and_in_every_spelling() {
        for body in [r#"{"a":1,"a":1}"#, r#"{"b":[{"a":1,"\u0061":2}]}"#, r#"{"x":{"a":{},"b":1,"a":[]}}"#] {
            assert!(matches!(Json::parse(body.as_bytes()), Err(BodyRefusal::DuplicateKey(_))), "{body}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded_before_parsing() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(nested(32).as_bytes()).is_ok());
        assert_eq!(Json::parse(nested(33).as_bytes()), Err(BodyRefusal::TooDeep));
        assert_eq!(Json::parse("[".repeat(1_000_000).as_bytes()), Err(BodyRefusal::TooDeep));
        assert!(Json::parse(br#"["[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[["]"#).is_ok(), "brackets in a string");
        assert_eq!(Json::parse(&vec![b' '; MAX_BODY_BYTES + 1]), Err(BodyRefusal::TooLarge));
    }

    #[test]
    fn what_is_not_exactly_one_json_value_is_refused() {
        for body in
            ["", "{", "{}{}", "{} x", "\u{FEFF}{}", "{'a':1}", "{a:1}", "[1,]", "NaN", "1e999", r#""\ud800""#, "/**/{}"]
        {
            assert_eq!(Json::parse(body.as_bytes()), Err(BodyRefusal::NotJson), "{body:?}");
        }
        assert_eq!(Json::parse(b"\"\xff\""), Err(BodyRefusal::NotJson));
    }

    #[test]
    fn a_key_in_another_case_is_ambiguous() {
        let mut json = Json::parse(br#"{"reportType":"A","ReportType":"B"}"#).unwrap();
        assert_eq!(json.text("reportType"), Err(BodyRefusal::AmbiguousKey("reportType")));
    }
}
