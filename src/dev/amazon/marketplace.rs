//! Amazon's regions, marketplaces and the selling partners that the simulator knows from the start.

use serde::{Deserialize, Serialize};

/// One of the three SP-API regions. A seller's authorization is good in one of them only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// North America and Brazil.
    Na,
    /// Europe, the Middle East, Africa and India.
    Eu,
    /// The Far East and Australia.
    Fe,
}

impl Region {
    /// Returns the region's short name, as it stands in host names: `na`, `eu`, `fe`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Na => "na",
            Self::Eu => "eu",
            Self::Fe => "fe",
        }
    }

    /// Reads the region out of a `Host` header: `eu.localhost:8445` means Europe. Any other host (`127.0.0.1`,
    /// `localhost`) names no region, and then no region is checked.
    pub(super) fn of_host(host: &str) -> Option<Self> {
        let name = host.split(':').next()?.strip_suffix(".localhost")?;
        [Self::Na, Self::Eu, Self::Fe].into_iter().find(|region| region.name().eq_ignore_ascii_case(name))
    }
}

/// A country's shop.
#[derive(Debug)]
pub(super) struct Marketplace {
    pub(super) id: &'static str,
    pub(super) country: &'static str,
    pub(super) region: Region,
    pub(super) currency: &'static str,
    pub(super) language: &'static str,
    pub(super) domain: &'static str,
}

impl Marketplace {
    /// Finds a marketplace by its id.
    pub(super) fn find(id: &str) -> Option<&'static Self> {
        MARKETPLACES.iter().find(|marketplace| marketplace.id == id)
    }

    /// Names the shop as Amazon does in `SalesChannel`: `Amazon.de`.
    pub(super) fn sales_channel(&self) -> String {
        format!("Amazon.{}", self.domain.trim_start_matches("www.amazon."))
    }
}

/// Whether an account sells to Amazon's customers or to Amazon itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Uses Seller Central, and the seller APIs only.
    Seller,
    /// Uses Vendor Central, and the vendor APIs only.
    Vendor,
}

/// A selling partner's account, which the consent page offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seller {
    /// A seller id (`A…`) or a vendor group id (`amzn1.vg.…`).
    pub selling_partner_id: String,
    /// The store's name.
    pub name: String,
    /// Seller or vendor.
    pub kind: Kind,
    /// The only region where its tokens are good.
    pub region: Region,
    /// Ids of the marketplaces it takes part in, at least one; the first is its home.
    pub marketplaces: Vec<String>,
}

/// Lists the accounts that exist without anybody adding them.
pub(super) fn known_sellers() -> Vec<Seller> {
    let seller = |id: &str, name: &str, kind, region, marketplaces: &[&str]| Seller {
        selling_partner_id: id.into(),
        name: name.into(),
        kind,
        region,
        marketplaces: marketplaces.iter().map(ToString::to_string).collect(),
    };
    vec![
        seller("A2ZV5Q9KQ7MX1D", "Birkenfeld Outdoor GmbH", Kind::Seller, Region::Eu, &[DE, FR, IT, ES, NL, UK]),
        seller("A17KQ3W8RT5LNP", "Maison Lavande SARL", Kind::Seller, Region::Eu, &[FR, BE, DE]),
        seller("A3NB6YH2JC4XWE", "Prairie Lantern Co.", Kind::Seller, Region::Na, &[US, CA, MX]),
        seller("A1FJ9DUX8ZP6TK", "Kitsune Teaworks KK", Kind::Seller, Region::Fe, &[JP, AU]),
        seller("amzn1.vg.3482119", "Nordlys Glasværk A/S", Kind::Vendor, Region::Eu, &[DE, SE, PL]),
        seller("amzn1.vg.7790342", "Cobalt Ridge Tools Inc.", Kind::Vendor, Region::Na, &[US, CA]),
    ]
}

