//! All providers by name: those that are built in, and the operator's own.

use super::{Provider, ProviderError, Reason};
use std::{collections::BTreeMap, fs, io::Read, path::Path, sync::Arc};

/// The files that are compiled in.
const BUILT_IN: &[(&str, &str)] = &[("amazon-sp-api.toml", include_str!("../providers/amazon-sp-api.toml"))];

/// Every provider that the vault knows.
#[derive(Clone, Debug)]
pub struct Catalogue(BTreeMap<String, Arc<Provider>>);

impl Catalogue {
    /// The longest provider file, in bytes.
    pub const MAX_FILE_BYTES: u64 = 1 << 20;

    /// Loads the providers that are built in.
    #[must_use]
    pub fn built_in() -> Self {
        let mut catalogue = Self(BTreeMap::new());
        for (file, text) in BUILT_IN {
            catalogue.add(file, text).expect("built-in provider files are loaded by a test");
        }
        catalogue
    }

    /// Loads every `*.toml` of a directory besides what is there, in the order of their names.
    ///
    /// # Errors
    /// [`ProviderError`] for the first file that is refused. The vault must not start then.
    pub fn load_directory(&mut self, directory: &Path) -> Result<(), ProviderError> {
        let refused = |file: &Path, reason: Reason| ProviderError {
            file: file.display().to_string(),
            key: "file".into(),
            reason,
        };
        let entries = fs::read_dir(directory).map_err(|error| refused(directory, error.into()))?;
        let mut files = Vec::new();
        for entry in entries {
            files.push(entry.map_err(|error| refused(directory, error.into()))?.path());
        }
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "toml")) {
            let mut text = String::new();
            let bounded = fs::File::open(file).map(|opened| opened.take(Self::MAX_FILE_BYTES + 1));
            bounded.and_then(|mut open| open.read_to_string(&mut text)).map_err(|error| refused(file, error.into()))?;
            if text.len() as u64 > Self::MAX_FILE_BYTES {
                return Err(refused(file, Reason::TooLong));
            }
            self.add(&file.display().to_string(), &text)?;
        }
        Ok(())
    }

    /// Returns a provider by its exact name.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.0.get(name)
    }

    /// Walks the providers by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.0.values()
    }

    fn add(&mut self, file: &str, text: &str) -> Result<(), ProviderError> {
        let provider = Provider::parse(file, text)?;
        // A file of the operator's never replaces a built-in policy: it would widen it without a trace.
        if self.0.contains_key(provider.name()) {
            let reason = Reason::NameTwice(provider.name().to_owned());
            return Err(ProviderError { file: file.to_owned(), key: "name".into(), reason });
        }
        self.0.insert(provider.name().to_owned(), Arc::new(provider));
        Ok(())
    }
}
