//! The sample data behind the resources: products, orders and buyers that follow from the seller's id and the day alone,
//! so that two runs on one day see the same shop.

use super::marketplace::{Marketplace, Seller};
use crate::clock::Timestamp;
use std::time::Duration;

/// Something that a seller or vendor sells.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) asin: &'static str,
    pub(super) sku: &'static str,
    pub(super) title: &'static str,
    pub(super) brand: &'static str,
    pub(super) product_type: &'static str,
    /// In hundredths of the marketplace's currency.
    pub(super) cents: u64,
    pub(super) grams: u64,
}

impl Product {
    pub(super) fn find_asin(asin: &str) -> Option<&'static Self> {
        PRODUCTS.iter().find(|product| product.asin == asin)
    }

    pub(super) fn find_sku(sku: &str) -> Option<&'static Self> {
        PRODUCTS.iter().find(|product| product.sku == sku)
    }

    /// Returns units in stock, 0 to 239.
    pub(super) fn stock(&self, seller: &Seller) -> u64 {
        pick(&[&seller.selling_partner_id, self.sku, "stock"]) % 240
    }
}

/// An order that a customer placed.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) marketplace: &'static Marketplace,
    pub(super) purchased_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) status: &'static str,
    /// `AFN`, by Amazon, or `MFN`, by the seller.
    pub(super) channel: &'static str,
    pub(super) lines: Vec<Line>,
    pub(super) buyer: &'static Buyer,
}

/// One kind of product in an order.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) product: &'static Product,
    pub(super) quantity: u64,
}

/// A customer who does not exist.
#[derive(Debug)]
pub(super) struct Buyer {
    pub(super) name: &'static str,
    pub(super) email: &'static str,
    pub(super) street: &'static str,
    pub(super) city: &'static str,
    pub(super) postal_code: &'static str,
    pub(super) phone: &'static str,
}

impl Order {
    /// Returns the sum of all lines, in hundredths.
    pub(super) fn cents(&self) -> u64 {
        self.lines.iter().map(|line| line.product.cents * line.quantity).sum()
    }

    /// Returns the number of units ordered.
    pub(super) fn units(&self) -> u64 {
        self.lines.iter().map(|line| line.quantity).sum()
    }

    /// Says whether all units are on their way.
    pub(super) fn shipped(&self) -> bool {
        self.status == "Shipped"
    }
}

/// Makes a seller's orders, newest first: 48 of them, one every 15 hours up to the beginning of `now`'s day.
pub(super) fn orders(seller: &Seller, now: Timestamp) -> Vec<Order> {
    let today = Timestamp::from_micros(now.as_micros() - now.as_micros().rem_euclid(DAY_US));
    (0..ORDERS).filter_map(|number| order(seller, number, today)).collect()
}

fn order(seller: &Seller, number: u64, today: Timestamp) -> Option<Order> {
    let name = number.to_string();
    let draw = |what: &str| pick(&[&seller.selling_partner_id, &name, what]);
    let marketplaces = &seller.marketplaces;
    let marketplace = Marketplace::find(marketplaces.get((draw("shop") as usize) % marketplaces.len().max(1))?)?;
    let purchased_at = today.minus(Duration::from_hours(15 * number + 2));
    let lines = (0..1 + draw("lines") % 3).map(|line| Line {
        id: format!("{:014}", 10_000_000_000_000 + draw(&format!("line {line}")) % 90_000_000_000_000),
        product: &PRODUCTS[((draw("product") + 5 * line) as usize) % PRODUCTS.len()],
        quantity: 1 + draw(&format!("quantity {line}")) % 3,
    });
    Some(Order {
        id: format!(
            "{:03}-{:07}-{:07}",
            302 + draw("a") % 4,
            1_000_000 + draw("b") % 9_000_000,
            1_000_000 + draw("c") % 9_000_000
        ),
        marketplace,
        purchased_at,
        updated_at: purchased_at.plus(Duration::from_mins(30 + draw("updated") % 60)),
        // What is old has been shipped.
        status: match (number, draw("status") % 10) {
            (_, 0) => "Canceled",
            (0..8, 1..3) => "Pending",
            (0..12, _) => "Unshipped",
            _ => "Shipped",
        },
        channel: if draw("channel").is_multiple_of(3) { "MFN" } else { "AFN" },
        lines: lines.collect(),
        buyer: &BUYERS[(draw("buyer") as usize) % BUYERS.len()],
    })
}

