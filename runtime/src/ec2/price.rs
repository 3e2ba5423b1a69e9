//! What an archiver costs, by the list prices of `data/prices.json`.

use std::collections::BTreeMap;

use dormouse_generator::spec::{Archiver, Ec2};
use serde::Deserialize;

/// Size of the EBS snapshot behind a baked image in GiB: only what is written counts, about this.
const IMAGE_GIB: f64 = 4.0;

/// A backup a day, ten minutes each: the example that the monthly figure is for.
const HOURS_A_MONTH: f64 = 5.0;

/// List prices in US dollars.
#[derive(Debug, Deserialize)]
pub struct Prices {
    /// When they were looked up.
    pub date: String,
    /// Where they hold.
    pub region: String,
    volume_gib_month: BTreeMap<String, f64>,
    snapshot_gib_month: f64,
    public_address_hour: f64,
    instance_hour: BTreeMap<String, f64>,
}

/// What an archiver costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// The volume and the image, in dollars a month, asleep or not.
    pub month: f64,
    /// Awake, in dollars an hour; none when the instance type's price is not in the list.
    pub hour: Option<f64>,
}

impl Prices {
    /// The prices that this program was built with.
    ///
    /// # Errors
    /// None in a program that was tested.
    pub fn load() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("../../data/prices.json"))
    }

    /// What an archiver costs.
    #[must_use]
    pub fn cost(&self, archiver: &Archiver, ec2: &Ec2, volume_type: &str) -> Cost {
        let size = archiver.volume.as_ref().map_or(0.0, |volume| f64::from(volume.size_gib));
        let volume = self.volume_gib_month.get(volume_type).map_or(0.0, |price| price * size);
        let image = if ec2.image.bake { IMAGE_GIB * self.snapshot_gib_month } else { 0.0 };
        Cost { month: volume + image, hour: self.hour(ec2) }
    }

    /// What an instance of so many seconds has cost, in dollars; none when its type is not in the
    /// list. EC2 counts seconds, and 60 at least (EC2 pricing, "Per second billing").
    #[must_use]
    pub fn instance(&self, ec2: &Ec2, seconds: u64) -> Option<f64> {
        self.hour(ec2).map(|hour| hour * seconds.max(60) as f64 / 3600.0)
    }

    /// An hour awake, with the public address.
    fn hour(&self, ec2: &Ec2) -> Option<f64> {
        self.instance_hour.get(&ec2.instance_type).map(|price| price + self.public_address_hour)
    }
}

impl Cost {
    /// In words, with an example of use.
    #[must_use]
    pub fn words(&self, prices: &Prices) -> String {
        let listed = format!("list prices of {}, {}", prices.region, prices.date);
        match self.hour {
            Some(hour) => format!(
                "about ${:.2} a month asleep, ${hour:.3} an hour awake: ${:.2} a month with ten minutes a day ({listed})",
                self.month,
                self.month + hour * HOURS_A_MONTH
            ),
            None => format!(
                "about ${:.2} a month asleep; the instance type is not in the list ({listed})",
                self.month
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use dormouse_generator::spec::{Provider, Spec};

    use super::*;

    #[test]
    fn a_sleeping_archiver_costs_its_volume_and_image() {
        let home = include_bytes!("../../../examples/home.json");
        let spec = Spec::parse("home.json", home).unwrap().spec;
        let archiver = &spec.archivers["archiver"];
        let Provider::Ec2(ec2) = &archiver.provider else { panic!("home.json has an EC2 archiver") };
        let prices = Prices::load().unwrap();
        let cost = prices.cost(archiver, ec2, "sc1");
        assert!((cost.month - 7.7).abs() < 1e-9, "{cost:?}");
        let billed = |seconds| prices.instance(ec2, seconds).unwrap();
        assert!((billed(3600) - cost.hour.unwrap()).abs() < 1e-9);
        assert!((billed(10) - billed(60)).abs() < 1e-9);
        let words = cost.words(&prices);
        assert!(
            words.starts_with("about $7.70 a month asleep, $0.022 an hour awake: $7.81 a month"),
            "{words}"
        );
    }
}
