//! How much of what the uplink does at once is whose: no container takes all of it.

use crate::runtime::network::gate::{Gate, Pass};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Lets a number in at a time, and of one address a part of them.
pub struct Shares {
    all: Arc<Gate>,
    most_of_one: usize,
    each: HashMap<IpAddr, Arc<Gate>>,
}

/// A container has so many parts of all at most.
const PART: (usize, usize) = (1, 2);

impl Shares {
    /// Of what a gate lets in, which lets in `most`.
    pub fn of(all: &Arc<Gate>, most: usize) -> Self {
        let most_of_one = (most * PART.0 / PART.1).max(1);
        Self { all: Arc::clone(all), most_of_one, each: HashMap::new() }
    }

    /// Lets one in of an address, when there is room.
    pub fn enter(&mut self, ip: IpAddr) -> Option<[Pass; 2]> {
        self.each.retain(|known, gate| *known == ip || !gate.is_empty());
        let own = self.each.entry(ip).or_insert_with(|| Gate::new(self.most_of_one)).enter()?;
        Some([own, self.all.enter()?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_all() {
        let mut shares = Shares::of(&Gate::new(4), 4);
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse().unwrap());
        let mut held: Vec<_> = (0..2).map(|_| shares.enter(one).unwrap()).collect();
        assert!(shares.enter(one).is_none());
        held.extend((0..2).map(|_| shares.enter(other).unwrap()));
        let third = "10.0.0.3".parse().unwrap();
        assert!(shares.enter(third).is_none(), "all are taken");
        held.clear();
        assert!(shares.enter(third).is_some());
    }
}
