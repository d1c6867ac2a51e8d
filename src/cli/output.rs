//! What a command prints: JSON for programs, an aligned table for people, and lines on standard error.

use super::failure::Failure;
use clap::Args;
use serde_json::Value;
use std::io::{self, Write};

/// How an answer is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Form {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A column of a table: its heading, and where its value is (RFC 6901).
pub(super) type Column = (&'static str, &'static str);

impl Form {
    /// Prints a listing.
    pub(super) fn list(self, items: &[Value], columns: &[Column]) -> Result<(), Failure> {
        if self.json {
            return say(&json(&Value::Array(items.to_vec())));
        }
        if items.is_empty() {
            return say("none");
        }
        say(&table(items, columns))
    }

    /// Prints one thing: its members line by line.
    pub(super) fn show(self, item: &Value) -> Result<(), Failure> {
        if self.json {
            return say(&json(item));
        }
        let Value::Object(members) = item else {
            return say(&cell(Some(item)));
        };
        let width = members.keys().map(String::len).max().unwrap_or(0);
        let line = |(name, value): (&String, &Value)| format!("{name:width$}  {}", cell(Some(value)));
        say(&members.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

/// Prints text and a line end to standard output.
pub(super) fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Prints a line to standard error. Nobody is left to tell where that fails.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn json(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value is JSON")
}

fn table(items: &[Value], columns: &[Column]) -> String {
    let heading = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let row = |item: &Value| columns.iter().map(|(_, pointer)| cell(item.pointer(pointer))).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(items.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Writes a value as people read it. Control characters go: a tenant's name could otherwise steer an operator's terminal.
fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            let joined = items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(" ");
            if joined.is_empty() { "-".to_owned() } else { joined }
        }
        Some(other) => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_is_aligned_and_says_a_dash_for_what_is_absent() {
        let items = [json!({ "id": "a", "name": "Ümlaut" }), json!({ "id": "longer", "scopes": ["x", "y"] })];
        insta::assert_snapshot!(table(&items, &[("ID", "/id"), ("NAME", "/name"), ("SCOPES", "/scopes")]), @r"
        ID      NAME    SCOPES
        a       Ümlaut  -
        longer  -       x y
        ");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(cell(Some(&json!("\u{1b}[2Jacme"))), "\u{fffd}[2Jacme");
    }
}