/// Writes an amount as Amazon does: `12.34`.
pub(super) fn amount(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Writes a moment as Amazon does: whole seconds, `2026-06-01T12:00:00Z`.
pub(super) fn iso(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.as_seconds()).unwrap_or_default().to_string()
}

/// Picks a number that follows from `words` alone (64-bit FNV-1a). No secret rests on it.
pub(super) fn pick(words: &[&str]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // FNV's low bits are weak for inputs that differ in one digit.
    (hash ^ (hash >> 29)) >> 3
}

const ORDERS: u64 = 48;
const DAY_US: i64 = 86_400_000_000;

const fn product(
    asin: &'static str,
    sku: &'static str,
    title: &'static str,
    brand: &'static str,
    product_type: &'static str,
    cents: u64,
    grams: u64,
) -> Product {
    Product { asin, sku, title, brand, product_type, cents, grams }
}

pub(super) static PRODUCTS: &[Product] = &[
    product("B0C1LHAA01", "BO-TENT-2P", "Two-person trekking tent, 2.1 kg", "Birkenfeld", "TENT", 18_990, 2_100),
    product("B0C1LHAA02", "BO-TENT-3P", "Three-person trekking tent, 2.9 kg", "Birkenfeld", "TENT", 24_990, 2_900),
    product("B0C1LHAA03", "BO-MAT-R4", "Insulated sleeping mat, R-value 4", "Birkenfeld", "SLEEPING_MAT", 8_450, 540),
    product("B0C1LHAA04", "BO-BAG-DN", "Down sleeping bag, comfort -4 °C", "Birkenfeld", "SLEEPING_BAG", 21_900, 980),
    product("B0C1LHAA05", "BO-STOVE-G", "Folding gas stove", "Birkenfeld", "CAMPING_STOVE", 3_995, 85),
    product("B0C1LHAA06", "BO-POT-TI", "Titanium pot, 900 ml", "Birkenfeld", "COOKWARE", 4_490, 118),
    product("B0C1LHAA07", "BO-LAMP-H", "Head torch, 400 lm, rechargeable", "Birkenfeld", "FLASHLIGHT", 3_250, 74),
    product("B0C1LHAA08", "BO-PACK-45", "Trekking backpack, 45 l", "Birkenfeld", "BACKPACK", 13_900, 1_240),
    product(
        "B0C1LHBB01",
        "ML-SOAP-LV",
        "Lavender soap, 4 × 100 g",
        "Maison Lavande",
        "SKIN_CLEANSING_AGENT",
        1_490,
        420,
    ),
    product("B0C1LHBB02", "ML-OIL-LV", "Lavender oil, 30 ml", "Maison Lavande", "ESSENTIAL_OIL", 1_290, 70),
    product("B0C1LHBB03", "ML-CNDL-L", "Scented candle, 220 g", "Maison Lavande", "CANDLE", 2_450, 480),
    product("B0C1LHBB04", "ML-SACH-6", "Linen sachets, set of six", "Maison Lavande", "SACHET", 1_690, 160),
    product("B0C1LHBB05", "ML-CRM-75", "Hand cream, 75 ml", "Maison Lavande", "SKIN_MOISTURIZER", 1_190, 95),
    product("B0C1LHCC01", "PL-LNTN-S", "Brass lantern, small", "Prairie Lantern", "LANTERN", 4_999, 760),
    product("B0C1LHCC02", "PL-LNTN-L", "Brass lantern, large", "Prairie Lantern", "LANTERN", 7_999, 1_320),
    product("B0C1LHCC03", "PL-WICK-10", "Cotton wicks, pack of ten", "Prairie Lantern", "LAMP_WICK", 899, 60),
    product("B0C1LHCC04", "PL-GLOBE", "Replacement glass globe", "Prairie Lantern", "LAMP_SHADE", 1_899, 310),
    product("B0C1LHDD01", "KT-SEN-100", "Sencha, 100 g", "Kitsune", "TEA", 1_480, 130),
    product("B0C1LHDD02", "KT-MAT-30", "Ceremonial matcha, 30 g", "Kitsune", "TEA", 2_980, 80),
    product("B0C1LHDD03", "KT-POT-KY", "Kyūsu teapot, 350 ml", "Kitsune", "TEAPOT", 5_400, 520),
    product("B0C1LHEE01", "NG-VASE-24", "Hand-blown vase, 24 cm", "Nordlys", "VASE", 8_900, 1_450),
    product("B0C1LHEE02", "NG-TUMB-4", "Tumblers, set of four", "Nordlys", "DRINKING_CUP", 4_600, 980),
    product("B0C1LHFF01", "CR-CHSL-6", "Bench chisels, set of six", "Cobalt Ridge", "CHISEL", 8_495, 1_100),
    product("B0C1LHFF02", "CR-PLANE-4", "Smoothing plane no. 4", "Cobalt Ridge", "HAND_PLANE", 12_995, 1_900),
];

