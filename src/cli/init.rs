//! `leasehold init`: makes a vault. Its seal first, then its database, then the two people who add all others, whose
//! access keys are printed once.

use super::{
    failure::Failure,
    output::{self, Form},
};
use crate::{
    audit::anchor::Anchor,
    clock::SystemClock,
    config::{Config, SealKind},
    entropy::SystemEntropy,
    envelope::Cost,
    keyring::init::{InitError, vault_make},
    register::init::{FirstStaff, first_staff},
    seal::{Asking, FileSeal, PassphraseSeal, PassphraseSource, Seal},
    server::assembly,
    store::{Missing, vault},
};
use clap::Args;
use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

#[derive(Args, Debug)]
pub(super) struct Init {
    /// The configuration, leasehold.toml
    #[arg(long, env = "LEASEHOLD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The first security officer, who seals, rotates, contains and adds further staff
    #[arg(long, value_name = "EMAIL", default_value = "officer@localhost")]
    officer: String,
    /// The first operator, who runs the vault and adds tenants
    #[arg(long, value_name = "EMAIL", default_value = "operator@localhost")]
    operator: String,
    #[command(flatten)]
    form: Form,
}

impl Init {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = Config::load(self.config.as_deref(), std::env::vars_os())?;
        let staff = init(&config, &self.officer, &self.operator).await?;
        output::complain(
            "These access keys are shown once. Keep them, and a copy of the seal's key or passphrase, apart.",
        );
        self.form.show(&serde_json::json!({
            "officer": staff.officer.key.expose(),
            "operator": staff.operator.key.expose(),
        }))
    }
}

async fn init(config: &Config, officer: &str, operator: &str) -> Result<FirstStaff, Failure> {
    let db = assembly::database_open(config, Missing::Create).await?;
    db.migrate().await?;
    // Asked before a seal is made, so that a second init leaves no key file that seals nothing.
    if vault::vault_show(&mut db.reader().await?.link()).await?.is_some() {
        return Err(InitError::Exists.into());
    }
    Anchor::refuse_begun(&config.audit.anchor)?;
    let (seal, created) = seal_make(config)?;
    let made = vault_make(&db, &*seal, &SystemClock, &SystemEntropy).await;
    if let (Err(_), Some(path)) = (&made, created) {
        // It seals nothing, and would stand in the way of the next init. Where it cannot be removed, that one says so.
        let _ = fs::remove_file(path);
    }
    made?;
    let vault = assembly::vault_start(config, db).await?;
    vault.keyring.unseal(&*seal).await.map_err(assembly::ServeError::from)?;
    let staff = first_staff(&vault.register, officer, operator).await?;
    // It sends nothing out, and ends here: the first revocation would otherwise wait for its lease, and name it.
    vault.fleet.leave().await?;
    // Not closed: the sequencer keeps its connection until the process ends, and closing would wait for that.
    Ok(staff)
}

/// Makes the seal that the configuration names. Returns the key file too where one was written.
fn seal_make(config: &Config) -> Result<(Box<dyn Seal>, Option<&Path>), Failure> {
    let path = config.seal.file.as_path();
    match config.seal.kind {
        SealKind::File => {
            directory_make(path)?;
            Ok((Box::new(FileSeal::create(path, &SystemEntropy)?), Some(path)))
        }
        SealKind::Passphrase => {
            let passphrase = match config.seal_passphrase() {
                Some(reference) => reference.read()?,
                None => PassphraseSource::Prompt.read(Asking::New)?,
            };
            Ok((Box::new(PassphraseSeal::new(passphrase, Cost::SEAL)), None))
        }
    }
}

fn directory_make(file: &Path) -> Result<(), Failure> {
    let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    let failed = |source| Failure::File { path: parent.to_owned(), doing: "create", source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)
}
