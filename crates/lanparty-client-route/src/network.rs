//! What Windows thinks of the network behind an adapter: its firewall goes by that.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The category of a network, as the Network List Manager numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Category {
    /// Strangers' computers: the firewall lets nobody in.
    Public,
    /// Friends' computers: games may be found and joined.
    Private,
    /// A company's domain; nobody but the domain can set or change this.
    Domain,
}

impl Category {
    /// The category with this `NLM_NETWORK_CATEGORY` number.
    pub fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Category::Public),
            1 => Some(Category::Private),
            2 => Some(Category::Domain),
            _ => None,
        }
    }

    /// Its `NLM_NETWORK_CATEGORY` number.
    pub fn number(self) -> i32 {
        match self {
            Category::Public => 0,
            Category::Private => 1,
            Category::Domain => 2,
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Category::Public => "public",
            Category::Private => "private",
            Category::Domain => "domain",
        })
    }
}

/// The categories in a `NET_FW_PROFILE_TYPE2` bit mask: the firewall has one profile for each.
pub fn categories_of_profiles(mask: i32) -> Vec<Category> {
    [
        (1, Category::Domain),
        (2, Category::Private),
        (4, Category::Public),
    ]
    .iter()
    .filter(|(bit, _)| mask & bit != 0)
    .map(|(_, category)| *category)
    .collect()
}

/// A network that Windows knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its id among the networks, as one number.
    pub id: u128,
    /// What Windows thinks of it.
    pub category: Category,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_categories_have_the_network_list_managers_numbers() {
        for category in [Category::Public, Category::Private, Category::Domain] {
            assert_eq!(Category::from_number(category.number()), Some(category));
        }
        assert_eq!(Category::from_number(3), None);
    }

    #[test]
    fn several_firewall_profiles_may_be_in_force() {
        use Category::{Domain, Private, Public};
        assert_eq!(categories_of_profiles(0), []);
        assert_eq!(categories_of_profiles(2 | 4), [Private, Public]);
        assert_eq!(categories_of_profiles(-1), [Domain, Private, Public]);
    }
}