static BUYERS: &[Buyer] = &[
    Buyer {
        name: "Ines Falkenrath",
        email: "q7m2xk9d1s@marketplace.amazon.example",
        street: "Lindengasse 14",
        city: "Marburg",
        postal_code: "35037",
        phone: "+49 6421 555 0101",
    },
    Buyer {
        name: "Théo Marchais",
        email: "p3v8rt6w2k@marketplace.amazon.example",
        street: "8 rue des Tanneurs",
        city: "Colmar",
        postal_code: "68000",
        phone: "+33 3 55 50 01 02",
    },
    Buyer {
        name: "Oriana Belcastro",
        email: "z5n1hq4c8b@marketplace.amazon.example",
        street: "Via dei Mulini 31",
        city: "Bassano del Grappa",
        postal_code: "36061",
        phone: "+39 0424 555 0103",
    },
    Buyer {
        name: "Wendell Okafor",
        email: "t9c4jb7f3y@marketplace.amazon.example",
        street: "220 Cottonwood Ave",
        city: "Laramie",
        postal_code: "82070",
        phone: "+1 307 555 0104",
    },
    Buyer {
        name: "Haruka Mizutani",
        email: "m2d6gl8x5u@marketplace.amazon.example",
        street: "Sakaemachi 3-7-12",
        city: "Kanazawa",
        postal_code: "920-0853",
        phone: "+81 76 555 0105",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::amazon::marketplace::known_sellers;
    use std::collections::HashSet;

    const NOW: Timestamp = Timestamp::from_micros(1_780_000_000_000_000);

    #[test]
    fn a_seller_has_the_same_orders_all_day_and_no_two_alike() {
        for seller in known_sellers() {
            let morning = orders(&seller, NOW);
            let ids: HashSet<String> = morning.iter().map(|order| order.id.clone()).collect();
            assert_eq!(ids.len() as u64, ORDERS, "{}", seller.name);
            let later: Vec<String> =
                orders(&seller, NOW.plus(Duration::from_secs(1))).into_iter().map(|o| o.id).collect();
            assert!(later.iter().all(|id| ids.contains(id)));
        }
    }

    #[test]
    fn no_two_sellers_share_an_order() {
        let mut seen = HashSet::new();
        for seller in known_sellers() {
            for order in orders(&seller, NOW) {
                assert!(seen.insert(order.id.clone()), "{}", order.id);
            }
        }
    }

    #[test]
    fn times_are_whole_seconds() {
        assert_eq!(iso(NOW), "2026-05-28T20:26:40Z");
        assert_eq!(amount(1205), "12.05");
    }
}
