//! The vault: the services, put together, as the doors hold it.

use crate::{
    audit::{Checkpointer, CheckpointerOptions, Sequencer, SequencerOptions, StartError, log_origin},
    broker::{Addresses, Broker, BrokerOptions, dialer::Dialer, provider::Catalogue},
    clock::Clock,
    custody::{Custody, InFlight},
    entropy::Entropy,
    fleet::{Fleet, FleetOptions},
    id::NodeId,
    identity::Identity,
    keyring::Keyring,
    register::{Register, RegisterOptions},
    store::{Claim, Db, vault},
};
use std::{path::PathBuf, sync::Arc};

/// What a vault is made of.
pub struct VaultOptions {
    /// The database, migrated and initialized.
    pub db: Db,
    /// The one way out.
    pub dialer: Dialer,
    /// The providers.
    pub catalogue: Arc<Catalogue>,
    /// Where they are.
    pub addresses: Addresses,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What the operator knows this node by; receipts name it.
    pub name: String,
    /// The directory of this node's anchor.
    pub anchor: PathBuf,
    /// The hold on an embedded database, kept as long as the vault.
    pub claim: Option<Claim>,
}

/// The services. Cloning shares them.
#[derive(Clone)]
pub struct Vault {
    /// The database, for reading.
    pub db: Db,
    /// The order of events.
    pub sequencer: Sequencer,
    /// The signed checkpoints of the log.
    pub checkpointer: Arc<Checkpointer>,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Who is calling.
    pub identity: Arc<Identity>,
    /// Credentials to access tokens.
    pub broker: Arc<Broker>,
    /// Ending access.
    pub custody: Arc<Custody>,
    /// The vault's books.
    pub register: Arc<Register>,
    /// This node among the others.
    pub fleet: Arc<Fleet>,
    /// Requests in flight through the gateway.
    pub in_flight: InFlight,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// This process.
    pub node: NodeId,
    /// The hold on an embedded database.
    pub claim: Option<Arc<Claim>>,
}

impl Vault {
    /// Starts the sequencer and puts the services together, sealed. The task ends once every handle is dropped and what was
    /// submitted is committed.
    ///
    /// # Errors
    /// Where there is no vault in the database, the log's head does not fit, the clock lies behind the log, or the anchor
    /// cannot be used.
    pub async fn start(options: VaultOptions) -> Result<(Self, tokio::task::JoinHandle<()>), StartError> {
        let VaultOptions { db, dialer, catalogue, addresses, clock, entropy, name, anchor, claim } = options;
        let node = NodeId::make(&*clock, &*entropy);
        let sequencing = SequencerOptions {
            db: db.clone(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            node,
            name: name.clone(),
            anchor,
        };
        let (sequencer, task) = Sequencer::start(sequencing).await?;
        let row = vault::vault_show(&mut db.reader().await?.link()).await?.ok_or(StartError::NoVault)?;
        let fleet = Fleet::new(FleetOptions {
            db: db.clone(),
            sequencer: sequencer.clone(),
            clock: Arc::clone(&clock),
            node,
            name,
        });
        let dialer = dialer.under(fleet.lease());
        let keyring =
            Arc::new(Keyring::sealed(db.clone(), sequencer.clone(), Arc::clone(&clock), Arc::clone(&entropy)));
        let signer: Arc<Keyring> = Arc::clone(&keyring);
        let checkpointer = Arc::new(Checkpointer::new(CheckpointerOptions {
            db: db.clone(),
            sequencer: sequencer.clone(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            signer,
            origin: log_origin(row.vault),
        }));
        let identity = Arc::new(Identity::new(
            db.clone(),
            sequencer.clone(),
            Arc::clone(&keyring),
            Arc::clone(&clock),
            Arc::clone(&entropy),
        ));
        let broker = Broker::new(BrokerOptions {
            db: db.clone(),
            sequencer: sequencer.clone(),
            keyring: Arc::clone(&keyring),
            dialer,
            catalogue,
            addresses,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            node,
        });
        let register = Arc::new(Register::new(RegisterOptions {
            db: db.clone(),
            sequencer: sequencer.clone(),
            keyring: Arc::clone(&keyring),
            broker: Arc::clone(&broker),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        }));
        let in_flight = InFlight::new(fleet.lease());
        let custody = Arc::new(Custody {
            db: db.clone(),
            sequencer: sequencer.clone(),
            keyring: Arc::clone(&keyring),
            broker: Arc::clone(&broker),
            in_flight: in_flight.clone(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            fleet: Arc::clone(&fleet),
            identity: Arc::clone(&identity),
        });
        tokio::spawn(Arc::clone(&custody).follow_raises());
        let following = Arc::<Custody>::clone(&custody);
        fleet.start(following);
        Ok((
            Self {
                db,
                sequencer,
                checkpointer,
                keyring,
                identity,
                broker,
                custody,
                register,
                fleet,
                in_flight,
                clock,
                entropy,
                node,
                claim: claim.map(Arc::new),
            },
            task,
        ))
    }
}
