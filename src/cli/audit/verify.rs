//! `leasehold audit verify`: checks evidence with no server and no database, or recomputes the whole log from the database.

use crate::{
    audit::verify::{self, Against},
    cli::{failure::Failure, output::Form, progress::Progress},
    config::{Config, DatabaseUrl},
    evidence::{Checkpoint, ExportVerifier, Flaw, Keys, Receipt, WitnessKey},
    server::assembly,
    store::{Missing, log},
};
use clap::Args;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// The longest line of an export, in bytes. An entry's payload is at most 16 KiB.
const LINE_MAX: u64 = 1024 * 1024;
/// The longest receipt, or answer that carries one, in bytes: it is read whole.
const RECEIPT_MAX: u64 = 16 * 1024 * 1024;
/// How an export begins.
const EXPORT: &[u8] = br#"{"leasehold_export":"#;

#[derive(Args, Debug)]
pub(in crate::cli) struct Verify {
    /// A receipt (or an answer that carries one), or an export
    #[arg(value_name = "FILE", conflicts_with = "full", required_unless_present = "full")]
    file: Option<PathBuf>,
    /// The public keys that you trust, as `leasehold audit keys` printed them when you first asked
    #[arg(long, value_name = "FILE", required_unless_present = "full")]
    key: Option<PathBuf>,
    /// A checkpoint that you kept: an export, or the database, then has to continue it
    #[arg(long, value_name = "FILE", requires = "key")]
    older: Option<PathBuf>,
    /// A witness's public key, or a file of such keys, one a line: the checkpoint then has to bear its co-signature
    #[arg(long, value_name = "KEY", requires = "file")]
    witness: Vec<String>,
    /// Recompute everything from the database, which reads the whole log
    #[arg(long)]
    full: bool,
    /// sqlite:PATH or postgres://USER@HOST/NAME; the configuration's where it is not given
    #[arg(long, value_name = "URL", requires = "full")]
    database: Option<String>,
    /// The configuration, leasehold.toml
    #[arg(long, env = "LEASEHOLD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

impl Verify {
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        match (&self.file, &self.key) {
            (Some(file), Some(key)) => self.check_file(file, key),
            (_, key) => self.recompute(key.as_deref()).await,
        }
    }

    fn check_file(&self, path: &Path, key: &Path) -> Result<(), Failure> {
        let mut keys = Keys::parse(&read(key)?)?;
        for witness in &self.witness {
            for key in witness_keys(witness)? {
                keys = keys.with_witness(key);
            }
        }
        let unreadable = |source| Failure::File { path: path.to_owned(), doing: "read", source };
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        let mut reader = BufReader::with_capacity(256 * 1024, file);
        if reader.fill_buf().map_err(unreadable)?.starts_with(EXPORT) {
            return self.check_export(Lines::of(reader), keys, bytes, path);
        }
        if self.older.is_some() {
            return Err(Failure::usage(
                "--older: only an export carries the proof that the log continues an older checkpoint".to_owned(),
            ));
        }
        let mut text = String::new();
        reader.take(RECEIPT_MAX).read_to_string(&mut text).map_err(unreadable)?;
        let entries = Receipt::parse(&text)?.check(&keys)?;
        self.form.show(&serde_json::json!({ "verified": "receipt", "entries": entries }))
    }

