//! How the application is registered, and why the simulator would not open.

use super::{
    authorization::{self, Application, ClientSecret},
    marketplace,
    state_file::State,
    token::derive_fingerprint,
};
use crate::{
    clock::Clock,
    entropy::{self, Entropy},
    secret::SecretText,
};
use data_encoding::{BASE64, HEXLOWER};
use std::{collections::BTreeMap, path::PathBuf};

/// What the application was registered with.
#[derive(Clone, Debug)]
pub struct AmazonOptions {
    /// The LWA client id, `amzn1.application-oa2-client.…`.
    pub client_id: String,
    /// The LWA client secret, `amzn1.oa2-cs.v1.…`.
    pub client_secret: SecretText,
    /// The application id of consent URLs, `amzn1.sp.solution.…`.
    pub application_id: String,
    /// Where consent may send the browser back to; compared exactly. The first is the default.
    pub redirect_uris: Vec<String>,
    /// Keeps the application, sellers, authorizations and revocations across a restart; nothing does where it is absent.
    pub state_file: Option<PathBuf>,
}

impl AmazonOptions {
    /// Draws the ids and the secret of a new application, with no redirect URI and no state file.
    pub fn make(entropy: &dyn Entropy) -> Self {
        let uuid = uuid::Builder::from_random_bytes(entropy::make_array(entropy)).into_uuid();
        Self {
            client_id: format!("amzn1.application-oa2-client.{}", HEXLOWER.encode(&entropy::make_array::<16>(entropy))),
            client_secret: authorization::make_client_secret(entropy),
            application_id: format!("amzn1.sp.solution.{uuid}"),
            redirect_uris: Vec::new(),
            state_file: None,
        }
    }
}

/// The simulator's state could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum AmazonError {
    /// The state file exists and cannot be read.
    #[error("cannot read the simulated Amazon's state {path}: {source}")]
    Read {
        /// The state file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state file is not one, or was cut short by something other than this program.
    #[error("{path} is not a state of the simulated Amazon ({source}); move it away to start with no authorizations")]
    Parse {
        /// The state file.
        path: PathBuf,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
    /// The state file was written by another version of this program.
    #[error("{path} is a simulator state of version {found}, this program reads version 1; move it away to start anew")]
    Version {
        /// The state file.
        path: PathBuf,
        /// The version it names.
        found: u32,
    },
    /// The state file cannot be replaced.
    #[error("cannot write the simulated Amazon's state {path}: {source}")]
    Write {
        /// The state file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Makes the state of a simulator that nobody has used.
pub(super) fn register(options: &AmazonOptions, clock: &dyn Clock, entropy: &dyn Entropy) -> State {
    let secret = ClientSecret {
        fingerprint: derive_fingerprint(options.client_secret.expose()),
        dies_at: clock.now().plus(authorization::SECRET_TTL),
    };
    State {
        version: State::VERSION,
        application: Application {
            client_id: options.client_id.clone(),
            application_id: options.application_id.clone(),
            secrets: vec![secret],
        },
        token_key: BASE64.encode(entropy::make_key(entropy).expose()),
        sellers: marketplace::known_sellers(),
        authorizations: BTreeMap::new(),
    }
}
