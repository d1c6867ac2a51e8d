//! `leasehold connection import`: connections in bulk, with refresh tokens that were obtained elsewhere. The input is
//! read once into memory that is wiped, never copied to another file, and no message repeats a value of it.

use super::{
    application::exposed,
    client::{Client, ClientError},
    failure::Failure,
    output,
    progress::Progress,
};
use crate::secret::SecretText;
use clap::Args;
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::HashMap, io::Read, path::PathBuf};
use zeroize::Zeroizing;

/// How many connections are imported at once: each costs the provider a call.
const AT_ONCE: usize = 4;
/// The longest input, in bytes.
const LONGEST: u64 = 64 << 20;
const FIELDS: [&str; 8] = ["tenant", "name", "provider", "kind", "region", "country", "account", "refresh_token"];
const DEFAULT_PROVIDER: &str = "amazon-sp-api";

#[derive(Args, Debug)]
pub(super) struct Import {
    /// JSON Lines, or CSV with a heading: tenant, name, provider (amazon-sp-api where it is absent), kind, region,
    /// country, account (may be absent) and refresh_token. - reads standard input
    file: PathBuf,
}

/// One connection to import, or what is wrong with its line.
struct Line {
    number: u64,
    row: Result<Row, &'static str>,
}

struct Row {
    connection: Value,
    refresh_token: SecretText,
}

#[derive(Serialize)]
struct Credential {
    #[serde(serialize_with = "exposed")]
    refresh_token: SecretText,
}

/// Why a row was not imported.
#[derive(Debug, thiserror::Error)]
enum RowFailure {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("{0}")]
    NotAdded(ClientError),
    #[error("connection {connection} was added and waits for its credential: {source}")]
    NotImported { connection: String, source: ClientError },
}

impl Import {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let input = self.read()?;
        let lines = parse(&input).map_err(Failure::usage)?;
        drop(input);
        let total = lines.len();
        let mut progress = Progress::begin("connections", total as u64);
        let import = |line: Line| async move { (line.number, import(client, line.row).await) };
        let mut imports = futures_util::stream::iter(lines).map(import).buffer_unordered(AT_ONCE);
        let mut failed = Vec::new();
        while let Some((number, imported)) = imports.next().await {
            if let Err(failure) = imported {
                failed.push((number, failure));
            }
            progress.advance();
        }
        progress.end();
        failed.sort_by_key(|(number, _)| *number);
        for (number, failure) in &failed {
            output::complain(&format!("line {number}: {failure}"));
        }
        output::say(&format!("{} of {total} connections imported", total - failed.len()))?;
        match failed.len() {
            0 => Ok(()),
            count => {
                Err(Failure::Reported(format!("{count} of {total} lines were not imported; mend and import those")))
            }
        }
    }

    fn read(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let failed = |source| Failure::File { path: self.file.clone(), doing: "read", source };
        let (mut source, length): (Box<dyn Read>, u64) = if self.file.as_os_str() == "-" {
            (Box::new(std::io::stdin().lock()), 0)
        } else {
            let file = std::fs::File::open(&self.file).map_err(failed)?;
            let length = file.metadata().map_err(failed)?.len();
            (Box::new(file), length)
        };
        // Given its size before it is filled: a buffer that grows leaves copies that nobody wipes. Of a pipe the size is
        // not known, and that is the price of one.
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length.min(LONGEST)).unwrap_or(0) + 64));
        source.by_ref().take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > LONGEST {
            return Err(Failure::usage("the input is longer than 64 MiB: split it"));
        }
        Ok(bytes)
    }
}

async fn import(client: &Client, row: Result<Row, &'static str>) -> Result<(), RowFailure> {
    let Row { connection, refresh_token } = row.map_err(RowFailure::Malformed)?;
    let path = "/v1/connections";
    let added = client.post(path, &connection).await.map_err(RowFailure::NotAdded)?;
    let Some(id) = added.get("id").and_then(Value::as_str) else {
        return Err(RowFailure::NotAdded(ClientError::Unexpected { path: path.to_owned() }));
    };
    let imported = client.post(&format!("{path}/{id}/import"), &Credential { refresh_token }).await;
    imported.map(drop).map_err(|source| RowFailure::NotImported { connection: id.to_owned(), source })
}

