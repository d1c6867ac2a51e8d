//! `leasehold audit export`: a chain of the log as a file.

use crate::cli::{client::ServerOptions, failure::Failure, output};
use clap::{Args, ValueEnum};
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

#[derive(Args, Debug)]
pub(in crate::cli) struct Export {
    /// Whose chain: a customer's people may leave it out; the nil UUID is the vault's own
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Where it is written; it must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// jsonl can be verified, csv is for reading
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// An older checkpoint of this log: the file then proves that the log went on from it
    #[arg(long, value_name = "FILE")]
    older: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

impl Export {
    pub(in crate::cli) async fn run(self, server: &ServerOptions) -> Result<(), Failure> {
        let client = server.client()?;
        let older = self.older.as_deref().map(size_of_checkpoint).transpose()?;
        let format = match self.format {
            Format::Jsonl => "jsonl",
            Format::Csv => "csv",
        };
        let mut query = vec![("format", format)];
        query.extend(self.tenant.as_deref().map(|tenant| ("tenant", tenant)));
        query.extend(older.as_deref().map(|older| ("older", older)));
        let mut response = client.download("/v1/audit/export", &query).await?;

        // Beside its place, under another name: what is there under its own name is whole.
        let part = self.out.with_extension("part");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| Failure::File { path, doing: "write", source }
        };
        if self.out.exists() {
            return Err(failed(&self.out)(io::ErrorKind::AlreadyExists.into()));
        }
        let mut file = File::create_new(&part).map_err(failed(&part))?;
        let mut written: u64 = 0;
        let copied = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    written += chunk.len() as u64;
                    if let Err(error) = file.write_all(&chunk) {
                        break Err(failed(&part)(error));
                    }
                }
                Ok(None) => break file.sync_all().map_err(failed(&part)),
                Err(error) => break Err(client.unreachable(&error).into()),
            }
        };
        let kept = copied.and_then(|()| std::fs::rename(&part, &self.out).map_err(failed(&self.out)));
        if kept.is_err() {
            // A part is of no use, and a second try would find it in its way.
            let _ = std::fs::remove_file(&part);
        }
        kept?;
        output::complain(&format!("{}: {written} bytes", self.out.display()));
        Ok(())
    }
}

/// Reads how many entries a checkpoint covers: its second line. Whether it is genuine is for `verify` to say.
fn size_of_checkpoint(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| Failure::File {
        path: path.to_owned(),
        doing: "read",
        source,
    })?;
    let size = text.lines().nth(1).filter(|line| line.parse::<u64>().is_ok());
    size.map(str::to_owned).ok_or_else(|| {
        Failure::usage(format!("{} is no checkpoint: `leasehold audit checkpoint` prints one", path.display()))
    })
}
