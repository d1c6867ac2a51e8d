//! `leasehold init`: makes a vault. Its seal first, then its database, then the two people who add all others, whose
//! access keys are printed once.

use super::{
    failure::Failure,
    output::{self, Form},
};
use crate::{
    audit::anchor::Anchor,
    clock::SystemClock,
    config::Config,
    entropy::SystemEntropy,
    envelope::Share,
    keyring::init::{InitError, vault_make},
    register::init::{FirstStaff, first_staff},
    secret::SecretText,
    server::{
        assembly,
        seals::{NewSeal, seal_make},
    },
    store::{Missing, vault},
};
use clap::Args;
use std::{fs, path::PathBuf};

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
        let (staff, shares) = init(&config, &self.officer, &self.operator).await?;
        output::complain(
            "These access keys are shown once. Keep them, and a copy of the seal's key or passphrase, apart.",
        );
        let mut shown = serde_json::json!({
            "officer": staff.officer.key.expose(),
            "operator": staff.operator.key.expose(),
        });
        if !shares.is_empty() {
            output::complain(
                "So are these shares of the seal. Give each to another person: without enough of them the vault cannot \
                 be opened again.",
            );
            let shares: Vec<_> = shares.iter().map(Share::to_text).collect();
            shown["seal_shares"] = shares.iter().map(SecretText::expose).collect();
        }
        self.form.show(&shown)
    }
}

async fn init(config: &Config, officer: &str, operator: &str) -> Result<(FirstStaff, Vec<Share>), Failure> {
    let db = assembly::database_open(config, Missing::Create).await?;
    db.migrate().await?;
    // Asked before a seal is made, so that a second init leaves no key file that seals nothing.
    if vault::vault_show(&mut db.reader().await?.link()).await?.is_some() {
        return Err(InitError::Exists.into());
    }
    Anchor::refuse_begun(&config.audit.anchor)?;
    let NewSeal { seal, shares, key_file } = seal_make(config)?;
    let made = vault_make(&db, &*seal, &SystemClock, &SystemEntropy).await;
    if let (Err(_), Some(path)) = (&made, key_file) {
        // It seals nothing, and would stand in the way of the next init. Where it cannot be removed, that one says so.
        let _ = fs::remove_file(path);
    }
    made?;
    let vault = assembly::vault_start(config, db).await?;
    vault.keyring.unseal(&seal).await.map_err(assembly::ServeError::from)?;
    let staff = first_staff(&vault.register, officer, operator).await?;
    // It sends nothing out, and ends here: the first revocation would otherwise wait for its lease, and name it.
    vault.fleet.leave().await?;
    // Not closed: the sequencer keeps its connection until the process ends, and closing would wait for that.
    Ok((staff, shares))
}
