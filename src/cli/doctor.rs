//! `leasehold doctor`: looks at everything that a start depends on, and says of each what is wrong and what to do.
//! It changes nothing.

use super::{client::ServerOptions, failure::Failure, output};
use crate::{
    clock::{Clock, SystemClock, Timestamp},
    config::Config,
    keyring::KeyringError,
    seal::{MasterIdentity, SealKind},
    server::{assembly, seals},
    store::{Db, Missing, keys, log, scrub, vault},
};
use clap::Args;
use std::{fmt::Display, path::PathBuf};

#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// The configuration, leasehold.toml
    #[arg(long, env = "LEASEHOLD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the configuration in force too; it holds no secret
    #[arg(long)]
    show_config: bool,
}

/// What was looked at, and how it is.
#[derive(Default)]
struct Findings {
    failed: u32,
}

impl Findings {
    fn well(&self, what: &str, how: impl Display) -> Result<(), Failure> {
        output::say(&format!("ok    {what}: {how}"))
    }

    fn ill(&mut self, what: &str, why: impl Display) -> Result<(), Failure> {
        self.failed += 1;
        output::say(&format!("FAIL  {what}: {why}"))
    }

    fn note<T>(&mut self, what: &str, how: &str, found: Result<T, impl Display>) -> Result<Option<T>, Failure> {
        match found {
            Ok(found) => self.well(what, how).map(|()| Some(found)),
            Err(error) => self.ill(what, error).map(|()| None),
        }
    }
}

impl Doctor {
    pub(super) async fn run(self, server: &ServerOptions) -> Result<(), Failure> {
        let mut findings = Findings::default();
        let config = Config::load(self.config.as_deref(), std::env::vars_os());
        if let Some(config) = findings.note("configuration", "read", config)? {
            if self.show_config {
                output::say(&config.to_string())?;
            }
            findings.note("certificate", "usable", assembly::tls_open(&config))?;
            if let Some(db) =
                findings.note("database", "opens", assembly::database_open(&config, Missing::Refuse).await)?
            {
                database(&mut findings, &config, &db).await?;
                db.close().await;
            }
        }
        // Whether a server answers is asked only where one was named.
        if let Ok(client) = server.anonymous() {
            let answer = client.get("/health/live").await;
            findings.note("server", "answers", answer)?;
        }
        match findings.failed {
            0 => Ok(()),
            failed => Err(Failure::Reported(format!("{failed} of the above must be mended"))),
        }
    }
}

async fn database(findings: &mut Findings, config: &Config, db: &Db) -> Result<(), Failure> {
    let head = log::head_show(&mut db.reader().await?.link()).await;
    let head = match head {
        Ok(head) => head,
        Err(_) => return findings.ill("vault", "the database holds none; run `leasehold init`"),
    };
    findings.well("audit log", format_args!("{} entries", head.size))?;
    scrubbed(findings, db).await?;
    clock(findings, head.at)?;
    match config.seal.kind {
        SealKind::Passphrase if config.seal_passphrase().is_none() => {
            return findings.well("seal", "waits for a person's passphrase at each start");
        }
        SealKind::Shamir => return findings.well("seal", "waits for officers' shares at each start"),
        _ => {}
    }
    findings.note("seal", "opens this vault", seal(config, db).await).map(drop)
}

/// Says what the servers' own look at the log found. The log itself is for `audit verify --full` to read.
async fn scrubbed(findings: &mut Findings, db: &Db) -> Result<(), Failure> {
    let row = async { scrub::scrub_show(&mut db.reader().await?.link()).await }.await;
    match row {
        // A schema of the version before has no such table.
        Err(error) => findings.ill("scrub", error),
        Ok(None) => findings.well("scrub", "no server has begun one"),
        Ok(Some(row)) => match row.flaw {
            Some(flaw) => findings.ill("scrub", format_args!("{}, found at {}", flaw.what, flaw.found_at)),
            None => findings.well("scrub", format_args!("at entry {}, after {} rounds", row.next, row.rounds)),
        },
    }
}

fn clock(findings: &mut Findings, newest: Timestamp) -> Result<(), Failure> {
    let now = SystemClock.now();
    if now < newest {
        return findings
            .ill("clock", format_args!("{now} lies behind the newest entry ({newest}); set the host's clock"));
    }
    findings.well("clock", format_args!("{now}"))
}

/// Unwraps the master key and checks it, and forgets it again. The key file's mode is checked on the way.
async fn seal(config: &Config, db: &Db) -> Result<(), assembly::ServeError> {
    let Some(seal) = seals::seal_open(config)? else { return Ok(()) };
    let mut reader = db.reader().await?;
    let row = vault::vault_show(&mut reader.link()).await?;
    let master = keys::master_key_newest(&mut reader.link()).await?;
    let (Some(row), Some(master)) = (row, master) else {
        return Err(crate::audit::StartError::NoVault.into());
    };
    let identity = MasterIdentity { vault: row.vault, key: master.id, version: master.version };
    seal.unwrap(&master.sealed, identity).await.map_err(KeyringError::from)?;
    Ok(())
}
