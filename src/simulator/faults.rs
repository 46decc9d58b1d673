//! What goes wrong on purpose: by chance, or by a script. Which faults there are, each provider
//! says for itself.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// When a scripted fault strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule<Fault> {
    /// What goes wrong.
    pub fault: Fault,
    /// Only requests with this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths that start so.
    #[serde(default)]
    pub path: String,
    /// Lets so many matching requests pass first.
    #[serde(default)]
    pub skip: u32,
    /// Strikes so often.
    #[serde(default = "once")]
    pub times: u32,
}

const fn once() -> u32 {
    1
}

impl<Fault> Rule<Fault> {
    /// Strikes the next request.
    #[must_use]
    pub const fn next(fault: Fault) -> Self {
        Self { fault, method: None, path: String::new(), skip: 0, times: 1 }
    }

    /// Only requests with this method and a path that starts so.
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.method = Some(method.to_owned());
        path.clone_into(&mut self.path);
        self
    }

    /// Lets `count` matching requests pass first.
    #[must_use]
    pub const fn after(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// Strikes `count` times.
    #[must_use]
    pub const fn times(mut self, count: u32) -> Self {
        self.times = count;
        self
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.times > 0
            && self.method.as_deref().is_none_or(|m| m.eq_ignore_ascii_case(method))
            && path.starts_with(&self.path)
    }
}

/// A fault that strikes by chance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Risk<Fault> {
    /// What goes wrong.
    pub fault: Fault,
    /// How likely, between 0 and 1, for every request.
    pub probability: f64,
}

/// All that may go wrong.
#[derive(Debug)]
pub struct Faults<Fault> {
    rules: Vec<Rule<Fault>>,
    risks: Vec<Risk<Fault>>,
    chance: StdRng,
}

impl<Fault: Clone> Faults<Fault> {
    /// Starts without faults; those by chance follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), risks: Vec::new(), chance: StdRng::seed_from_u64(seed) }
    }

    /// Adds a scripted fault.
    pub fn script(&mut self, rule: Rule<Fault>) {
        self.rules.push(rule);
    }

    /// Replaces the faults that strike by chance, and starts their chance from `seed`.
    pub fn risk(&mut self, risks: Vec<Risk<Fault>>, seed: u64) {
        self.risks = risks;
        self.chance = StdRng::seed_from_u64(seed);
    }

    /// Ends all faults.
    pub fn clear(&mut self) {
        self.rules.clear();
        self.risks.clear();
    }

    /// Decides what befalls a request.
    pub fn strike(&mut self, method: &str, path: &str) -> Option<Fault> {
        let mut struck = None;
        for rule in self.rules.iter_mut().filter(|rule| rule.matches(method, path)) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if struck.is_none() {
                rule.times -= 1;
                struck = Some(rule.fault.clone());
            }
        }
        self.rules.retain(|rule| rule.times > 0);
        struck.or_else(|| self.by_chance())
    }

    fn by_chance(&mut self) -> Option<Fault> {
        let chance = &mut self.chance;
        let risk =
            self.risks.iter().find(|risk| chance.random_bool(risk.probability.clamp(0.0, 1.0)))?;
        Some(risk.fault.clone())
    }
}
