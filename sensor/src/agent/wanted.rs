//! Which interfaces are asked for: by name, by pattern, or that of the default route.

use glob::Pattern;

use crate::kernel::{KernelError, Link, default_interface};

/// Means the interface of the default route. The kernel gives this name to no interface.
const DEFAULT: &str = "default";

/// The interfaces asked for.
#[derive(Clone, Debug)]
pub struct Wanted(Vec<Wish>);

#[derive(Clone, Debug)]
enum Wish {
    Name(String),
    Pattern(Pattern),
}

/// An interface that was asked for, and why it is not watched all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// It.
    pub link: &'a Link,
    /// Whether by its name; what is wrong with it is then an error.
    pub by_name: bool,
    /// Why not.
    pub left_out: Option<String>,
}

impl Wanted {
    /// A name or a pattern as it is written.
    ///
    /// # Errors
    ///
    /// What is wrong with the pattern.
    pub fn parse(text: &str) -> Result<String, String> {
        let why = |error: glob::PatternError| {
            format!("{}; write * for any text, ? for a letter, [0-9] for one of these", error.msg)
        };
        match text {
            "" => Err("it is empty; name an interface".into()),
            text => Pattern::new(text).map(|_| text.to_owned()).map_err(why),
        }
    }

    /// These names and patterns; the interface of the default route if there are none.
    ///
    /// # Errors
    ///
    /// If there is no default route.
    pub fn new(asked: &[String]) -> Result<Self, KernelError> {
        let wish = |text: &String| match (text.as_str(), Pattern::new(text)) {
            (DEFAULT, _) => Ok(Wish::Name(default_interface()?)),
            (text, Ok(pattern)) if text.contains(['*', '?', '[']) => Ok(Wish::Pattern(pattern)),
            _ => Ok(Wish::Name(text.clone())),
        };
        let default = [DEFAULT.to_owned()];
        let asked = if asked.is_empty() { &default } else { asked };
        asked.iter().map(wish).collect::<Result<_, _>>().map(Self)
    }

    /// The patterns, if any: what they mean may come later.
    pub fn patterns(&self) -> Option<String> {
        let patterns = self.0.iter().filter_map(|wish| match wish {
            Wish::Pattern(pattern) => Some(pattern.as_str()),
            Wish::Name(_) => None,
        });
        let patterns: Vec<_> = patterns.collect();
        (!patterns.is_empty()).then(|| patterns.join(", "))
    }

    /// Whether these mean the interface of the default route, which may be another at another time.
    pub fn has_default(asked: &[String]) -> bool {
        asked.is_empty() || asked.iter().any(|text| text == DEFAULT)
    }

    /// The names, as they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|wish| match wish {
            Wish::Name(name) => Some(name.as_str()),
            Wish::Pattern(_) => None,
        })
    }

    /// That the interfaces named are there.
    ///
    /// # Errors
    ///
    /// The first that is not.
    pub fn check(&self, links: &[Link]) -> Result<(), KernelError> {
        let missing = |name: &&str| !links.iter().any(|link| link.is_called(name));
        self.names().find(missing).map_or(Ok(()), |name| {
            let known: Vec<_> = links.iter().map(|link| link.name.escape_debug().to_string()).collect();
            Err(KernelError::NoInterface { name: name.escape_debug().to_string(), known: known.join(", ") })
        })
    }

    /// The interfaces asked for, each once, in the order in which they were.
    pub fn choose<'a>(&self, links: &'a [Link]) -> Vec<Choice<'a>> {
        let mut chosen: Vec<Choice<'_>> = Vec::new();
        for wish in &self.0 {
            for link in links.iter().filter(|link| wish.means(link)) {
                let by_name = matches!(wish, Wish::Name(_));
                if !chosen.iter().any(|choice| choice.link.index == link.index) {
                    let left_out = (!by_name && !link.is_ethernet())
                        .then(|| "carries no Ethernet frames; watch the interface beneath it".to_owned());
                    chosen.push(Choice { link, by_name, left_out });
                }
            }
        }
        let names: Vec<(u32, &str)> =
            chosen.iter().map(|choice| (choice.link.index, choice.link.name.as_str())).collect();
        for choice in &mut chosen {
            let master = choice.link.master.as_ref().filter(|_| choice.link.is_slave());
            if let Some((_, master)) = master.and_then(|(master, _)| names.iter().find(|(index, _)| index == master)) {
                choice.left_out =
                    Some(format!("belongs to {}, which is watched and shows the same frames", master.escape_debug()));
            }
        }
        chosen
    }
}