/// Reads JSON Lines where the first character is a brace, and CSV otherwise. What is wrong with one line is that line's.
fn parse(input: &[u8]) -> Result<Vec<Line>, &'static str> {
    match input.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Err("the input is empty: give JSON Lines, or CSV with a heading"),
        Some(b'{') => Ok(json_lines(input)),
        Some(_) => csv_lines(input),
    }
}

fn json_lines(input: &[u8]) -> Vec<Line> {
    let numbered = (1..).zip(input.split(|byte| *byte == b'\n'));
    let filled = numbered.filter(|(_, text)| !text.iter().all(u8::is_ascii_whitespace));
    let line = |(number, text)| {
        // serde_json's own message could repeat a value.
        let fields: Result<HashMap<String, Option<SecretText>>, _> = serde_json::from_slice(text);
        let row = fields.map_err(|_| "is not a JSON object of strings").and_then(|fields| {
            Row::from_fields(fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
        });
        Line { number, row }
    };
    filled.map(line).collect()
}

/// The reader's own record buffers are not wiped: a price of the format.
fn csv_lines(input: &[u8]) -> Result<Vec<Line>, &'static str> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let names = reader.headers().map_err(|_| "the heading is not CSV")?.clone();
    // A file without its heading would otherwise have its first line taken for one, and a refresh token for a name.
    if !names.iter().any(|name| name == "refresh_token") {
        return Err("the first line has no column refresh_token: give CSV with a heading, or JSON Lines");
    }
    let mut lines = Vec::new();
    for record in reader.records() {
        let (number, row) = match record {
            Ok(record) => {
                let cells = names.iter().zip(record.iter()).filter(|(_, value)| !value.is_empty());
                let fields = cells.map(|(name, value)| (name.to_owned(), SecretText::new(value.to_owned())));
                (record.position().map_or(0, csv::Position::line), Row::from_fields(fields.collect()))
            }
            Err(error) => (error.position().map_or(0, csv::Position::line), Err("is not CSV of the heading's columns")),
        };
        lines.push(Line { number, row });
    }
    Ok(lines)
}

impl Row {
    fn from_fields(mut fields: HashMap<String, SecretText>) -> Result<Self, &'static str> {
        if fields.keys().any(|name| !FIELDS.contains(&name.as_str())) {
            return Err("has a field besides tenant, name, provider, kind, region, country, account, refresh_token");
        }
        let refresh_token = fields.remove("refresh_token").ok_or("has no refresh_token")?;
        let text = |name: &str| fields.get(name).map(|value| value.expose().to_owned());
        let connection = json!({
            "tenant": text("tenant").ok_or("has no tenant")?,
            "name": text("name").ok_or("has no name")?,
            "provider": text("provider").unwrap_or_else(|| DEFAULT_PROVIDER.to_owned()),
            "kind": text("kind").ok_or("has no kind")?,
            "region": text("region").ok_or("has no region")?,
            "country": text("country").ok_or("has no country")?,
            "account": text("account"),
        });
        Ok(Self { connection, refresh_token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_give_the_same_rows_with_their_line_numbers() {
        let json = br#"{"tenant":"t","name":"n","kind":"seller","region":"eu","country":"DE","account":null,"refresh_token":"Atzr|x"}

{"tenant":"t"}"#;
        let csv = b"tenant,name,kind,region,country,account,refresh_token\nt,n,seller,eu,DE,,Atzr|x\nt,,,,,,\n";
        for (input, second) in [(&json[..], 3), (&csv[..], 3)] {
            let lines = parse(input).unwrap();
            let row = lines[0].row.as_ref().ok().unwrap();
            assert_eq!(row.connection["provider"], "amazon-sp-api");
            assert_eq!(row.connection["account"], Value::Null);
            assert_eq!(row.refresh_token.expose(), "Atzr|x");
            assert_eq!((lines[1].number, lines[1].row.as_ref().err()), (second, Some(&"has no refresh_token")));
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        assert!(parse(b"Atzr|secret,DE\n").is_err_and(|why| !why.contains("secret")));
        let lines = parse(br#"{"Atzr|secret": 1}"#).unwrap();
        assert!(lines[0].row.as_ref().is_err_and(|why| !why.contains("secret")));
    }
}
