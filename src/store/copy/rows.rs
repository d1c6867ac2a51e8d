//! Rows as they go from one database to the other: columns and types as the target's own catalogue names them, so that
//! no list of tables can fall behind the schema.

use super::CopyError;
use crate::store::{db::within, sql};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, Postgres, QueryBuilder, Row as _, postgres::PgRow, sqlite::SqliteRow};
use uuid::Uuid;

/// A table and its columns.
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<(String, Kind)>,
}

/// The types that the schema uses.
#[derive(Clone, Copy)]
enum Kind {
    Uuid,
    Bytes,
    Number,
    Small,
    Text,
    Truth,
}

/// A cell.
pub(super) enum Value {
    Uuid(Option<Uuid>),
    Bytes(Option<Vec<u8>>),
    Number(Option<i64>),
    Small(Option<i16>),
    Text(Option<String>),
    Truth(Option<bool>),
}

/// What a table holds, in whatever order its rows come.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    rows: u64,
    sum: [u8; 32],
}

impl Digest {
    pub(super) fn add(&mut self, row: &[Value]) {
        let mut hash = Sha256::new();
        for value in row {
            value.hash(&mut hash);
        }
        for (sum, byte) in self.sum.iter_mut().zip(hash.finalize()) {
            *sum ^= byte;
        }
        self.rows += 1;
    }
}

impl Value {
    fn hash(&self, hash: &mut Sha256) {
        let mut cell = |bytes: Option<&[u8]>| {
            let length = bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX));
            hash.update(length.to_be_bytes());
            hash.update(bytes.unwrap_or_default());
        };
        match self {
            Self::Uuid(value) => cell(value.as_ref().map(|value| &value.as_bytes()[..])),
            Self::Bytes(value) => cell(value.as_deref()),
            Self::Number(value) => cell(value.map(i64::to_be_bytes).as_ref().map(|bytes| &bytes[..])),
            Self::Small(value) => cell(value.map(i16::to_be_bytes).as_ref().map(|bytes| &bytes[..])),
            Self::Text(value) => cell(value.as_deref().map(str::as_bytes)),
            Self::Truth(value) => cell(value.map(|value| [u8::from(value)]).as_ref().map(|bytes| &bytes[..])),
        }
    }
}

/// Reads a cell of either driver's row.
macro_rules! cell {
    ($row:expr, $at:expr, $kind:expr) => {
        match $kind {
            Kind::Uuid => Value::Uuid($row.try_get($at)?),
            Kind::Bytes => Value::Bytes($row.try_get($at)?),
            Kind::Number => Value::Number($row.try_get($at)?),
            Kind::Small => Value::Small($row.try_get($at)?),
            Kind::Text => Value::Text($row.try_get($at)?),
            Kind::Truth => Value::Truth($row.try_get($at)?),
        }
    };
}

impl Table {
    /// Returns the statement that reads the whole table.
    pub(super) fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.names(), self.name)
    }

    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn read_source(&self, row: &SqliteRow) -> Result<Vec<Value>, sqlx::Error> {
        self.columns.iter().enumerate().map(|(at, (_, kind))| Ok(cell!(row, at, kind))).collect()
    }

    pub(super) fn read_target(&self, row: &PgRow) -> Result<Vec<Value>, sqlx::Error> {
        self.columns.iter().enumerate().map(|(at, (_, kind))| Ok(cell!(row, at, kind))).collect()
    }

    /// Writes rows in one statement, which is one transaction.
    pub(super) async fn insert(&self, target: &mut PgConnection, rows: &[Vec<Value>]) -> Result<(), CopyError> {
        let mut query = QueryBuilder::<Postgres>::new(format!("INSERT INTO {} ({}) ", self.name, self.names()));
        query.push_values(rows, |mut values, row| {
            for value in row {
                match value {
                    Value::Uuid(value) => values.push_bind(*value),
                    Value::Bytes(value) => values.push_bind(value.as_deref()),
                    Value::Number(value) => values.push_bind(*value),
                    Value::Small(value) => values.push_bind(*value),
                    Value::Text(value) => values.push_bind(value.as_deref()),
                    Value::Truth(value) => values.push_bind(*value),
                };
            }
        });
        let inserted = query.build().persistent(rows.len() == super::CHUNK);
        Ok(within(inserted.execute(target)).await.map(drop)?)
    }
}

/// Lists the target's tables and their columns, without `left_behind`.
pub(super) async fn tables(target: &mut PgConnection, left_behind: &[&str]) -> Result<Vec<Table>, CopyError> {
    let columns = sqlx::query_as::<_, (String, String, String)>(sql::ALL_COLUMNS);
    let mut tables: Vec<Table> = Vec::new();
    for (table, column, kind) in within(columns.fetch_all(target)).await? {
        if table == "unfinished_copy" || left_behind.contains(&table.as_str()) {
            continue;
        }
        let kind = match kind.as_str() {
            "uuid" => Kind::Uuid,
            "bytea" => Kind::Bytes,
            "bigint" => Kind::Number,
            "smallint" => Kind::Small,
            "text" => Kind::Text,
            "boolean" => Kind::Truth,
            _ => return Err(CopyError::Column { table, column, kind }),
        };
        match tables.last_mut() {
            Some(last) if last.name == table => last.columns.push((column, kind)),
            _ => tables.push(Table { name: table, columns: vec![(column, kind)] }),
        }
    }
    Ok(tables)
}