impl Wish {
    fn means(&self, link: &Link) -> bool {
        match self {
            Self::Name(wanted) => link.is_called(wanted),
            // Nobody who writes `*` means what never leaves the machine.
            Self::Pattern(pattern) => !link.is_loopback() && link.names().any(|name| pattern.matches(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str) -> Link {
        Link { index, name: name.into(), hardware: libc::ARPHRD_ETHER, ..Link::default() }
    }

    fn wanted(asked: &[&str]) -> Wanted {
        Wanted::new(&asked.iter().map(|text| Wanted::parse(text).unwrap()).collect::<Vec<_>>()).unwrap()
    }

    fn chosen(asked: &[&str], links: &[Link]) -> Vec<(u32, bool)> {
        let chosen = wanted(asked).choose(links).into_iter();
        chosen.map(|choice| (choice.link.index, choice.left_out.is_none())).collect()
    }

    #[test]
    fn names_and_patterns_find_each_interface_once() {
        let mut links = [link(1, "lo"), link(2, "eth0"), link(3, "veth1"), link(4, "veth2"), link(5, "tun0")];
        links[0].hardware = libc::ARPHRD_LOOPBACK;
        links[1].altnames = vec!["uplink".into()];
        links[4].hardware = libc::ARPHRD_NONE;
        assert_eq!(chosen(&["veth2", "veth*"], &links), [(4, true), (3, true)]);
        assert_eq!(chosen(&["uplink", "eth0", "e*"], &links), [(2, true)]);
        assert_eq!(chosen(&["veth?"], &links), [(3, true), (4, true)]);
        assert_eq!(chosen(&["*"], &links), [(2, true), (3, true), (4, true), (5, false)]);
        assert_eq!(chosen(&["lo", "tun0"], &links), [(1, true), (5, true)], "what was named is tried");
        assert_eq!(wanted(&["veth*", "eth0"]).patterns().as_deref(), Some("veth*"));
        assert_eq!(wanted(&["eth0"]).patterns(), None);
        assert!(wanted(&["uplink", "veth*", "none*"]).check(&links).is_ok());
        let told = wanted(&["eth0", "eth1"]).check(&links).unwrap_err().to_string();
        assert!(told.contains("no interface \"eth1\" here; there are: lo, eth0, veth1"), "{told}");
        assert!(Wanted::parse("veth[").is_err() && Wanted::parse("").is_err());
    }

    #[test]
    fn a_bond_and_its_slaves_are_not_both_watched() {
        let mut links = [link(2, "eth0"), link(3, "eth1"), link(4, "bond0"), link(5, "br0"), link(6, "port0")];
        for slave in &mut links[..2] {
            slave.master = Some((4, "bond".into()));
        }
        links[4].master = Some((5, "bridge".into()));
        assert_eq!(chosen(&["eth*", "bond0"], &links), [(2, false), (3, false), (4, true)]);
        assert_eq!(chosen(&["eth0", "bond0"], &links), [(2, false), (4, true)]);
        assert_eq!(chosen(&["eth*"], &links), [(2, true), (3, true)], "alone they show what there is");
        assert_eq!(chosen(&["br0", "port*"], &links), [(5, true), (6, true)], "a port shows what its bridge does not");
        let links_of_bond = wanted(&["bond0", "eth0"]);
        let told = links_of_bond.choose(&links)[1].left_out.clone();
        assert_eq!(told.as_deref(), Some("belongs to bond0, which is watched and shows the same frames"));
    }
}