const US: &str = "ATVPDKIKX0DER";
const CA: &str = "A2EUQ1WTGCTBG2";
const MX: &str = "A1AM78C64UM0Y8";
const UK: &str = "A1F83G8C2ARO7P";
const DE: &str = "A1PA6795UKMFR9";
const FR: &str = "A13V1IB3VIYZZH";
const IT: &str = "APJ6JRA9NG5V4";
const ES: &str = "A1RKKUPIHCS9HS";
const NL: &str = "A1805IZSGTT6HS";
const BE: &str = "AMEN7PMS3EDWL";
const SE: &str = "A2NODRKZP88ZB9";
const PL: &str = "A1C3SOZRARQ6R3";
const JP: &str = "A1VC38T7YXB528";
const AU: &str = "A39IBJ37TRP1C6";

const fn shop(
    id: &'static str,
    country: &'static str,
    region: Region,
    currency: &'static str,
    language: &'static str,
    domain: &'static str,
) -> Marketplace {
    Marketplace { id, country, region, currency, language, domain }
}

/// Every marketplace of the three regions, as Amazon's guide lists them ("Marketplace IDs").
static MARKETPLACES: &[Marketplace] = &[
    shop(US, "US", Region::Na, "USD", "en_US", "www.amazon.com"),
    shop(CA, "CA", Region::Na, "CAD", "en_CA", "www.amazon.ca"),
    shop(MX, "MX", Region::Na, "MXN", "es_MX", "www.amazon.com.mx"),
    shop("A2Q3Y263D00KWC", "BR", Region::Na, "BRL", "pt_BR", "www.amazon.com.br"),
    shop(UK, "GB", Region::Eu, "GBP", "en_GB", "www.amazon.co.uk"),
    shop(DE, "DE", Region::Eu, "EUR", "de_DE", "www.amazon.de"),
    shop(FR, "FR", Region::Eu, "EUR", "fr_FR", "www.amazon.fr"),
    shop(IT, "IT", Region::Eu, "EUR", "it_IT", "www.amazon.it"),
    shop(ES, "ES", Region::Eu, "EUR", "es_ES", "www.amazon.es"),
    shop(NL, "NL", Region::Eu, "EUR", "nl_NL", "www.amazon.nl"),
    shop(BE, "BE", Region::Eu, "EUR", "fr_BE", "www.amazon.com.be"),
    shop("A28R8C7NBKEWEA", "IE", Region::Eu, "EUR", "en_IE", "www.amazon.ie"),
    shop(SE, "SE", Region::Eu, "SEK", "sv_SE", "www.amazon.se"),
    shop(PL, "PL", Region::Eu, "PLN", "pl_PL", "www.amazon.pl"),
    shop("A33AVAJ2PDY3EV", "TR", Region::Eu, "TRY", "tr_TR", "www.amazon.com.tr"),
    shop("A2VIGQ35RCS4UG", "AE", Region::Eu, "AED", "en_AE", "www.amazon.ae"),
    shop("A17E79C6D8DWNP", "SA", Region::Eu, "SAR", "ar_AE", "www.amazon.sa"),
    shop("ARBP9OOSHTCHU", "EG", Region::Eu, "EGP", "ar_AE", "www.amazon.eg"),
    shop("AE08WJ6YKNBMC", "ZA", Region::Eu, "ZAR", "en_ZA", "www.amazon.co.za"),
    shop("A21TJRUUN4KGV", "IN", Region::Eu, "INR", "en_IN", "www.amazon.in"),
    shop(JP, "JP", Region::Fe, "JPY", "ja_JP", "www.amazon.co.jp"),
    shop(AU, "AU", Region::Fe, "AUD", "en_AU", "www.amazon.com.au"),
    shop("A19VAU5U5O7RUS", "SG", Region::Fe, "SGD", "en_SG", "www.amazon.sg"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_three_regional_names_mean_a_region() {
        assert_eq!(Region::of_host("eu.localhost:8445"), Some(Region::Eu));
        assert_eq!(Region::of_host("NA.localhost"), Some(Region::Na));
        for host in ["127.0.0.1:8445", "localhost", "xx.localhost", "eu.localhost.example", ""] {
            assert_eq!(Region::of_host(host), None, "{host}");
        }
    }

    #[test]
    fn every_known_seller_takes_part_in_marketplaces_of_its_own_region() {
        for seller in known_sellers() {
            for id in &seller.marketplaces {
                assert_eq!(Marketplace::find(id).unwrap().region, seller.region, "{}", seller.name);
            }
        }
    }
}
