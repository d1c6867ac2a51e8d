//! Rows of any table, from whichever database and to whichever: columns and types as the database's own catalogue names
//! them, so that no list of tables can fall behind the schema.

use super::{
    Link, StoreError,
    db::{UNFINISHED, on, rows, within},
    sql,
};
use futures_util::{StreamExt as _, stream::BoxStream};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _, postgres::PgRow, sqlite::SqliteRow};
use std::fmt;
use uuid::Uuid;

/// How many rows go in one statement. With the widest table's columns, well below the 32,766 arguments of one.
pub const CHUNK: usize = 500;
/// What belongs to the nodes that run over a database, and to the database itself.
const LEFT_BEHIND: [&str; 5] = ["_sqlx_migrations", "nodes", "batches", "cut_reports", UNFINISHED];

/// A table and its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns in their order.
    pub columns: Vec<(String, Kind)>,
}

crate::domain::words! {
    /// The types that the schema uses.
    Kind, "type of column" {
        /// A UUID.
        Uuid = "uuid",
        /// Bytes.
        Bytes = "bytea",
        /// A whole number of 64 bits.
        Number = "bigint",
        /// A whole number of 16 bits.
        Small = "smallint",
        /// Text.
        Text = "text",
        /// True or false.
        Truth = "boolean",
    }
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the kind of its name")]
pub enum Value {
    Uuid(Option<Uuid>),
    Bytes(Option<Vec<u8>>),
    Number(Option<i64>),
    Small(Option<i16>),
    Text(Option<String>),
    Truth(Option<bool>),
}

/// A row, in the order of its table's columns.
pub type TableRow = Vec<Value>;

/// What a table holds, in whatever order its rows come.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TableDigest {
    rows: u64,
    sum: [u8; 32],
}

/// A column has a type that no version of the schema uses.
#[derive(Debug, thiserror::Error)]
#[error("column {column} of table {table} has a type that is not copied, {kind}; report this as a fault")]
pub struct UnknownKind {
    /// Where.
    pub table: String,
    /// Which.
    pub column: String,
    /// Its type.
    pub kind: String,
}

impl TableDigest {
    /// Takes a row in.
    pub fn add(&mut self, row: &[Value]) {
        let mut hash = Sha256::new();
        for value in row {
            value.hash(&mut hash);
        }
        for (sum, byte) in self.sum.iter_mut().zip(hash.finalize()) {
            *sum ^= byte;
        }
        self.rows += 1;
    }

    /// Returns how many rows were taken in.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
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

/// A row of either driver.
trait DriverRow {
    fn cell(&self, at: usize, kind: Kind) -> Result<Value, sqlx::Error>;
}

macro_rules! driver_row {
    ($($row:ty)*) => {$(
        impl DriverRow for $row {
            fn cell(&self, at: usize, kind: Kind) -> Result<Value, sqlx::Error> {
                Ok(match kind {
                    Kind::Uuid => Value::Uuid(self.try_get(at)?),
                    Kind::Bytes => Value::Bytes(self.try_get(at)?),
                    Kind::Number => Value::Number(self.try_get(at)?),
                    Kind::Small => Value::Small(self.try_get(at)?),
                    Kind::Text => Value::Text(self.try_get(at)?),
                    Kind::Truth => Value::Truth(self.try_get(at)?),
                })
            }
        }
    )*};
}
driver_row! { SqliteRow PgRow }

impl Table {
    /// Reads the whole table, a row at a time. There is no limit of time: who takes the rows may be slow.
    pub(super) fn rows<'a>(&'a self, link: Link<'a>) -> BoxStream<'a, Result<TableRow, StoreError>> {
        let select = AssertSqlSafe(format!("SELECT {} FROM {}", self.names(), self.name));
        on!(link, c => sqlx::query(select).fetch(c).map(|row| Ok(self.read(&row?)?)).boxed())
    }

    /// Counts the rows. There is no limit of time.
    pub(super) async fn count(&self, link: &mut Link<'_>) -> Result<u64, StoreError> {
        let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", self.name));
        let count = on!(link, c => sqlx::query_scalar::<_, i64>(count).fetch_one(&mut **c).await)?;
        Ok(count.unsigned_abs())
    }

    /// Writes rows in one statement.
    pub(super) async fn insert(&self, link: &mut Link<'_>, rows: &[TableRow]) -> Result<(), StoreError> {
        let head = format!("INSERT INTO {} ({}) ", self.name, self.names());
        on!(link, c => {
            let mut query = QueryBuilder::<Database>::new(head);
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
            let inserted = query.build().persistent(rows.len() == CHUNK);
            within(inserted.execute(&mut **c)).await.map(drop)
        })
    }

    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn read(&self, row: &impl DriverRow) -> Result<TableRow, sqlx::Error> {
        self.columns.iter().enumerate().map(|(at, (_, kind))| row.cell(at, *kind)).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Lists the tables that make up a vault, and their columns.
pub(super) async fn tables(link: &mut Link<'_>) -> Result<Result<Vec<Table>, UnknownKind>, StoreError> {
    let catalogue = match link {
        Link::Sqlite(_) => sql::ALL_COLUMNS_EMBEDDED,
        Link::Postgres(_) => sql::ALL_COLUMNS,
    };
    let mut tables: Vec<Table> = Vec::new();
    for (table, column, kind) in rows!(link, (String, String, String), catalogue)? {
        if LEFT_BEHIND.contains(&table.as_str()) {
            continue;
        }
        let Some(known) = Kind::parse(&kind) else { return Ok(Err(UnknownKind { table, column, kind })) };
        match tables.last_mut() {
            Some(last) if last.name == table => last.columns.push((column, known)),
            _ => tables.push(Table { name: table, columns: vec![(column, known)] }),
        }
    }
    Ok(Ok(tables))
}