    fn check_export(&self, mut lines: Lines<impl BufRead>, keys: Keys, bytes: u64, path: &Path) -> Result<(), Failure> {
        let older = self.older.as_deref().map(read).transpose()?;
        let mut verifier = ExportVerifier::new(keys, older.as_deref())?;
        let mut progress = Progress::begin("bytes", bytes);
        let mut told = 0;
        while let Some(line) = lines.next().map_err(|error| error.of(path))? {
            verifier.read(line)?;
            if lines.read - told >= TOLD_EVERY {
                told = lines.read;
                progress.reach(told);
            }
        }
        progress.end();
        let verified = verifier.finish()?;
        let mut checked = vec![
            "chain without a gap, each entry continuing the one before it",
            "payloads match their hashes, or an entry says that they were erased",
            "inclusion of the newest entry, and of the map of newest entries",
            "the newest entry is the tenant's newest in that map",
            "signature",
        ];
        checked.extend(verified.consistent_since.map(|_| "consistency with the older checkpoint"));
        checked.extend((!verified.witnessed.is_empty()).then_some("co-signatures of the witnesses"));
        let mut shown = serde_json::to_value(&verified).expect("what was verified is text and numbers");
        shown["verified"] = "export".into();
        shown["checked"] = checked.into();
        self.form.show(&shown)
    }

    async fn recompute(&self, key: Option<&Path>) -> Result<(), Failure> {
        let mut against =
            Against { keys: key.map(|key| Keys::parse(&read(key)?).map_err(Failure::from)).transpose()?, older: None };
        if let (Some(keys), Some(older)) = (&against.keys, &self.older) {
            against.older = Some(Checkpoint::open(&read(older)?, keys)?);
        }
        let mut config = Config::load(self.config.as_deref(), std::env::vars_os())?;
        if let Some(url) = &self.database {
            config.database.url = DatabaseUrl::parse(url).map_err(|why| Failure::usage(format!("--database {why}")))?;
        }
        let db = assembly::database_open(&config, Missing::Refuse).await?;
        let head = log::head_show(&mut db.reader().await?.link()).await?;
        let mut progress = Progress::begin("entries", u64::try_from(head.size).unwrap_or(0));
        let reach = |done| progress.reach(u64::try_from(done).unwrap_or(0));
        let verified = verify::verify_against(&db, &against, reach).await;
        progress.end();
        db.close().await;
        let verified = verified?;
        self.form.show(&serde_json::json!({
            "verified": true,
            "entries": verified.entries,
            "chains": verified.chains,
            "erased": verified.erased,
            "checkpoints": verified.checkpoints,
            "root": verified.root,
        }))
    }
}

/// How often progress is told, in bytes.
const TOLD_EVERY: u64 = 4 * 1024 * 1024;

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|source| Failure::File { path: path.to_owned(), doing: "read", source })
}

/// Reads a witness's key, or the keys of a file.
fn witness_keys(given: &str) -> Result<Vec<WitnessKey>, Failure> {
    if let Ok(key) = WitnessKey::parse(given) {
        return Ok(vec![key]);
    }
    let text = read(Path::new(given))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.map(WitnessKey::parse).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(Flaw::Keys(format!("{given} holds none of a witness")).into()) } else { Ok(keys) }
}

/// The lines of a file, one in memory at a time.
struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
    read: u64,
}

enum LineError {
    Io(io::Error),
    Flaw(Flaw),
}

impl LineError {
    fn of(self, path: &Path) -> Failure {
        match self {
            Self::Io(source) => Failure::File { path: path.to_owned(), doing: "read", source },
            Self::Flaw(flaw) => flaw.into(),
        }
    }
}

impl<R: BufRead> Lines<R> {
    fn of(reader: R) -> Self {
        Self { reader, line: Vec::new(), number: 0, read: 0 }
    }

    /// Returns the next line without its end; `None` behind the last.
    fn next(&mut self) -> Result<Option<&str>, LineError> {
        self.line.clear();
        self.number += 1;
        let read = self.reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut self.line).map_err(LineError::Io)?;
        self.read += read as u64;
        if read == 0 {
            return Ok(None);
        }
        let number = self.number;
        let flaw = |what: &str| LineError::Flaw(Flaw::Form { line: number, what: what.to_owned() });
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if read as u64 == LINE_MAX {
            return Err(flaw("it is too long"));
        }
        std::str::from_utf8(&self.line).map(Some).map_err(|_| flaw("it is not text"))
    }
}
